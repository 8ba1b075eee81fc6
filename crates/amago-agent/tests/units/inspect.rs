//! Inspection against the loss' own report, and against values made by hand.

use amago_agent::{
    Agent, AgentConfig, CriticKind, Filter, LossReport, PopArt, TrainBatch, ValueReport, inspect,
};
use amago_env::Space;
use amago_golden::modules::{device, values};
use burn::tensor::{Device, Tensor};

use super::assert_close;
use super::learner::{ACTIONS, B, L, agents_in, batch, spaces};
use crate::support::{FirstOnly, agent_in, small};

/// Statistics that are not the identity.
fn moved(mut agent: Agent, config: &AgentConfig, device: &Device) -> Agent {
    let mut popart = PopArt::new(&AgentConfig { popart_beta: 0.3, ..config.clone() }, device);
    let targets = |x: f32| Tensor::full([B, L, config.gammas().len()], x, device);
    for x in [3.0, 8.0, 5.0] {
        popart.update(targets(x), Tensor::ones([B, L, 1], device));
    }
    agent.popart = popart;
    agent
}

/// The last transitions of the second sequence are padding.
fn padded(device: &Device) -> TrainBatch {
    let mut batch = batch(device);
    batch.mask = batch.mask.slice_fill([1..B, 3..L + 1], 0.0);
    batch
}

fn look(agent: &Agent, config: &AgentConfig, batch: &TrainBatch) -> (ValueReport, LossReport) {
    let report = inspect(agent, config, batch, &mut FirstOnly).expect("it has critics");
    (report, amago_agent::loss(agent, config, batch, &mut FirstOnly).report.read())
}

/// Mean over real timesteps and the last `n` discounts.
fn mean(x: &Tensor<3>, mask: &Tensor<3>, n: usize) -> f32 {
    let x = x.clone().narrow(2, x.dims()[2] - n, n);
    let sum = values(&(x * mask.clone()).sum())[0];
    sum / (values(&mask.clone().sum())[0] * n as f32)
}

#[test]
fn means_are_those_of_the_loss() {
    let device = device();
    let mut unfiltered = 0;
    for space in spaces() {
        for mut config in agents_in(&space) {
            config.filter = Filter::Binary { threshold: 0.001 };
            for fake_filter in [false, true] {
                config.fake_filter = fake_filter;
                if !config.uses_critic() {
                    continue;
                }
                let agent = moved(agent_in(&config, space.clone(), &device), &config, &device);
                let (found, loss) = look(&agent, &config, &padded(&device));
                let (got, mask) = (&found.values, &found.mask);
                let g = config.gammas().len();
                let pass = got.filter.clone().greater_elem(0.0).float();
                assert_close(&[mean(&pass, mask, g)], &[loss.filter_pass], 1e-5);
                assert_close(&[mean(&got.q, mask, 1)], &[loss.q_value], 1e-4);
                let spread = [&found.spread.q, &found.spread.advantage].map(|x| mean(x, mask, 1));
                assert_close(&spread, &[loss.q_std, loss.advantage_std], 1e-4);
                if fake_filter {
                    unfiltered += 1;
                    assert!(values(&got.filter).iter().all(|w| *w == 1.0));
                } else if config.critic.kind == CriticKind::Classification {
                    assert_close(&[mean(&got.advantage, mask, 1)], &[loss.advantage], 1e-4);
                }
                let difference = values(&(got.q.clone() - got.v.clone()));
                assert_close(&values(&got.advantage), &difference, 1e-6);
            }
        }
    }
    assert!(unfiltered > 0);
}

#[test]
fn an_agent_without_critics_has_no_values() {
    let config = small(AgentConfig { fake_filter: true, ..AgentConfig::amago2() });
    let agent = agent_in(&config, Space::Discrete { n: ACTIONS }, &device());
    assert!(!config.uses_critic());
    assert!(inspect(&agent, &config, &batch(&device()), &mut FirstOnly).is_none());
}

/// Two regression critics with a value per option: `Q` is the mean under the softened action, `V` that under
/// the policy's probabilities, and the deviation of two numbers is half of their distance.
#[test]
fn values_are_those_made_by_hand() {
    let device = device();
    let filter = Filter::Exponential { beta: 2.0, clamp_advantage: [-5.0, 5.0], clamp_weight: [1e-7, 9.0] };
    let config = AgentConfig { n_critics: 2, online_coeff: 0.0, filter, ..AgentConfig::amago() };
    let config = small(config);
    let agent = moved(agent_in(&config, Space::Discrete { n: ACTIONS }, &device), &config, &device);
    let batch = batch(&device);
    let (found, _) = look(&agent, &config, &batch);
    let g = config.gammas().len();
    let states = agent.states(&batch).narrow(1, 0, L);
    let probs = super::learner::probs(agent.policy(&agent.actor, states.clone(), None));
    let probs = values(&probs);
    let taken = batch.actions.clone().unsqueeze_dim::<4>(2).expand([B, L, g, ACTIONS]);
    let taken = values(&agent.head.for_critics(taken, None));
    // The value of every option, in the critics' and in return units, [option][critic][timestep].
    let options = |denormalise: bool| -> Vec<Vec<f32>> {
        let one = |option| {
            let hot = Tensor::<5>::zeros([1, B, L, g, ACTIONS], &device);
            let hot = hot.slice_fill([0..1, 0..B, 0..L, 0..g, option..option + 1], 1.0);
            let all = agent.critics.values(states.clone(), hot);
            values(&if denormalise { agent.popart.denormalized(all) } else { all })
        };
        (0..ACTIONS).map(one).collect()
    };
    let (raw, returns) = (options(false), options(true));
    let n = B * L * g;
    let half = |pair: [f32; 2]| (pair[0] - pair[1]).abs() / 2.0;
    let average = |pair: [f32; 2]| (pair[0] + pair[1]) / 2.0;
    let mut expected: [Vec<f32>; 8] = Default::default();
    for i in 0..n {
        let under = |weights: &[f32], of: &[Vec<f32>]| {
            [0, 1].map(|c| (0..ACTIONS).map(|o| weights[i * ACTIONS + o] * of[o][c * n + i]).sum::<f32>())
        };
        let q = |of: &[Vec<f32>]| under(&taken, of);
        let v = |of: &[Vec<f32>]| under(&probs, of);
        let advantage = |of: &[Vec<f32>]| [0, 1].map(|c| q(of)[c] - v(of)[c]);
        let weight = |a: f32| (2.0 * a.clamp(-5.0, 5.0)).exp().clamp(1e-7, 9.0);
        let row = [
            average(q(&returns)),
            average(v(&returns)),
            average(advantage(&returns)),
            weight(average(advantage(&raw))),
            half(q(&returns)),
            half(v(&returns)),
            half(advantage(&returns)),
            half(advantage(&raw).map(weight)),
        ];
        expected.iter_mut().zip(row).for_each(|(all, x)| all.push(x));
    }
    let of = |x: &amago_agent::Values| [&x.q, &x.v, &x.advantage, &x.filter].map(values);
    let got = of(&found.values).into_iter().chain(of(&found.spread));
    for (got, expected) in got.zip(&expected) {
        assert_close(&got, expected, 2e-4);
        assert!(expected.iter().any(|x| x.abs() > 1e-2), "{expected:?} says nothing");
    }
}
