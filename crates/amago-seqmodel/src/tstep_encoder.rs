//! The feed-forward timestep encoder.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::error::positive;
use crate::{Activation, InputNorm, Mlp, MlpConfig, ModelError, Norm, NormKind};

/// Settings of the [`TstepEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TstepEncoderConfig {
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
    /// Zero the previous reward and action, keeping the width.
    pub hide_rl2s: bool,
    /// Observation keys to use; all of them when absent.
    pub obs_keys: Option<Vec<String>>,
    /// Widen the hidden layers and the output to at least the input's width.
    pub auto_scale: bool,
}

impl Default for TstepEncoderConfig {
    fn default() -> Self {
        Self {
            n_layers: 2,
            d_hidden: 512,
            d_output: 256,
            activation: Activation::LeakyRelu,
            norm: NormKind::None,
            out_norm: NormKind::Layer,
            normalize_inputs: true,
            hide_rl2s: false,
            obs_keys: None,
            auto_scale: false,
        }
    }
}

/// Observation and previous reward and action → normalised → MLP → norm.
#[derive(Module, Debug)]
pub struct TstepEncoder {
    in_norm: InputNorm,
    base: Mlp,
    out_norm: Norm,
    d_output: usize,
    normalize_inputs: bool,
    hide_rl2s: bool,
    /// Columns of the joined observation that are used; empty for all.
    #[module(skip)]
    columns: Vec<std::ops::Range<usize>>,
}

impl TstepEncoderConfig {
    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting that is zero or does not fit its norm.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[("n_layers", self.n_layers), ("d_hidden", self.d_hidden), ("d_output", self.d_output)])?;
        self.norm.validate(self.d_hidden)?;
        self.out_norm.validate(self.d_output)
    }

    /// Refuses observation keys that the environment does not have.
    ///
    /// # Errors
    /// Names the key and the known ones.
    pub fn validate_keys(&self, obs: &[(String, usize)]) -> Result<(), ModelError> {
        let known = |key: &String| obs.iter().any(|(k, _)| k == key);
        match self.obs_keys.iter().flatten().find(|key| !known(key)) {
            Some(key) => Err(ModelError::ObsKey {
                key: key.clone(),
                known: obs.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>().join(", "),
            }),
            None => Ok(()),
        }
    }

    /// Builds the encoder for observation keys with their widths, in column order, and `d_rl2`
    /// features of previous reward and action.
    pub fn init(&self, obs: &[(String, usize)], d_rl2: usize, device: &Device) -> TstepEncoder {
        let columns = self.columns(obs);
        let d_input = columns.iter().map(ExactSizeIterator::len).sum::<usize>() + d_rl2;
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
        TstepEncoder {
            in_norm: InputNorm::new(d_input, device),
            base: mlp.init(device),
            out_norm: self.out_norm.init(mlp.d_output, device),
            d_output: mlp.d_output,
            normalize_inputs: self.normalize_inputs,
            hide_rl2s: self.hide_rl2s,
            columns,
        }
    }

    /// Column ranges of the keys in use.
    fn columns(&self, obs: &[(String, usize)]) -> Vec<std::ops::Range<usize>> {
        let mut start = 0;
        let all = obs.iter().map(|(key, width)| {
            start += width;
            (key, start - width..start)
        });
        let used = |key: &String| self.obs_keys.as_ref().is_none_or(|keys| keys.contains(key));
        all.filter(|(key, _)| used(key)).map(|(_, range)| range).collect()
    }
}

impl TstepEncoder {
    /// Output width.
    pub fn d_output(&self) -> usize {
        self.d_output
    }

    /// Moves the input statistics towards a training batch; `mask` is `[B, L, 1]`, one where a
    /// timestep is real. Called before the forward pass of an update.
    pub fn begin_update(&mut self, obs: Tensor<3>, rl2s: Tensor<3>, mask: Tensor<3>) {
        let x = self.join(obs, rl2s);
        self.in_norm.update(x, mask);
    }

    /// `obs` is `[B, L, d_obs]` (all keys in order, flattened), `rl2s` is `[B, L, 1+A]`; gives
    /// `[B, L, d_output]`.
    pub fn forward(&self, obs: Tensor<3>, rl2s: Tensor<3>) -> Tensor<3> {
        let x = self.join(obs, rl2s);
        let x = if self.normalize_inputs { self.in_norm.forward(x) } else { x };
        self.out_norm.forward(self.base.forward(x))
    }

    fn join(&self, obs: Tensor<3>, rl2s: Tensor<3>) -> Tensor<3> {
        let [batch, len, _] = obs.dims();
        let rl2s = if self.hide_rl2s { rl2s.zeros_like() } else { rl2s };
        let used = self.columns.iter().map(|c| obs.clone().slice([0..batch, 0..len, c.clone()]));
        Tensor::cat(used.chain([rl2s]).collect(), 2)
    }
}
