//! The example of an encoder of one's own: it agrees with itself, and a run trains and stores it.

// `main` is not called from here.
#[allow(dead_code)]
#[path = "../examples/own_encoder.rs"]
mod example;

use amago_seqmodel::TrajEncoder;
use amago_trainer::{Checkpoint, Plan, RunDir};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};
use example::{Integrators, plan, train};

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

/// Every parameter on its own.
fn weights<M: Module>(module: &M) -> Vec<Vec<f32>> {
    struct All(Vec<Vec<f32>>);
    impl ModuleVisitor for All {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(values(&param.val()));
        }
    }
    let mut all = All(Vec::new());
    module.visit(&mut all);
    all.0
}

#[test]
fn its_steps_equal_the_whole() {
    let device = Device::default();
    let encoder = TrajEncoder::new(Integrators::new(3, &device));
    let x = Tensor::<3>::random([2, 9, 3], Distribution::Normal(0.0, 1.0), &device);
    let times = Tensor::<2, Int>::zeros([2, 9], &device);
    let whole = values(&encoder.forward_seq(x.clone(), times.clone()));
    let mut state = encoder.rollout_state(2, 4, &device);
    let steps = (0..9).map(|t| {
        let (x, times) = (x.clone().narrow(1, t, 1), times.clone().narrow(1, t, 1));
        encoder.forward_step(x, times, &mut state)
    });
    let steps = values(&Tensor::cat(steps.collect::<Vec<_>>(), 1));
    let worst = whole.iter().zip(&steps).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "off by {worst}");
}

#[test]
fn a_run_trains_it_and_a_checkpoint_holds_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("run");
    let short = ["train.epochs=2", "train.batches_per_epoch=3", "optim.warmup=1"].map(str::to_owned);
    let plan = plan(&short).expect("a legal plan");
    let device = Device::default();
    let outcome = train(plan.clone(), &folder, &device).expect("a whole run");
    assert_eq!(outcome.meta.updates, 6);
    assert!(outcome.eval.is_some());

    let (run, config) = RunDir::open(&folder).expect("a run folder");
    assert_eq!(config, plan.config);
    let (newest, _) = Checkpoint::newest(&run.checkpoints()).expect("a checkpoint");
    // The same fresh weights as the run began with, but for those that are drawn.
    let fresh = plan.agent(&device);
    let trained = newest.load_agent(fresh.clone()).expect("the same shape");
    let (before, after) = (weights(&fresh.traj_encoder), weights(&trained.traj_encoder));
    // Weight and bias of the input, decays, scale and shift of the norm.
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [32 * 32, 32, 32, 32, 32]);
    for (i, (before, after)) in before.iter().zip(&after).enumerate().skip(2) {
        assert!(before != after, "parameter {i} was not trained");
        assert!(after.iter().all(|x| x.is_finite()), "parameter {i}");
    }

    let error = Plan::new(config).map(|_| ()).expect_err("a program without the encoder").to_string();
    assert!(error.contains("integrators") && error.contains("agent.traj_encoder.kind"), "{error}");
}
