//! The sequence model: timestep encoders, the causal Transformer and its rollout state.
//!
//! A timestep encoder turns `(observation, previous reward, previous action)` into a vector; a
//! trajectory encoder turns a sequence of those into one state representation per timestep. Both
//! run in two ways that agree: [`TrajEncoder::forward_seq`] over whole sequences for learning and
//! [`TrajEncoder::forward_step`] one step at a time with a [`RolloutState`] for acting.
//!
//! Nothing here knows rewards as such. Modules hold no mode: what a training step changes besides
//! the weights (running statistics, power iterations) is changed by explicit `&mut self` calls.
#![warn(missing_docs)]

mod activation;
mod attention;
mod buffer;
mod cnn;
mod cnn_tstep_encoder;
mod crop;
mod dense;
mod error;
mod feed_forward;
mod ff_tstep_encoder;
mod goal;
mod impala;
mod input_norm;
mod inputs;
mod kv_cache;
mod layer;
mod mlp;
mod norm;
mod observation;
mod position;
mod symlog;
mod traj_encoder;
mod transformer;
mod tstep_encoder;

pub use activation::Activation;
pub use attention::{AttentionConfig, AttentionLayer, causal_attention};
pub use buffer::{buffer, set_buffer};
pub use cnn::{Cnn, CnnConfig, Conv, GridworldConfig, NatureConfig};
pub use cnn_tstep_encoder::{CnnTstepConfig, CnnTstepEncoder};
pub use crop::shift_images;
pub use dense::Dense;
pub use error::ModelError;
pub use feed_forward::{FeedForwardConfig, FeedForwardEncoder, ResidualBlock};
pub use ff_tstep_encoder::{FfTstepConfig, FfTstepEncoder};
pub use goal::{FfGoalConfig, GoalConfig, GoalEncoder, TokenGoalConfig};
pub use impala::{ImpalaBlock, ImpalaConfig};
pub use input_norm::{InputNorm, adaptive_rate};
pub use kv_cache::{KvCache, KvCacheShape};
pub use layer::{LayerConfig, TransformerLayer};
pub use mlp::{Mlp, MlpConfig};
pub use norm::{Norm, NormKind};
pub use observation::{ObsKind, ObsLayout, ObsTensors};
pub use position::sinusoid;
pub use symlog::{symexp, symlog};
pub use traj_encoder::{RolloutState, TrajEncoder, TrajEncoderConfig};
pub use transformer::{Transformer, TransformerConfig};
pub use tstep_encoder::{TstepEncoder, TstepEncoderConfig};
