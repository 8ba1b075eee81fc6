//! The feed-forward timestep encoder.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::error::positive;
use crate::inputs::{Columns, Hide, Keys};
use crate::{
    Activation, GoalConfig, GoalEncoder, InputNorm, InputNormConfig, Mlp, MlpConfig, ModelError, Norm,
    NormKind, ObsLayout, ObsTensors,
};

/// Settings of the [`FfTstepEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FfTstepConfig {
    /// Hidden layers.
    pub n_layers: usize,
    /// Width of the hidden layers.
    pub d_hidden: usize,
    /// Output width.
    pub d_output: usize,
    /// Nonlinearity.
    pub activation: Activation,
    /// Norm of the hidden layers.
    pub norm: NormKind,
    /// Norm of the output.
    pub out_norm: NormKind,
    /// Running normalisation of the inputs.
    pub normalize_inputs: bool,
    /// How its statistics move.
    pub input_norm: InputNormConfig,
    /// Zero the previous reward and action, keeping the width.
    pub hide_rl2s: bool,
    /// Zero the previous reward, keeping the width.
    pub hide_rewards: bool,
    /// Observation keys to use; all of them when absent.
    pub obs_keys: Option<Vec<String>>,
    /// Widen the hidden layers and the output to at least the input's width.
    pub auto_scale: bool,
    /// How the key that holds the goal is read; like any other key when absent.
    pub goal: Option<GoalConfig>,
}

impl Default for FfTstepConfig {
    fn default() -> Self {
        Self {
            n_layers: 2,
            d_hidden: 512,
            d_output: 256,
            activation: Activation::LeakyRelu,
            norm: NormKind::None,
            out_norm: NormKind::Layer,
            normalize_inputs: true,
            input_norm: InputNormConfig::default(),
            hide_rl2s: false,
            hide_rewards: false,
            obs_keys: None,
            auto_scale: false,
            goal: None,
        }
    }
}

/// Vectors and previous reward and action, normalised, with the encoded goal → MLP → norm.
#[derive(Module, Debug)]
pub struct FfTstepEncoder {
    in_norm: InputNorm,
    goal_emb: Option<GoalEncoder>,
    base: Mlp,
    out_norm: Norm,
    d_output: usize,
    normalize_inputs: bool,
    #[module(skip)]
    hide: Hide,
    #[module(skip)]
    columns: Columns,
}

impl FfTstepConfig {
    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting that is zero or does not fit its norm.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[("n_layers", self.n_layers), ("d_hidden", self.d_hidden), ("d_output", self.d_output)])?;
        for (name, norm, width, d) in [
            ("norm", self.norm, "d_hidden", self.d_hidden),
            ("out_norm", self.out_norm, "d_output", self.d_output),
        ] {
            norm.validate(name, width, d)?;
            if self.auto_scale && norm == NormKind::Simnorm {
                return Err(ModelError::AutoScale(name));
            }
        }
        self.input_norm.validate()?;
        self.goal.iter().try_for_each(GoalConfig::validate)
    }

    /// Refuses observation keys that the environment does not have, and images.
    ///
    /// # Errors
    /// Names the setting, the key and what to set instead.
    pub fn validate_obs(&self, obs: &ObsLayout) -> Result<(), ModelError> {
        self.keys().validate(obs)?;
        match self.keys().images(obs).into_iter().next() {
            Some((key, shape)) => Err(ModelError::UnreadImage { key, shape }),
            None => Ok(()),
        }
    }

    fn keys(&self) -> Keys<'_> {
        Keys { chosen: self.obs_keys.as_deref(), goal: self.goal.as_ref() }
    }

    /// Builds the encoder for observations that [`validate_obs`](Self::validate_obs) accepts and `d_rl2`
    /// features of previous reward and action.
    ///
    /// # Panics
    /// When the observations do not fit.
    pub fn init(&self, obs: &ObsLayout, d_rl2: usize, device: &Device) -> FfTstepEncoder {
        let columns = self.keys().columns(obs);
        let goal_emb = self.goal.as_ref().map(|goal| goal.init(obs, device));
        let d_norm = columns.width() + d_rl2;
        let d_input = d_norm + goal_emb.as_ref().map_or(0, GoalEncoder::d_output);
        let widen = |d: usize| if self.auto_scale { d.max(d_input) } else { d };
        let mlp = MlpConfig {
            d_input,
            d_hidden: widen(self.d_hidden),
            d_output: widen(self.d_output),
            n_layers: self.n_layers,
            activation: self.activation,
            norm: self.norm,
            dropout: 0.0,
        };
        FfTstepEncoder {
            in_norm: self.input_norm.init(d_norm, device),
            goal_emb,
            base: mlp.init(device),
            out_norm: self.out_norm.init(mlp.d_output, device),
            d_output: mlp.d_output,
            normalize_inputs: self.normalize_inputs,
            hide: Hide { rl2s: self.hide_rl2s, rewards: self.hide_rewards },
            columns,
        }
    }
}

impl FfTstepEncoder {
    /// Output width.
    pub fn d_output(&self) -> usize {
        self.d_output
    }

    /// Moves the input statistics towards a training batch. Gives the number of outliers in every column of the
    /// observation's vectors (see [`InputNorm`]), where those are normalised.
    ///
    /// # Shapes
    /// - rl2s: `[B, L, 1+A]`
    /// - mask: `[B, L, 1]`, one where a timestep is real
    /// - output: a number for each column
    pub fn begin_update(&mut self, obs: &ObsTensors, rl2s: Tensor<3>, mask: Tensor<3>) -> Option<Tensor<1>> {
        let trusted = rl2s.dims()[2];
        let x = self.join(obs, rl2s);
        let outliers = self.in_norm.update_trusting(x, mask, trusted);
        self.normalize_inputs.then(|| self.columns.spread(outliers, obs)).flatten()
    }

    /// Every timestep by itself.
    ///
    /// # Shapes
    /// - rl2s: `[B, L, 1+A]`
    /// - output: `[B, L, d_output]`
    pub fn forward(&self, obs: &ObsTensors, rl2s: Tensor<3>) -> Tensor<3> {
        let x = self.join(obs, rl2s);
        let x = if self.normalize_inputs { self.in_norm.forward(x) } else { x };
        let x = match &self.goal_emb {
            Some(goal) => Tensor::cat(vec![x, goal.forward(obs)], 2),
            None => x,
        };
        self.out_norm.forward(self.base.forward(x))
    }

    fn join(&self, obs: &ObsTensors, rl2s: Tensor<3>) -> Tensor<3> {
        let mut parts = self.columns.of(obs);
        parts.push(self.hide.apply(rl2s));
        Tensor::cat(parts, 2)
    }
}
