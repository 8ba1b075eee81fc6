//! One absurd observation in a run: it costs its own timestep, and is told of.

mod support;

use amago_agent::Agent;
use amago_seqmodel::TstepEncoder;
use amago_trainer::{Checkpoint, Plan};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use support::glitch::{EPISODE, glitch};
use support::{Recorder, device, lines, tiny, train};

/// Buffers of the input statistics.
#[derive(Default)]
struct Statistics(Vec<Vec<f32>>);

impl ModuleVisitor for Statistics {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            self.0.push(param.val().into_data().iter::<f32>().collect());
        }
    }
}

/// Trains, and gives the last greedy return, the standard deviation of the sign, and the warnings.
fn trained(value: Option<f32>) -> (f64, f32, Vec<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    let plan: Plan = glitch(
        tiny(&[
            "train.epochs=6",
            "train.timesteps_per_epoch=100",
            "train.batches_per_epoch=60",
            "train.batch_size=8",
            "train.max_seq_len=10",
            "optim.learning_rate=3e-3",
            "optim.warmup=10",
            "agent.gamma=0.5",
            "eval.episodes=20",
            "eval.interval=6",
        ]),
        value,
    );
    let mut seen = Recorder::default();
    let outcome = train(&plan, &run, &mut seen).expect("it trains");
    let (checkpoint, _) = Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint");
    let fresh = Agent::new(&plan.config.agent, &plan.spec, &device().autodiff());
    let agent = checkpoint.load_agent(fresh).expect("it fits");
    let TstepEncoder::FeedForward(encoder) = &agent.tstep_encoder else { panic!("vectors") };
    let mut found = Statistics::default();
    encoder.visit(&mut found);
    let [mu, nu, _] = &found.0[..] else { panic!("mean, mean square, count: {found:?}", found = found.0) };
    assert!(mu.iter().chain(nu).all(|x| x.is_finite()), "{value:?}: {mu:?} {nu:?}");
    assert!(lines(&run).last().expect("a line")["skipped_updates"] == 0, "no update is lost");
    // Keys are sorted: the clock is first.
    ((outcome.eval.expect("an evaluation").return_mean), (nu[1] - mu[1] * mu[1]).sqrt(), seen.warnings)
}

#[test]
fn one_absurd_observation_does_not_switch_its_input_off() {
    let (clean, sigma, warnings) = trained(None);
    assert!(clean > 0.9 * EPISODE as f64 && (sigma - 1.04).abs() < 0.1, "{clean} {sigma}");
    assert!(warnings.is_empty(), "{warnings:?}");
    for value in [1e4, -1e20] {
        let (found, sigma, warnings) = trained(Some(value));
        assert!(found > 0.9 * EPISODE as f64, "{value}: {found}, without it {clean}");
        assert!((sigma - 1.04).abs() < 0.1, "{value}: {sigma}");
        let [warning] = &warnings[..] else { panic!("{value}: {warnings:?}") };
        assert!(warning.contains("observation \"sign\"") && warning.contains("leave them out"), "{warning}");
    }
}
