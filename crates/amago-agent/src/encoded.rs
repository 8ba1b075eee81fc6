//! The encoders' pass over a batch, kept whole or computed again on the way back.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

use crate::{Agent, TrainBatch};

/// State representations, and how their gradient reaches the encoders.
pub(crate) struct Encoded<'a> {
    agent: &'a Agent,
    batch: &'a TrainBatch,
    /// Where parts are computed again: the key of their draws, and the input of each, `[B, L+1, ·]`. The first
    /// part is the timestep encoder, whose input is the batch.
    kept: Option<(u64, Vec<Tensor<3>>)>,
    /// `[B, L+1, D]`.
    pub(crate) states: Tensor<3>,
}

impl<'a> Encoded<'a> {
    /// Encodes a batch. With checkpointing (Chen et al. 2016, arXiv 1604.06174) only what lies between the parts is
    /// kept for the way back, not what is inside of them.
    pub(crate) fn new(agent: &'a Agent, batch: &'a TrainBatch, checkpointing: bool) -> Self {
        if !checkpointing {
            return Self { agent, batch, kept: None, states: agent.states(batch) };
        }
        let key = amago_ops::random_key(&batch.mask.device());
        // No graph now: it would keep what is to be saved.
        let (plain, inputs) = (agent.valid(), batch.clone().inner());
        let mut between = vec![part(&plain, &inputs, key, None)];
        for segment in 0..agent.traj_encoder.segments() {
            let x = between[segment].clone();
            between.push(part(&plain, &inputs, key, Some((segment, x))));
        }
        let states = between.pop().expect("the timestep encoder gave something");
        Self { agent, batch, kept: Some((key, between)), states: Tensor::from_inner(states).require_grad() }
    }

    /// Gradients of everything that a loss depends on.
    pub(crate) fn backward(self, loss: Tensor<1>) -> GradientsParams {
        let Self { agent, batch, kept, states } = self;
        let grads = loss.backward();
        let Some((key, between)) = kept else { return GradientsParams::from_grads(grads, agent) };
        let mut gradient = states.grad(&grads);
        let mut sum = GradientsAccumulator::new();
        sum.accumulate(agent, GradientsParams::from_grads(grads, agent));
        let parts = between.into_iter().enumerate().rev().map(Some).chain([None]);
        for input in parts {
            let Some(of_output) = gradient else { break };
            let input = input.map(|(segment, x)| (segment, Tensor::from_inner(x).require_grad()));
            let output = part(agent, batch, key, input.clone());
            // Burn begins a backward pass with a number. The sum of this product is one whose gradient by the
            // output is the wanted one.
            let grads = (output * Tensor::from_inner(of_output)).sum().backward();
            gradient = input.and_then(|(_, x)| x.grad(&grads));
            sum.accumulate(agent, GradientsParams::from_grads(grads, agent));
        }
        sum.grads()
    }
}

/// A segment of the trajectory encoder, or the timestep encoder; with the same draws whenever it is computed.
fn part(agent: &Agent, batch: &TrainBatch, key: u64, input: Option<(usize, Tensor<3>)>) -> Tensor<3> {
    // Every part has a key of its own, or it could not be computed again without those before it.
    let key = key.wrapping_add(input.as_ref().map_or(0, |(segment, _)| 1 + *segment as u64));
    amago_ops::repeatable(key, &batch.mask.device(), || match input {
        None => agent.tstep_encoder.forward(&batch.obs, batch.rl2s.clone()),
        Some((segment, x)) => agent.traj_encoder.forward_segment(segment, x, batch.times.clone()),
    })
}

#[cfg(test)]
mod tests {
    use amago_env::Space;
    use amago_seqmodel::{FeedForwardConfig, ObsKind, ObsLayout, TrajEncoderConfig};
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::{Device, Distribution, Int, Tolerance};

    use super::*;
    use crate::{AgentConfig, ObsSpec};

    /// Encoders that drop whatever they can.
    fn with_dropout() -> [AgentConfig; 2] {
        let (mut transformer, mut memory_free) = (AgentConfig::amago(), AgentConfig::amago());
        let TrajEncoderConfig::Transformer(t) = &mut transformer.traj_encoder else {
            panic!("a Transformer")
        };
        (t.d_model, t.n_heads, t.d_ff, t.n_layers) = (16, 2, 32, 2);
        (t.dropout_ff, t.dropout_emb, t.dropout_attn) = (0.5, 0.5, 0.5);
        let blocks =
            FeedForwardConfig { d_model: 16, n_layers: 2, dropout: 0.5, ..FeedForwardConfig::default() };
        memory_free.traj_encoder = TrajEncoderConfig::FeedForward(blocks);
        [transformer, memory_free]
    }

    fn agent(config: &AgentConfig, device: &Device) -> Agent {
        let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![3]))]);
        Agent::new(config, &ObsSpec { obs, action: Space::Discrete { n: 2 } }, device)
    }

    fn batch(device: &Device) -> TrainBatch {
        let normal = |shape: [usize; 3]| Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
        TrainBatch {
            obs: normal([2, 6, 3]).into(),
            rl2s: normal([2, 6, 3]),
            times: Tensor::<1, Int>::arange(0..6, device).unsqueeze::<2>().expand([2, 6]),
            rewards: Tensor::zeros([2, 5], device),
            terminals: Tensor::zeros([2, 5], device),
            actions: Tensor::zeros([2, 5, 2], device),
            legal: None,
            mask: Tensor::ones([2, 6], device),
        }
    }

    /// Every gradient of the encoders, one after the other.
    struct Collect<'a>(&'a GradientsParams, Vec<f32>);

    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1.extend(gradient.into_data().iter::<f32>());
            }
        }
    }

    fn gradients(agent: &Agent, found: &GradientsParams) -> Vec<f32> {
        let mut collect = Collect(found, Vec::new());
        agent.tstep_encoder.visit(&mut collect);
        agent.traj_encoder.visit(&mut collect);
        collect.1
    }

    #[test]
    fn what_is_computed_again_drops_the_same() {
        with_dropout().iter().for_each(check);
    }

    fn check(config: &AgentConfig) {
        let device = Device::flex().autodiff();
        let (agent, batch) = (agent(config, &device), batch(&device));
        let loss = |states: Tensor<3>| states.powi_scalar(2).sum();
        let encoded = Encoded::new(&agent, &batch, true);
        let (key, between) = encoded.kept.clone().expect("it is computed again");
        let states = encoded.states.clone();
        let found = gradients(&agent, &encoded.backward(loss(states.clone())));
        // The same draws, recorded as a whole.
        let whole = (0..between.len()).fold(part(&agent, &batch, key, None), |x, segment| {
            part(&agent, &batch, key, Some((segment, x)))
        });
        whole.clone().into_data().assert_approx_eq::<f32>(&states.into_data(), Tolerance::absolute(1e-5));
        let expected = gradients(&agent, &GradientsParams::from_grads(loss(whole).backward(), &agent));
        let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
        assert!(scale > 0.0 && found.len() == expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5 * scale));
    }
}
