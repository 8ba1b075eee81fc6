//! The timestep encoder for images, with vectors and a goal beside them.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::crop::{PLACES, shift_images};
use crate::error::positive;
use crate::inputs::{Columns, Hide, Keys};
use crate::{
    Activation, ActivationLayer, Cnn, CnnConfig, Dense, GoalConfig, GoalEncoder, InputNorm, InputNormConfig,
    ModelError, Norm, NormKind, ObsLayout, ObsTensors, symlog,
};

/// Settings of the [`CnnTstepEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CnnTstepConfig {
    /// The network that reads images. Each image key has its own.
    pub cnn: CnnConfig,
    /// Images are `[C, H, W]`, not `[H, W, C]`.
    pub channels_first: bool,
    /// Features of each image.
    pub img_features: usize,
    /// Features of all vectors together.
    pub vector_features: usize,
    /// Features of the previous reward and action.
    pub rl2_features: usize,
    /// Output width.
    pub d_output: usize,
    /// Nonlinearity.
    pub activation: Activation,
    /// Norm of the output.
    pub out_norm: NormKind,
    /// Running normalisation of the vectors.
    pub normalize_inputs: bool,
    /// How its statistics move.
    pub input_norm: InputNormConfig,
    /// Zero the previous reward and action, keeping the width.
    pub hide_rl2s: bool,
    /// Zero the previous reward, keeping the width.
    pub hide_rewards: bool,
    /// Observation keys to use; all of them when absent.
    pub obs_keys: Option<Vec<String>>,
    /// How the key that holds the goal is read; like any other key when absent.
    pub goal: Option<GoalConfig>,
    /// Shift images at random while training.
    pub drqv2_aug: bool,
    /// Share of a batch's sequences whose images are shifted.
    pub aug_pct_of_batch: f64,
}

impl Default for CnnTstepConfig {
    fn default() -> Self {
        Self {
            cnn: CnnConfig::default(),
            channels_first: false,
            img_features: 256,
            vector_features: 64,
            rl2_features: 12,
            d_output: 256,
            activation: Activation::LeakyRelu,
            out_norm: NormKind::Layer,
            normalize_inputs: true,
            input_norm: InputNormConfig::default(),
            hide_rl2s: false,
            hide_rewards: false,
            obs_keys: None,
            goal: None,
            drqv2_aug: false,
            aug_pct_of_batch: 0.75,
        }
    }
}

/// `norm(merge(act([images, vectors, goal, rl2s])))`. Each image: bytes `/ 128 − 1` → its own CNN →
/// linear. Vectors: joined → normalised → linear. Goal: its own encoder. Previous reward and action:
/// symlog → linear. What is not there is left out; with one image and no vector or goal this is the
/// CNN encoder of the original.
#[derive(Module, Debug)]
pub struct CnnTstepEncoder {
    cnn: Vec<Cnn>,
    img_features: Vec<Dense>,
    vector_norm: Option<InputNorm>,
    vector_features: Option<Dense>,
    goal_emb: Option<GoalEncoder>,
    rl2_features: Dense,
    merge: Dense,
    out_norm: Norm,
    d_output: usize,
    channels_first: bool,
    /// Image keys, as many as networks.
    #[module(skip)]
    images: Vec<String>,
    #[module(skip)]
    columns: Columns,
    #[module(skip)]
    hide: Hide,
    activation: ActivationLayer,
    /// Share of sequences that training shifts.
    #[module(skip)]
    shifted: Option<f64>,
}

impl CnnTstepConfig {
    /// Refuses empty shapes and shares that shift nothing.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.cnn.validate()?;
        positive(&[
            ("img_features", self.img_features),
            ("vector_features", self.vector_features),
            ("rl2_features", self.rl2_features),
            ("d_output", self.d_output),
        ])?;
        self.out_norm.validate("out_norm", "d_output", self.d_output)?;
        self.input_norm.validate()?;
        self.goal.iter().try_for_each(GoalConfig::validate)?;
        let share = self.aug_pct_of_batch;
        if self.drqv2_aug && !(share > 0.0 && share <= 1.0) {
            return Err(ModelError::AugmentedShare(share.to_string()));
        }
        Ok(())
    }

    /// Refuses observation keys that the environment does not have, observations without images and
    /// images that are too small for the network.
    ///
    /// # Errors
    /// Names the setting, the key and what to set instead.
    pub fn validate_obs(&self, obs: &ObsLayout) -> Result<(), ModelError> {
        self.keys().validate(obs)?;
        let images = self.keys().images(obs);
        if images.is_empty() {
            return Err(ModelError::NoImage(obs.to_string()));
        }
        for (key, shape) in images {
            if self.cnn.output_shape(self.channels_height_width(shape)).is_none() {
                let (cnn, channels_first) = (self.cnn.name(), self.channels_first);
                return Err(ModelError::SmallImage { key, shape, cnn, channels_first });
            }
        }
        Ok(())
    }

    /// Builds the encoder for observations that [`validate_obs`](Self::validate_obs) accepts and `d_rl2`
    /// features of previous reward and action.
    ///
    /// # Panics
    /// When the observations do not fit.
    pub fn init(&self, obs: &ObsLayout, d_rl2: usize, device: &Device) -> CnnTstepEncoder {
        let (mut images, mut cnn, mut img_features) = (Vec::new(), Vec::new(), Vec::new());
        for (key, shape) in self.keys().images(obs) {
            let image = self.channels_height_width(shape);
            let output = self.cnn.output_shape(image).expect("the image is large enough");
            cnn.push(self.cnn.init(image[0], self.activation, device));
            img_features.push(Dense::plain(output.iter().product(), self.img_features, device));
            images.push(key);
        }
        let columns = self.keys().columns(obs);
        let width = columns.width();
        let vector_norm = (width > 0 && self.normalize_inputs).then(|| self.input_norm.init(width, device));
        let vector_features = (width > 0).then(|| Dense::plain(width, self.vector_features, device));
        let goal_emb = self.goal.as_ref().map(|goal| goal.init(obs, device));
        let d_merge = images.len() * self.img_features
            + vector_features.as_ref().map_or(0, |_| self.vector_features)
            + goal_emb.as_ref().map_or(0, GoalEncoder::d_output)
            + self.rl2_features;
        CnnTstepEncoder {
            cnn,
            img_features,
            vector_norm,
            vector_features,
            goal_emb,
            rl2_features: Dense::plain(d_rl2, self.rl2_features, device),
            merge: Dense::plain(d_merge, self.d_output, device),
            out_norm: self.out_norm.init(self.d_output, device),
            d_output: self.d_output,
            channels_first: self.channels_first,
            images,
            columns,
            hide: Hide { rl2s: self.hide_rl2s, rewards: self.hide_rewards },
            activation: self.activation.init(device),
            shifted: self.drqv2_aug.then_some(self.aug_pct_of_batch),
        }
    }

    fn keys(&self) -> Keys<'_> {
        Keys { chosen: self.obs_keys.as_deref(), goal: self.goal.as_ref() }
    }

    fn channels_height_width(&self, shape: [usize; 3]) -> [usize; 3] {
        if self.channels_first { shape } else { [shape[2], shape[0], shape[1]] }
    }
}

