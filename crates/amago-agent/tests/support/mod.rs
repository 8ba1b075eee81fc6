//! A small agent, a batch and draws that are always the same.
#![allow(dead_code)] // each test program uses some

use amago_agent::{Agent, AgentConfig, Draws, Noise, NoiseSource, ObsSpec, Policy, Purpose, TrainBatch};
use amago_env::Space;
use amago_seqmodel::{
    FfTstepConfig, ObsKind, ObsLayout, TrajEncoderConfig, TransformerConfig, TstepEncoderConfig,
};
use burn::tensor::{Device, Distribution, Int, Tensor};

/// Width of an observation.
pub const OBS: usize = 3;

pub fn small(mut config: AgentConfig) -> AgentConfig {
    let tstep = FfTstepConfig { d_hidden: 8, d_output: 8, ..FfTstepConfig::default() };
    config.tstep_encoder = TstepEncoderConfig::FeedForward(tstep);
    let transformer =
        TransformerConfig { d_model: 8, n_heads: 2, d_ff: 16, n_layers: 1, ..TransformerConfig::default() };
    config.traj_encoder = TrajEncoderConfig::Transformer(transformer);
    config.actor.d_hidden = 8;
    config.critic.d_hidden = 8;
    config.multi_gammas = vec![0.5];
    config
}

pub fn agent_in(config: &AgentConfig, action: Space, device: &Device) -> Agent {
    let obs = ObsLayout(vec![("observation".into(), ObsKind::Vector(vec![OBS]))]);
    Agent::new(config, &ObsSpec { obs, action }, device)
}

/// Random observations and a reward of one at each step, around actions `[B, L, A]`; nothing is padding.
pub fn batch_of(actions: Tensor<3>, device: &Device) -> TrainBatch {
    let [b, l, width] = actions.dims();
    let normal = |width| Tensor::<3>::random([b, l + 1, width], Distribution::Normal(0.0, 1.0), device);
    TrainBatch {
        obs: normal(OBS).into(),
        rl2s: normal(1 + width),
        times: Tensor::<1, Int>::arange(0..(l + 1) as i64, device).unsqueeze::<2>().expand([b, l + 1]),
        rewards: Tensor::ones([b, l], device),
        terminals: Tensor::zeros([b, l], device),
        actions,
        legal: None,
        mask: Tensor::ones([b, l + 1], device),
    }
}

/// Always the first critic, and the same noise everywhere.
pub struct FirstOnly;

impl NoiseSource for FirstOnly {
    fn noise(&mut self, _: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        Tensor::full(shape, 0.3, device)
    }
}

impl Draws for FirstOnly {
    fn critic_subset(&mut self, _: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        Tensor::zeros(shape, device)
    }

    fn actions(&mut self, policy: &Policy, k: usize, purpose: Purpose) -> Tensor<5> {
        if purpose == Purpose::Online { policy.rsample(k, self) } else { policy.sample(k, self) }
    }

    fn image_shifts(&mut self, shape: [usize; 3], _: usize, device: &Device) -> Tensor<3, Int> {
        Tensor::zeros(shape, device)
    }
}
