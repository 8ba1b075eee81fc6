//! Encoders of a goal that is part of the observation.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor, module};

use crate::error::positive;
use crate::inputs::Columns;
use crate::norm::Affine;
use crate::{Activation, ActivationLayer, Dense, ModelError, ObsLayout, ObsTensors};

/// How a goal is encoded, with settings. The goal is a vector key of the observation: of shape
/// `[goals, width]`, or `[width]` for one goal.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GoalConfig {
    /// Numbers: `norm(ff2(leaky_relu(ff1(goal))))` with a hidden layer twice as wide as one goal.
    FeedForward(FfGoalConfig),
    /// Whole numbers that stand for words: an embedding each, a vanilla RNN over all, its last state
    /// through a linear layer and a norm.
    Token(TokenGoalConfig),
}

/// Settings of [`GoalConfig::FeedForward`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FfGoalConfig {
    /// Observation key that holds the goal.
    pub key: String,
    /// Output width, at least 2: the layer norm of a single number is a constant.
    pub d_output: usize,
    /// Give zeros of the same width, as if there were no goal.
    pub zero_embedding: bool,
}

impl Default for FfGoalConfig {
    fn default() -> Self {
        Self { key: "goal".to_owned(), d_output: 32, zero_embedding: false }
    }
}

/// Settings of [`GoalConfig::Token`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenGoalConfig {
    /// Observation key that holds the goal.
    pub key: String,
    /// Smallest token; smaller ones are read as this one.
    pub min_token: i32,
    /// Largest token; larger ones are read as this one.
    pub max_token: i32,
    /// Width of a token's embedding.
    pub d_embedding: usize,
    /// Width of the RNN.
    pub d_hidden: usize,
    /// Output width, at least 2: the layer norm of a single number is a constant.
    pub d_output: usize,
    /// Give zeros of the same width, as if there were no goal.
    pub zero_embedding: bool,
}

impl Default for TokenGoalConfig {
    fn default() -> Self {
        Self {
            key: "goal".to_owned(),
            min_token: -128,
            max_token: 128,
            d_embedding: 16,
            d_hidden: 64,
            d_output: 32,
            zero_embedding: false,
        }
    }
}

impl GoalConfig {
    /// Observation key that holds the goal.
    pub fn key(&self) -> &str {
        match self {
            Self::FeedForward(c) => &c.key,
            Self::Token(c) => &c.key,
        }
    }

    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ModelError> {
        let d_output = match self {
            Self::FeedForward(c) => c.d_output,
            Self::Token(c) => {
                positive(&[("goal.d_embedding", c.d_embedding), ("goal.d_hidden", c.d_hidden)])?;
                if c.min_token > c.max_token {
                    return Err(ModelError::Tokens { min: c.min_token, max: c.max_token });
                }
                c.d_output
            }
        };
        if d_output < 2 { Err(ModelError::GoalWidth(d_output)) } else { Ok(()) }
    }

    /// Builds the encoder for the goal of an observation.
    ///
    /// # Panics
    /// When the observation has no vector of that key.
    pub fn init(&self, obs: &ObsLayout, device: &Device) -> GoalEncoder {
        let (_, shape, columns) =
            obs.vectors().find(|(key, ..)| *key == self.key()).expect("the goal is a vector");
        let d_goal = shape.last().copied().unwrap_or(1);
        let (embedder, d_output, zero) = match self {
            Self::FeedForward(c) => {
                let embedder = FfGoal {
                    ff1: Dense::plain(columns.len(), 2 * d_goal, device),
                    activation: Activation::LeakyRelu.init(device),
                    ff2: Dense::plain(2 * d_goal, c.d_output, device),
                    goal_norm: Affine::new(c.d_output, device),
                };
                (GoalEmbedder::FeedForward(embedder), c.d_output, c.zero_embedding)
            }
            Self::Token(c) => (GoalEmbedder::Token(c.embedder(device)), c.d_output, c.zero_embedding),
        };
        GoalEncoder { embedder, d_output, zero, columns: Columns::new([columns]) }
    }
}

impl TokenGoalConfig {
    fn embedder(&self, device: &Device) -> TokenGoal {
        let tokens = self.max_token.abs_diff(self.min_token) as usize + 1;
        let weight = Tensor::random([tokens, self.d_embedding], Distribution::Normal(0.0, 1.0), device);
        TokenGoal {
            goal_emb: Embedding { weight: Param::from_tensor(weight) },
            goal_rnn: Rnn::new(self.d_embedding, self.d_hidden, device),
            goal_ff: Dense::plain(self.d_hidden, self.d_output, device),
            goal_norm: Affine::new(self.d_output, device),
            min_token: self.min_token,
        }
    }
}

