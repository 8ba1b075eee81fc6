//! Images from the environment to the policy: bytes all the way, and something is learned from them.

mod support;

use std::path::Path;
use std::sync::Arc;

use amago_agent::Agent;
use amago_env::conformance::{self, CheckOptions};
use amago_env::vector::VecEnv;
use amago_env::{Action, Column, Env, Observation, Role, rng};
use amago_replay::{Padding, Slice, Store, StoreConfig, TrajectoryBuilder, collate};
use amago_trainer::{Plan, PolicyDriver, obs_layout, train_batch};
use burn::module::Module;
use burn::tensor::DType;
use support::lamp::{EPISODE, IMAGE, Lamp};
use support::{Recorder, device, probabilities, tiny, train};

const CNN: &str = r#"agent.tstep_encoder={ kind = "cnn", cnn = { kind = "gridworld", channels = [8, 8, 8] },
    img_features = 16, vector_features = 8, rl2_features = 4, d_output = 32 }"#;

fn plan(mirror: bool, overrides: &[&str]) -> Plan {
    let overrides = [&[CNN][..], overrides].concat();
    Plan::with_env(tiny(&overrides), Arc::new(move || Ok(Box::new(Lamp::new(mirror))))).expect("a legal plan")
}

#[test]
fn the_task_keeps_the_contract() {
    for mirror in [false, true] {
        let make = move || -> Result<Box<dyn Env>, _> { Ok(Box::new(Lamp::new(mirror))) };
        let report = conformance::check(&make, &CheckOptions::default()).expect("a legal environment");
        assert!(report.varies_with_seed && report.finished == report.episodes);
    }
}

fn camera(obs: &Observation) -> Vec<u8> {
    let [Column::U8(camera), Column::F32(_)] = obs.columns() else { panic!("camera, then switch") };
    camera.clone()
}

/// Plays one episode of the mirrored lamp, and returns it with its images.
fn episode(seed: u64) -> (TrajectoryBuilder, Vec<Vec<u8>>) {
    let mut env = Lamp::new(true);
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut builder = TrajectoryBuilder::new(&env.spec().observation_space, &env.spec().action_space);
    env.reset(seed, &mut obs).expect("no faults");
    builder.start(&obs).expect("it fits");
    let mut seen = vec![camera(&obs)];
    for t in 0..EPISODE {
        let action = Action::Discrete(t % 2);
        let step = env.step(&action, &mut obs).expect("no faults");
        builder.push(&action, &step, &obs).expect("it fits");
        seen.push(camera(&obs));
    }
    (builder, seen)
}

#[test]
fn bytes_survive_builder_store_batch_and_tensor() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || Store::open(dir.path(), StoreConfig::default()).expect("a store");
    let (mut builder, seen) = episode(3);
    let store = open();
    let first = builder.finish();
    store.append(&first).expect("stored");
    drop(store);

    // One batch from disk, of the whole episode and of a part of it.
    let mut draws = rng(0, Role::Replay, 0, 0);
    let stored = open().sample_batch(1, EPISODE, Padding::None, &mut draws).expect("readable");
    assert_eq!(stored.obs[0], Column::U8(seen.concat()), "on disk and in the batch");
    let whole = Arc::new(first);
    let batch = collate(&[Slice::new(whole.clone(), 0, EPISODE), Slice::new(whole, 1, 3)]);

    let layout = obs_layout(&Lamp::new(true).spec().observation_space);
    let tensors = train_batch(batch, &layout, &device()).obs;
    let [(key, image)] = &tensors.images.iter().collect::<Vec<_>>()[..] else { panic!("one image") };
    assert_eq!(key.as_str(), "camera");
    assert_eq!(image.dims(), [2, EPISODE + 1, IMAGE[0], IMAGE[1], IMAGE[2]]);
    if device().supports_dtype(DType::U8) {
        assert_eq!(image.dtype(), DType::U8);
    }
    let dark = vec![0; 2 * seen[0].len()];
    let expected = [seen.concat(), seen[1..4].concat(), dark].concat();
    let got: Vec<u8> = image.to_data().iter::<u8>().collect();
    assert_eq!(got, expected, "padding is dark");
    assert_eq!(tensors.vectors.expect("the switch").dims(), [2, EPISODE + 1, 1]);
}

