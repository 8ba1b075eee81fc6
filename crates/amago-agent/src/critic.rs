//! The critic ensemble, regression or classification.

use amago_env::Space;
use amago_ops::ClassifierHead;
use amago_seqmodel::Activation;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::ensemble::{EnsembleMlp, EnsembleShape};
use crate::{BinConfig, Bins, gamma_features};

/// What a critic predicts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CriticKind {
    /// One number: for every option at once where actions are one discrete choice, else for an action
    /// given as input (AMAGO).
    #[default]
    Regression,
    /// A distribution over bins, for an action given as input (AMAGO-2).
    Classification,
}

/// Settings of the critics.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CriticConfig {
    /// Regression or classification.
    pub kind: CriticKind,
    /// Hidden layers.
    pub n_layers: usize,
    /// Width of the hidden layers.
    pub d_hidden: usize,
    /// Nonlinearity.
    pub activation: Activation,
    /// Dropout after each nonlinearity. The CPU's fused kernels have none: with dropout an update takes longer.
    pub dropout: f64,
    /// Bins of the classification critic.
    pub bins: BinConfig,
}

impl Default for CriticConfig {
    fn default() -> Self {
        Self {
            kind: CriticKind::Regression,
            n_layers: 2,
            d_hidden: 256,
            activation: Activation::LeakyRelu,
            dropout: 0.0,
            bins: BinConfig::default(),
        }
    }
}

/// `C` critics for every discount.
#[derive(Module, Debug)]
pub struct Critic {
    net: EnsembleMlp,
    n_critics: usize,
    /// The outputs are the values of every option; else the action is an input.
    per_option: bool,
    #[module(skip)]
    features: Vec<f32>,
    #[module(skip)]
    bins: Option<Bins>,
}

/// What a critic says about actions.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Values, `[C, K, B, L, G]`. Network scale (before PopArt) for regression, return scale for
    /// classification.
    pub values: Tensor<5>,
    /// Bin logits, `[C, K, B, L·G, bins]`, of a classification critic.
    pub logits: Option<Tensor<5>>,
}

impl CriticConfig {
    /// Builds `n` critics for states of width `d_state`.
    pub fn init(&self, n: usize, d_state: usize, gammas: &[f32], action: &Space, device: &Device) -> Critic {
        let bins = (self.kind == CriticKind::Classification).then(|| Bins::new(&self.bins));
        // All options at once make the expected value over a policy exact and cheap; a distribution per
        // option would need as many bins for each.
        let per_option = bins.is_none() && matches!(action, Space::Discrete { .. });
        let (d_input, d_output) = match &bins {
            None if per_option => (d_state, gammas.len() * action.width()),
            bins => (d_state + 1 + action.width(), bins.as_ref().map_or(1, Bins::count)),
        };
        let shape = EnsembleShape {
            n,
            d_input,
            d_hidden: self.d_hidden,
            d_output,
            n_layers: self.n_layers,
            activation: self.activation,
            dropout: self.dropout,
        };
        let net = EnsembleMlp::new(shape, device);
        let net = match bins.as_ref().zip(self.bins.init_value) {
            Some((bins, value)) => net.with_output_bias(&bins.logits_around(value)),
            None => net,
        };
        Critic { net, n_critics: n, per_option, features: gamma_features(gammas), bins }
    }
}

impl Critic {
    /// Number of critics.
    pub fn n_critics(&self) -> usize {
        self.n_critics
    }

    /// The bins, of a classification critic.
    pub fn bins(&self) -> Option<&Bins> {
        self.bins.as_ref()
    }

    /// Whether values are linear in the action vector, so that the value of a policy's probabilities
    /// is its exact expected value.
    pub fn is_linear(&self) -> bool {
        self.per_option
    }