/// Turns the goal in an observation into a vector.
#[derive(Module, Debug)]
pub struct GoalEncoder {
    embedder: GoalEmbedder,
    d_output: usize,
    zero: bool,
    #[module(skip)]
    columns: Columns,
}

// There is one per agent: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
enum GoalEmbedder {
    FeedForward(FfGoal),
    Token(TokenGoal),
}

#[derive(Module, Debug)]
struct FfGoal {
    ff1: Dense,
    activation: ActivationLayer,
    ff2: Dense,
    goal_norm: Affine,
}

#[derive(Module, Debug)]
struct TokenGoal {
    goal_emb: Embedding,
    goal_rnn: Rnn,
    goal_ff: Dense,
    goal_norm: Affine,
    #[module(skip)]
    min_token: i32,
}

/// One row per token, `[tokens, d]`.
#[derive(Module, Debug)]
struct Embedding {
    weight: Param<Tensor<2>>,
}

impl GoalEncoder {
    /// Output width.
    pub fn d_output(&self) -> usize {
        self.d_output
    }

    /// The goals of all timesteps, encoded.
    ///
    /// # Shapes
    /// - output: `[B, L, d_output]`
    pub fn forward(&self, obs: &ObsTensors) -> Tensor<3> {
        let goal = Tensor::cat(self.columns.of(obs), 2);
        let [b, l, _] = goal.dims();
        if self.zero {
            return Tensor::zeros([b, l, self.d_output], &goal.device());
        }
        match &self.embedder {
            GoalEmbedder::FeedForward(m) => {
                m.goal_norm.layer_norm(m.ff2.forward(m.ff1.activated(goal, &m.activation)))
            }
            GoalEmbedder::Token(m) => m.forward(goal),
        }
    }
}

impl TokenGoal {
    /// `[B, L, T] → [B, L, d_output]`.
    fn forward(&self, goal: Tensor<3>) -> Tensor<3> {
        let [b, l, t] = goal.dims();
        let last = self.goal_emb.weight.dims()[0] - 1;
        let tokens = (goal - f64::from(self.min_token)).clamp(0.0, last as f64).int();
        let embedded = module::embedding(self.goal_emb.weight.val(), tokens.reshape([b * l, t]));
        let state = self.goal_rnn.forward(embedded);
        self.goal_norm.layer_norm(self.goal_ff.forward(state)).reshape([b as i32, l as i32, -1])
    }
}

/// A recurrent layer `h ← tanh(W_ih x + b_ih + W_hh h + b_hh)`.
#[derive(Module, Debug)]
struct Rnn {
    /// `[d_hidden, d_input]`.
    weight_ih_l0: Param<Tensor<2>>,
    /// `[d_hidden, d_hidden]`.
    weight_hh_l0: Param<Tensor<2>>,
    /// `[d_hidden]`.
    bias_ih_l0: Param<Tensor<1>>,
    /// `[d_hidden]`.
    bias_hh_l0: Param<Tensor<1>>,
}

impl Rnn {
    /// All weights uniform in `±1/√d_hidden`.
    fn new(d_input: usize, d_hidden: usize, device: &Device) -> Self {
        let bound = 1.0 / (d_hidden as f64).sqrt();
        let uniform = Distribution::Uniform(-bound, bound);
        let matrix = |columns| Param::from_tensor(Tensor::random([d_hidden, columns], uniform, device));
        let vector = || Param::from_tensor(Tensor::random([d_hidden], uniform, device));
        Self {
            weight_ih_l0: matrix(d_input),
            weight_hh_l0: matrix(d_hidden),
            bias_ih_l0: vector(),
            bias_hh_l0: vector(),
        }
    }

    /// The last state of sequences, from zeros: `[N, T, d_input] → [N, d_hidden]`.
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let [n, t, _] = x.dims();
        let d = self.bias_hh_l0.dims()[0];
        let bias = self.bias_ih_l0.val() + self.bias_hh_l0.val();
        let x = module::linear(x, self.weight_ih_l0.val().transpose(), Some(bias));
        let recurrent = self.weight_hh_l0.val().transpose();
        (0..t).fold(Tensor::zeros([n, d], &x.device()), |h, i| {
            let input = x.clone().narrow(1, i, 1).reshape([n, d]);
            (input + h.matmul(recurrent.clone())).tanh()
        })
    }
}
