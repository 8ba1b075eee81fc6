//! Seeded updates on the CPU do not depend on the number of threads. A test program of its own: the draws come from
//! the one generator of the backend.

mod support;

use amago_agent::{Agent, AgentConfig, Learner, ObsSpec, OptimConfig, RandomDraws, TrainBatch};
use amago_env::Space;
use amago_golden::modules::weights;
use amago_seqmodel::{ObsKind, ObsLayout, TrajEncoderConfig};
use burn::tensor::{Device, Distribution, Int, Tensor};

const B: usize = 9;
const L: usize = 60;
const ACTIONS: usize = 4;

fn batch(device: &Device) -> TrainBatch {
    let normal = |width| Tensor::<3>::random([B, L + 1, width], Distribution::Normal(0.0, 1.0), device);
    let chosen = normal(ACTIONS).narrow(1, 0, L);
    TrainBatch {
        obs: normal(6).into(),
        rl2s: normal(1 + ACTIONS),
        times: Tensor::<1, Int>::arange(0..(L + 1) as i64, device).unsqueeze::<2>().expand([B, L + 1]),
        rewards: normal(1).narrow(1, 0, L).squeeze_dim(2),
        terminals: Tensor::zeros([B, L], device),
        actions: chosen.clone().equal(chosen.max_dim(2)).float(),
        legal: None,
        mask: Tensor::ones([B, L + 1], device),
    }
}

#[test]
fn seeded_updates_are_bit_equal_for_any_number_of_threads() {
    let device = Device::flex().autodiff();
    let presets = [AgentConfig::amago(), AgentConfig::amago2()];
    let ways = |preset: AgentConfig| [(preset.clone(), 0.0, 1), (preset.clone(), 0.1, 1), (preset, 0.1, 3)];
    for (mut config, dropout, micro_batches) in presets.into_iter().flat_map(ways) {
        if let TrajEncoderConfig::Transformer(t) = &mut config.traj_encoder {
            (t.d_model, t.n_heads, t.d_ff, t.n_layers) = (64, 4, 256, 1);
        }
        config.multi_gammas = vec![0.5];
        (config.actor.dropout, config.critic.dropout) = (dropout, dropout);
        device.seed(7);
        let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![6]))]);
        let spec = ObsSpec { obs, action: Space::Discrete { n: ACTIONS } };
        let (agent, batch) = (Agent::new(&config, &spec, &device), batch(&device));
        let after = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                device.seed(8);
                let optim = OptimConfig {
                    warmup: 0,
                    learning_rate: 1e-3,
                    micro_batches,
                    gradient_checkpointing: micro_batches > 1,
                    ..OptimConfig::default()
                };
                let mut learner = Learner::new(agent.clone(), config.clone(), optim);
                let mut found = Vec::new();
                for _ in 0..3 {
                    let report = learner.update(&batch, &mut RandomDraws);
                    assert!(report.loss.is_finite());
                    found.extend([report.loss, report.grad_norm]);
                }
                found.extend(weights(&learner.agent).concat());
                found
            })
        };
        let one = after(1);
        assert!(one == after(1), "a run repeats itself");
        assert!(one == after(2) && one == after(5), "other threads, other weights");
    }
}
