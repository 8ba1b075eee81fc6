//! The agents: policy, critics, losses, targets and one update.
//!
//! There is one algorithm. AMAGO (arXiv 2310.09971) is it with regression critics and PopArt;
//! AMAGO-2 (arXiv 2411.11188) is it with classification critics and other coefficients: see
//! [`AgentConfig::amago`] and [`AgentConfig::amago2`].
//!
//! Losses are pure: tensors and random draws in, loss and report out. This crate does no I/O and
//! knows no thread, clock or log.
//!
//! Shapes: `B` batch, `L` timesteps with an action, `G` discounts, `C` critics, `K` sampled
//! actions, `A` entries of an action vector, `D` state width. Values are `[C, K, B, L, G]`: the
//! ensemble comes first because its matrix products are batched over it.
//!
//! ```
//! use amago_agent::{Agent, AgentConfig, Learner, ObsSpec, OptimConfig, RandomDraws, TrainBatch};
//! use amago_env::Space;
//! use amago_seqmodel::{FfTstepConfig, ObsKind, ObsLayout, TrajEncoderConfig, TstepEncoderConfig};
//! use burn::tensor::{Device, Int, Tensor};
//!
//! let device = Device::flex().autodiff();
//! let mut config = AgentConfig::amago();
//! let tstep = FfTstepConfig { d_hidden: 8, d_output: 8, ..FfTstepConfig::default() };
//! config.tstep_encoder = TstepEncoderConfig::FeedForward(tstep);
//! config.traj_encoder = TrajEncoderConfig::Identity {};
//! (config.actor.d_hidden, config.critic.d_hidden) = (8, 8);
//!
//! // Observations of three numbers, two actions.
//! let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![3]))]);
//! let spec = ObsSpec { obs, action: Space::Discrete { n: 2 } };
//! let mut learner =
//!     Learner::new(Agent::new(&config, &spec, &device), config, OptimConfig::default());
//!
//! // One sequence of four transitions between five observations.
//! let times = Tensor::<1, Int>::arange(0..5, &device).unsqueeze::<2>();
//! let batch = TrainBatch {
//!     obs: Tensor::<3>::ones([1, 5, 3], &device).into(),
//!     rl2s: Tensor::zeros([1, 5, 3], &device),
//!     times,
//!     rewards: Tensor::ones([1, 4], &device),
//!     terminals: Tensor::zeros([1, 4], &device),
//!     actions: Tensor::from_floats([[[1.0, 0.0]; 4]], &device),
//!     legal: None,
//!     mask: Tensor::ones([1, 5], &device),
//! };
//! let report = learner.update(&batch, &mut RandomDraws);
//! assert!(report.loss.is_finite() && learner.updates == 1);
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod actor;
mod adamw;
mod agent;
mod batch;
mod bins;
mod clip;
mod config;
mod critic;
mod draws;
mod encoded;
mod ensemble;
mod executor;
mod filter;
mod gammas;
mod inspect;
mod last_batch;
mod learner;
mod loss;
mod mask;
mod policy;
mod popart;
mod report;
mod state_dict;
mod target;
mod td;
mod terms;

pub use actor::{Actor, ActorConfig, ActorKind};
pub use adamw::OptimConfig;
pub use agent::{Agent, ObsSpec};
pub use batch::{StepInput, TrainBatch};
pub use bins::{BinConfig, Bins, Labels};
pub use clip::{clip_gradients, gradient_norm};
pub use config::{AgentConfig, ConfigError};
pub use critic::{Critic, CriticConfig, CriticKind, Evaluation};
pub use draws::{Draws, Noise, NoiseSource, Purpose, RandomDraws};
pub use filter::Filter;
pub use gammas::{MULTI_GAMMAS, gamma_features};
pub use inspect::{ValueReport, Values, inspect};
pub use last_batch::BatchReport;
pub use learner::{Learner, warmup};
pub use loss::{Loss, loss};
pub use mask::{LossMask, PaddingMask};
pub use policy::{
    Bernoulli, Beta, BetaConfig, Categorical, CategoricalConfig, Gmm, GmmConfig, Policy, PolicyConfig,
    PolicyError, PolicyHead, StdActivation, TanhGaussian, TanhGaussianConfig,
};
pub use popart::PopArt;
pub use report::{GradNorms, LossReport, LossTensors, UpdateReport};
pub use state_dict::{Misfit, StateEntry, load_state, state_entries};
pub use target::{copy_into, soft_update};
pub use td::{Transitions, n_step_targets, reduce_critics};
pub use terms::{ActorTerms, CriticTerms, LossTerms, loss_terms};