/// The policy sees the same at each step of a rollout as in a training batch of it.
#[test]
fn steps_equal_sequences() {
    for mirror in [false, true] {
        let plan = plan(mirror, &["agent.traj_encoder.n_layers=2"]);
        let agent = Agent::new(&plan.config.agent, &plan.spec, &device().autodiff()).valid();
        let mut envs = VecEnv::new(plan.make_envs(1).expect("envs"), 7, Role::TrainEnv).expect("an env");
        let mut driver = PolicyDriver::new(&agent, &envs, EPISODE + 1, &device());
        let mut builder = TrajectoryBuilder::new(&plan.observation_space, &plan.action_space);
        envs.reset_all().expect("no faults");
        builder.start(&envs.results()[0].obs).expect("it fits");
        let mut stepped = Vec::new();
        for t in 0..EPISODE {
            stepped.extend(probabilities(&driver.policy(&agent, envs.results())));
            let actions = [Action::Discrete(t % 2)];
            let result = &envs.step(&actions).expect("no faults")[0];
            let next = result.final_obs().unwrap_or(&result.obs);
            builder.push(&actions[0], &result.step, next).expect("it fits");
            driver.observe(&actions, envs.results());
        }
        let batch = collate(&[Slice::new(Arc::new(builder.finish()), 0, EPISODE)]);
        let batch = train_batch(batch, &plan.spec.obs, &device());
        let policy = agent.policy(&agent.actor, agent.states(&batch), None);
        let [_, l1, g, a] = policy.dims();
        let acting = probabilities(&policy.timesteps(0, l1 - 1).discount(g - 1));
        let apart = acting.iter().zip(&stepped).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(acting.len(), stepped.len());
        assert!(apart < 1e-5, "mirror {mirror}: {apart}");
        assert!(stepped.chunks_exact(a).any(|p| p[0] != stepped[0]), "every image gave the same");
    }
}

/// Mean return of the last evaluation of a short run. Chance is half of the steps.
fn learned(dir: &Path, mirror: bool, overrides: &[&str]) -> f64 {
    let settings = [
        "train.epochs=4",
        "train.parallel_actors=16",
        "train.timesteps_per_epoch=32",
        "train.batches_per_epoch=60",
        "train.batch_size=32",
        "optim.learning_rate=3e-3",
        "optim.warmup=10",
        "agent.gamma=0.1",
        "agent.tau=0.05",
        "agent.actor.d_hidden=32",
        "agent.critic.d_hidden=32",
        r#"agent.traj_encoder={ kind = "feed_forward", d_model = 32, d_ff = 32 }"#,
        "eval.episodes=64",
    ];
    let plan = plan(mirror, &[&settings[..], overrides].concat());
    let outcome = train(&plan, dir, &mut Recorder::default()).expect("a whole run");
    let mean = outcome.eval.expect("an evaluation").return_mean;
    println!("{}: {mean}", dir.display());
    mean
}

#[test]
fn something_is_learned_from_images() {
    let dir = tempfile::tempdir().expect("a folder");
    let best = EPISODE as f64;
    let mean = learned(&dir.path().join("cnn"), false, &[]);
    assert!(mean > 0.9 * best, "images alone: {mean} of {best}");
    let mean = learned(&dir.path().join("both"), true, &[]);
    assert!(mean > 0.9 * best, "images and vectors: {mean} of {best}");
    let mean = learned(&dir.path().join("blind"), true, &["agent.tstep_encoder.obs_keys=[\"camera\"]"]);
    assert!(mean < 0.75 * best, "half of what is needed: {mean} of {best}");
}

#[test]
fn augmented_images_train_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = ["train.epochs=1", "train.batches_per_epoch=3", "agent.tstep_encoder.drqv2_aug=true"];
    learned(&dir.path().join("run"), true, &few);
}

#[test]
fn encoders_that_do_not_fit_are_refused_before_anything_is_built() {
    let refused = |overrides: &[&str], mirror: bool, parts: &[&str]| {
        let env = Arc::new(move || -> Result<Box<dyn Env>, _> { Ok(Box::new(Lamp::new(mirror))) });
        let error = Plan::with_env(tiny(overrides), env).map(|_| ()).expect_err("refused").to_string();
        for part in ["agent.tstep_encoder"].iter().chain(parts) {
            assert!(error.contains(part), "{overrides:?}: \"{part}\" is not in: {error}");
        }
    };
    refused(&[], false, &["kind = \"feed_forward\"", "camera", "kind = \"cnn\"", "obs_keys"]);
    refused(&["agent.tstep_encoder.kind=cnn"], false, &["cnn.kind = \"nature\"", "camera", "[5, 4, 3]"]);
    let keys = "agent.tstep_encoder.obs_keys=[\"switch\"]";
    refused(&[CNN, keys], true, &["kind = \"cnn\"", "kind = \"feed_forward\"", "obs_keys"]);
    let goal = "agent.tstep_encoder.goal={ kind = \"token\", key = \"camera\" }";
    refused(&[CNN, goal], true, &["goal.key = \"camera\""]);
    refused(&[CNN, "agent.tstep_encoder.d_output=0"], true, &["d_output must be at least 1"]);
    let only_vectors = Plan::new(tiny(&["agent.tstep_encoder.kind=cnn"])).map(|_| ());
    let error = only_vectors.expect_err("no image").to_string();
    assert!(error.contains("kind = \"cnn\"") && error.contains("kind = \"feed_forward\""), "{error}");
    let plain = Plan::with_env(tiny(&[keys]), Arc::new(|| Ok(Box::new(Lamp::new(true)))));
    plain.expect("the vector alone");
}