impl CnnTstepEncoder {
    /// Output width.
    pub fn d_output(&self) -> usize {
        self.d_output
    }

    /// Shifts the images of a training batch, if set to: every frame by itself, in all but the first
    /// `⌈B (1 − share)⌉` sequences, but always in the last one. `draw(shape, n)` gives whole numbers
    /// below `n`; it is asked once per image key, in the order of the keys.
    ///
    /// # Shapes
    /// - draws: `[B, L, 2]` for each key
    pub fn augment(
        &self,
        mut obs: ObsTensors,
        mut draw: impl FnMut([usize; 3], usize) -> Tensor<3, Int>,
    ) -> ObsTensors {
        let Some(share) = self.shifted else { return obs };
        for (_, image) in obs.images.iter_mut().filter(|(key, _)| self.images.contains(key)) {
            let [b, l, ..] = image.dims();
            let kept = ((b as f64 * (1.0 - share)).ceil() as usize).min(b - 1);
            let shifts = draw([b - kept, l, 2], PLACES);
            let shifted = shift_images(image.clone().narrow(0, kept, b - kept), shifts, self.channels_first);
            *image = match kept {
                0 => shifted,
                _ => Tensor::cat(vec![image.clone().narrow(0, 0, kept), shifted], 0),
            };
        }
        obs
    }

    /// Moves the statistics of the vectors towards a training batch. Gives the number of outliers in every
    /// column of the vectors (see [`InputNorm`]), where those are normalised.
    ///
    /// # Shapes
    /// - mask: `[B, L, 1]`, one where a timestep is real
    /// - output: a number for each column
    pub fn begin_update(&mut self, obs: &ObsTensors, mask: Tensor<3>) -> Option<Tensor<1>> {
        let norm = self.vector_norm.as_mut()?;
        let outliers = norm.update(Tensor::cat(self.columns.of(obs), 2), mask);
        self.columns.spread(outliers, obs)
    }

    /// Every timestep by itself.
    ///
    /// # Shapes
    /// - rl2s: `[B, L, 1+A]`
    /// - output: `[B, L, d_output]`
    ///
    /// # Panics
    /// When the observations lack a key.
    pub fn forward(&self, obs: &ObsTensors, rl2s: Tensor<3>) -> Tensor<3> {
        let mut parts = Vec::new();
        for ((key, cnn), features) in self.images.iter().zip(&self.cnn).zip(&self.img_features) {
            parts.push(features.forward(self.read(obs.images[key].clone(), cnn)));
        }
        if let Some(features) = &self.vector_features {
            let x = Tensor::cat(self.columns.of(obs), 2);
            let x = self.vector_norm.as_ref().map_or_else(|| x.clone(), |norm| norm.forward(x.clone()));
            parts.push(features.forward(x));
        }
        parts.extend(self.goal_emb.as_ref().map(|goal| goal.forward(obs)));
        parts.push(self.rl2_features.forward(symlog(self.hide.apply(rl2s))));
        let joined = self.activation.forward(Tensor::cat(parts, 2));
        self.out_norm.forward(self.merge.forward(joined))
    }

    /// Bytes `[B, L, …]` through a network, flattened as `(C, H, W)`.
    fn read(&self, image: Tensor<5, Int>, cnn: &Cnn) -> Tensor<3> {
        let [b, l, x, y, z] = image.dims();
        let image = image.float().reshape([b * l, x, y, z]) / 128.0 - 1.0;
        let image = if self.channels_first { image } else { image.permute([0, 3, 1, 2]) };
        let features = cnn.forward(image);
        let width = features.dims()[1..].iter().product();
        features.reshape([b, l, width])
    }
}
