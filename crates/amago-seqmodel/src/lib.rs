//! The sequence model: timestep encoders, trajectory encoders and their rollout state.
//!
//! A timestep encoder turns `(observation, previous reward, previous action)` into a vector; a
//! trajectory encoder turns a sequence of those into one state representation per timestep. Both
//! run in two ways that agree: [`TrajEncoder::forward_seq`] over whole sequences for learning and
//! [`TrajEncoder::forward_step`] one step at a time with a [`RolloutState`] for acting.
//!
//! Nothing here knows rewards as such. Modules hold no mode: what a training step changes besides
//! the weights (running statistics, power iterations) is changed by explicit `&mut self` calls.
//!
//! ```
//! use amago_seqmodel::{TrajEncoder, TransformerConfig};
//! use burn::tensor::{Device, Distribution, Int, Tensor, Tolerance};
//!
//! let device = Device::flex();
//! let config =
//!     TransformerConfig { d_model: 8, n_heads: 2, d_ff: 16, n_layers: 1, ..TransformerConfig::default() };
//! let encoder = TrajEncoder::new(config.init(3, &device));
//! // Two rows of five encoded timesteps of width three.
//! let x = Tensor::<3>::random([2, 5, 3], Distribution::Normal(0.0, 1.0), &device);
//! let times = Tensor::<1, Int>::arange(0..5, &device).unsqueeze::<2>().expand([2, 5]);
//! let states = encoder.forward_seq(x.clone(), times.clone());
//! assert_eq!(states.dims(), [2, 5, 8]);
//!
//! // The same step by step.
//! let mut memory = encoder.rollout_state(2, 5, &device);
//! for t in 0..5 {
//!     let (x, times) = (x.clone().narrow(1, t, 1), times.clone().narrow(1, t, 1));
//!     let (state, whole) = (encoder.forward_step(x, times, &mut memory), states.clone().narrow(1, t, 1));
//!     state.into_data().assert_approx_eq::<f32>(&whole.into_data(), Tolerance::absolute(1e-4));
//! }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod activation;
mod attention;
mod buffer;
mod cnn;
mod cnn_tstep_encoder;
mod crop;
mod dense;
mod dropout;
mod encoder;
mod erased;
mod error;
mod feed_forward;
mod ff_tstep_encoder;
mod goal;
mod gru;
mod identity;
mod impala;
mod input_norm;
mod inputs;
mod kv_cache;
mod layer;
mod mamba;
mod mamba_block;
mod mlp;
mod norm;
mod observation;
mod position;
mod scan;
mod selective_scan;
mod symlog;
mod traj_config;
mod traj_encoder;
mod transformer;
mod transformer_config;
mod tstep_encoder;

pub use activation::{Activation, ActivationLayer};
pub use amago_ops::AttentionPattern;
pub use attention::{AttentionConfig, AttentionLayer};
pub use buffer::{buffer, set_buffer};
pub use cnn::{Cnn, CnnConfig, Conv, GridworldConfig, NatureConfig};
pub use cnn_tstep_encoder::{CnnTstepConfig, CnnTstepEncoder};
pub use crop::shift_images;
pub use dense::Dense;
pub use encoder::{EncoderState, Replay, SequenceEncoder};
pub use error::ModelError;
pub use feed_forward::{FeedForwardConfig, FeedForwardEncoder, ResidualBlock};
pub use ff_tstep_encoder::{FfTstepConfig, FfTstepEncoder};
pub use goal::{FfGoalConfig, GoalConfig, GoalEncoder, TokenGoalConfig};
pub use gru::{GruConfig, GruEncoder, GruState};
pub use identity::Identity;
pub use impala::{ImpalaBlock, ImpalaConfig};
pub use input_norm::{InputNorm, InputNormConfig, adaptive_rate};
pub use kv_cache::{KvCache, KvCacheShape};
pub use layer::{LayerConfig, TransformerLayer};
pub use mamba::{MambaConfig, MambaEncoder, MambaState};
pub use mlp::{Mlp, MlpConfig};
pub use norm::{Norm, NormKind};
pub use observation::{ObsKind, ObsLayout, ObsTensors};
pub use position::{PositionKind, PositionTable, ROPE_BASE, Rotation, sinusoid};
pub use scan::scan;
pub use symlog::{symexp, symlog};
pub use traj_config::TrajEncoderConfig;
pub use traj_encoder::{RolloutState, TrajEncoder};
pub use transformer::Transformer;
pub use transformer_config::TransformerConfig;
pub use tstep_encoder::{TstepEncoder, TstepEncoderConfig};