    /// Evaluates action vectors.
    ///
    /// # Shapes
    /// - state: `[B, L, D]`
    /// - actions: `[K, B, L, G, A]`
    /// - output: see [`Evaluation`]
    pub fn evaluate(&self, state: Tensor<3>, actions: Tensor<5>) -> Evaluation {
        let [b, l, d] = state.dims();
        let [k, .., g, a] = actions.dims();
        let c = self.n_critics;
        let state = state.reshape([b * l, d]);
        if self.per_option {
            // A value is the dot product with the action vector.
            let all = self.net.forward(state).reshape([c, 1, b * l * g, a]);
            let actions = actions.reshape([1, k, b * l * g, a]);
            let values = (all * actions).sum_dim(3).reshape([c, k, b, l, g]);
            return Evaluation { values, logits: None };
        }
        // The clamp removes the online loss's pull towards the borders.
        let actions = clamped(actions.reshape([k, b * l, g, a]));
        let head = self.head(state);
        let Some(bins) = &self.bins else {
            return Evaluation { values: head.values(actions).reshape([c, k, b, l, g]), logits: None };
        };
        let logits = head.logits(actions).unsqueeze_dim::<4>(1);
        let values = bins.decode(logits.clone()).reshape([c, k, b, l, g]);
        let logits = logits.reshape([c, k, b, l * g, bins.count()]);
        Evaluation { values, logits: Some(logits) }
    }

    /// Values, with a gradient to states and actions.
    ///
    /// # Shapes
    /// - state: `[B, L, D]`
    /// - actions: `[K, B, L, G, A]`
    /// - output: `[C, K, B, L, G]`
    pub fn values(&self, state: Tensor<3>, actions: Tensor<5>) -> Tensor<5> {
        self.evaluate(state, actions).values
    }

    /// Values without any gradient: a classification critic keeps no logits for them.
    ///
    /// # Shapes
    /// - state: `[B, L, D]`
    /// - actions: `[K, B, L, G, A]`
    /// - output: `[C, K, B, L, G]`
    pub fn expect(&self, state: Tensor<3>, actions: Tensor<5>) -> Tensor<5> {
        let Some(bins) = &self.bins else {
            // Without this the parameters alone would record the whole pass.
            return self.clone().no_grad().values(state.detach(), actions.detach());
        };
        let [b, l, d] = state.dims();
        let [k, .., g, a] = actions.dims();
        let actions = clamped(actions.reshape([k, b * l, g, a]));
        let expected = self.head(state.reshape([b * l, d])).expect(actions, bins.values());
        bins.to_return(expected).reshape([self.n_critics, k, b, l, g])
    }

    /// Cross-entropy of actions to the labels of the targets, and the values without gradient.
    ///
    /// # Shapes
    /// - state: `[B, L, D]`
    /// - actions: `[B, L, G, A]`
    /// - target: `[B, L, G]`
    /// - outputs: `[C, B, L, G]` each
    ///
    /// # Panics
    /// On a regression critic.
    pub fn classify(&self, state: Tensor<3>, actions: Tensor<4>, target: Tensor<3>) -> [Tensor<4>; 2] {
        let bins = self.bins.as_ref().expect("a classification critic");
        let [b, l, g, a] = actions.dims();
        let d = state.dims()[2];
        let labels = bins.encode(target.reshape([b * l * g, 1]));
        let actions = clamped(actions.reshape([b * l, g, a]));
        let found = self.head(state.reshape([b * l, d])).classify(actions, labels, bins.values());
        [found.loss, bins.to_return(found.value)].map(|x| x.reshape([self.n_critics, b, l, g]))
    }

    /// The network in states `[N, D]`, ready for actions.
    fn head(&self, state: Tensor<2>) -> ClassifierHead<impl Fn(Tensor<3>) -> Tensor<3>> {
        let features = Tensor::<1>::from_floats(self.features.as_slice(), &state.device());
        self.net.head(state, features)
    }
}

/// Clamped like continuous actions, where it removes the pull towards the borders.
fn clamped<const D: usize>(actions: Tensor<D>) -> Tensor<D> {
    actions.clamp(-0.999, 0.999)
}
