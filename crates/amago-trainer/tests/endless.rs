//! Episodes that never end, or that are longer than any window: what is cut, stored and kept of them.

mod support;

use std::path::Path;
use std::sync::Arc;

use amago_agent::Agent;
use amago_env::vector::VecEnv;
use amago_env::{Action, DictSpace, Env, EnvError, Observation, Rng, Role, Space, Step, TaskSpec, rng};
use amago_replay::{Store, StoreConfig};
use amago_trainer::{
    ActionChoice, Collector, Episodes, Plan, Play, PolicyDriver, RunDir, Silent, StopFlag, Trainer, evaluate,
    record,
};
use burn::module::Module;
use rand::{RngExt, SeedableRng};
use support::{Recorder, alone, device, probabilities, tiny, train};

/// Random observations for ever, whatever it says of its horizon.
struct Endless {
    saves: bool,
    draws: Rng,
    seed: u64,
    time: u64,
    spec: TaskSpec,
}

impl Endless {
    fn new(horizon: Option<usize>, saves: bool) -> Self {
        let spec = TaskSpec::new("endless", Space::box_f32(&[2], 0.0, 1.0), Space::Discrete { n: 3 });
        let spec = TaskSpec { horizon, ..spec };
        Self { spec, saves, draws: Rng::seed_from_u64(0), seed: 0, time: 0 }
    }

    fn observe(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.draws = rng(self.seed, Role::TrainEnv, 0, self.time);
        obs.write(DictSpace::SINGLE, &self.draws.random::<[f32; 2]>())
    }
}

impl Env for Endless {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.seed, self.time) = (seed, 0);
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.time += 1;
        self.observe(obs)?;
        let reward = f32::from(action.choice(&self.spec.action_space)? == (self.time % 3) as usize);
        Ok(Step { reward, ..Step::default() })
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        self.saves.then(|| [self.seed, self.time].map(u64::to_le_bytes).concat())
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| state[8 * at + i]));
        (self.seed, self.time) = (number(0), number(1));
        Ok(())
    }
}

fn plan(horizon: Option<usize>, saves: bool, overrides: &[&str]) -> Plan {
    let make = move || Ok(Box::new(Endless::new(horizon, saves)) as Box<dyn Env>);
    Plan::with_env(tiny(overrides), Arc::new(make)).expect("a legal plan")
}

fn agent(plan: &Plan) -> Agent {
    device().autodiff().seed(1);
    Agent::new(&plan.config.agent, &plan.spec, &device().autodiff()).valid()
}

#[test]
fn evaluations_and_recordings_end() {
    let lies =
        |limit: &str| plan(Some(7), false, &["eval.episodes=3", &format!("eval.max_episode_steps={limit}")]);
    for (plan, limit) in [(lies("0"), 7), (lies("5"), 5), (plan(None, false, &["eval.episodes=1"]), 10_000)] {
        let mut seen = Recorder::default();
        let episodes = Episodes::of(&plan);
        let report =
            evaluate(&plan, &Play::Random, &episodes, &StopFlag::default(), &mut seen).expect("it ends");
        assert_eq!((report.cut, &report.lengths), (episodes.count, &vec![limit; episodes.count]));
        let [warning] = &seen.warnings[..] else { panic!("one warning: {:?}", seen.warnings) };
        assert!(
            warning.contains("eval.max_episode_steps") && warning.contains(&limit.to_string()),
            "{warning}"
        );
        if limit < 10_000 {
            let found = record(&plan, &Play::Random, &episodes, &StopFlag::default()).expect("it ends");
            assert!(found.len() == 3 && found.iter().all(|r| r.stats.cut && r.shots.len() == limit + 1));
        }
    }
}

#[test]
fn training_stores_pieces_of_what_does_not_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = ["train.timesteps_per_epoch=20", "eval.max_episode_steps=4"];
    let plan = plan(Some(6), false, &settings);
    let mut seen = Recorder::default();
    train(&plan, &dir.path().join("run"), &mut seen).expect("a whole run");
    let store = Store::read(dir.path().join("run/replay"), StoreConfig::default()).expect("a replay");
    // Forty steps in two environments.
    assert_eq!((store.len(), store.transitions()), (2 * 6, 2 * 36));
    let told = |part: &str| seen.warnings.iter().filter(|w| w.contains(part)).count();
    assert_eq!(told("outgrew 6 steps"), 1, "{:?}", seen.warnings);
    assert!(told("replay.traj_save_len") >= 1 && seen.updates > 0, "{:?}", seen.warnings);
}

#[test]
fn what_nobody_cut_is_named_while_learning_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(None, false, &["eval.max_episode_steps=4"]);
    let mut seen = Recorder::default();
    train(&plan, &dir.path().join("run"), &mut seen).expect("a whole run");
    let waiting =
        seen.warnings.iter().filter(|w| w.contains("not learning yet") && w.contains("traj_save_len"));
    assert_eq!((waiting.count(), seen.updates), (2, 0), "{:?}", seen.warnings);
}

/// Memory, checkpoint and time of a long episode are those of a shorter one.
#[test]
fn a_running_episode_takes_no_more_the_longer_it_is() {
    let _alone = alone();
    let gru = "agent.traj_encoder={ kind = \"gru\", d_hidden = 8, d_output = 8 }";
    let mamba = "agent.traj_encoder={ kind = \"mamba\", d_model = 8, d_state = 2, n_layers = 1 }";
    for encoder in [gru, mamba, "agent.traj_encoder.n_layers=2"] {
        let plan = plan(None, true, &[encoder, "replay.traj_save_len=5", "train.max_seq_len=8"]);
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), StoreConfig::default()).expect("a store");
        let agent = agent(&plan);
        let mut collector = Collector::new(&plan, &agent, &device()).expect("it begins");
        let mut sizes = Vec::new();
        for steps in [300, 16, 320] {
            let collected = collector.collect(&agent, &store, steps, &StopFlag::default(), &mut Silent);
            collected.expect("no fault");
            sizes.push(rmp_serde::to_vec_named(&collector.save()).expect("plain data").len());
        }
        // Numbers that count steps take a few more bytes.
        assert!(sizes.iter().all(|size| size.abs_diff(sizes[0]) < 400), "{encoder}: {sizes:?}");
        let (mut resumed, restarted) =
            Collector::resume(&plan, &agent, &device(), &store, collector.save()).expect("its own state");
        assert!(restarted.is_empty() && resumed.save() == collector.save(), "{encoder}");
    }
}

/// With the weights unchanged, states between windows stand for all inputs before them.
#[test]
fn encoding_the_last_windows_again_is_as_good_as_all() {
    let _alone = alone();
    let gru = "agent.traj_encoder={ kind = \"gru\", d_hidden = 8, d_output = 8 }";
    let mamba = "agent.traj_encoder={ kind = \"mamba\", d_model = 8, d_state = 4, n_layers = 2 }";
    for (encoder, context) in [(gru, 1), (gru, 4), (mamba, 4), (mamba, 7)] {
        let plan = plan(None, false, &[encoder]);
        let agent = agent(&plan);
        let envs = (0..3).map(|_| Box::new(Endless::new(None, false)) as Box<dyn Env>).collect();
        let mut envs = VecEnv::new(envs, 3, Role::TrainEnv).expect("equal spaces");
        let mut drivers: [PolicyDriver; 2] =
            std::array::from_fn(|_| PolicyDriver::new(&agent, &envs, context, &device()));
        let mut draws = rng(0, Role::Policy, 0, 0);
        envs.reset_all().expect("no faults");
        for step in 0..60 {
            if step % 3 == 0 {
                drivers[1].reencode(&agent);
            }
            if step == 23 {
                // Rows of different ages.
                envs.restart(1, None).expect("no fault");
                drivers.iter_mut().for_each(|d| d.reset(1));
            }
            let [kept, again] = drivers.each_mut().map(|d| probabilities(&d.policy(&agent, envs.results())));
            let apart = kept.iter().zip(&again).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "{encoder}, context {context}, step {step}: {apart}");
            let actions: Vec<_> =
                (0..3).map(|_| Action::random(&plan.action_space, None, &mut draws)).collect();
            let results = envs.step(&actions).expect("no faults");
            drivers.iter_mut().for_each(|d| d.observe(&actions, results));
        }
    }
}

/// The draws of an episode are its own: neither other environments nor threads change them.
#[test]
fn sampled_evaluations_repeat_themselves() {
    let _alone = alone();
    let plan = Plan::new(tiny(&["env.options.penalty=-0.1"])).expect("legal");
    let agent = agent(&plan);
    let (context, device) = (plan.config.train.max_seq_len, device());
    let returns = |count, actions| {
        let who = Play::Agent { agent: &agent, context, actions, device: &device };
        let episodes = Episodes { count, ..Episodes::of(&plan) };
        evaluate(&plan, &who, &episodes, &StopFlag::default(), &mut Silent).expect("no fault").returns
    };
    let sampled = returns(40, ActionChoice::Sampled);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        device.seed(threads as u64);
        assert_eq!(pool.install(|| returns(40, ActionChoice::Sampled)), sampled, "{threads} threads");
    }
    // Each environment plays one episode: those of the first ones are the same.
    assert_eq!(returns(7, ActionChoice::Sampled), sampled[..7]);
    assert_ne!(returns(40, ActionChoice::Greedy), sampled);
}

#[test]
fn evaluations_may_be_stored_and_learned_from() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    let stored = |run: &Path| Store::read(run.join("eval_replay"), StoreConfig::default()).expect("a store");
    let settings =
        ["eval.save_trajectories=true", "eval.interval=1", "eval.episodes=5", "eval.max_trajectories=8"];
    let config = tiny(&settings);
    let plan = Plan::new(config.clone()).expect("legal");
    train(&plan, &run, &mut Recorder::default()).expect("a whole run");
    // Two evaluations of five whole episodes of four steps, of which eight are kept.
    assert_eq!((stored(&run).len(), stored(&run).transitions()), (8, 8 * 4));
    assert_eq!(support::names(&run.join("eval_replay/buffer")).len(), 8);
    let folder = run.join("eval_replay").display().to_string();
    let learn = format!("replay.datasets=[{{ path = \"{folder}\" }}]");
    let plan = Plan::new(tiny(&["train.mode=learn", &learn])).expect("legal");
    let mut seen = Recorder::default();
    train(&plan, &dir.path().join("learned"), &mut seen).expect("a whole run");
    assert!(seen.updates > 0);
    // Without the setting there is no folder, and the weights are the same.
    let plain = dir.path().join("plain");
    let config = tiny(&["eval.interval=1", "eval.episodes=5"]);
    train(&Plan::new(config).expect("legal"), &plain, &mut Recorder::default()).expect("a whole run");
    assert!(!plain.join("eval_replay").exists());
    assert_eq!(learned(&run), learned(&plain));
}

/// What updates did in every epoch: equal where weights and batches are, bit for bit.
fn learned(run: &Path) -> Vec<serde_json::Value> {
    let told: Vec<_> = support::lines(run)[1..].iter().map(|line| line["train"].clone()).collect();
    assert!(told.iter().any(serde_json::Value::is_object), "nothing was learned");
    told
}

/// A run that is resumed in the middle of an episode longer than its windows ends as one that was not.
#[test]
fn a_long_episode_goes_on_bit_for_bit() {
    let gru = "agent.traj_encoder={ kind = \"gru\", d_hidden = 8, d_output = 8 }";
    for saves in [false, true] {
        let settings = [
            gru,
            "replay.traj_save_len=5",
            "eval.max_episode_steps=4",
            "train.timesteps_per_epoch=13",
            "train.checkpoint_interval=1",
            "train.keep_checkpoints=9",
        ];
        let _alone = alone();
        let dir = tempfile::tempdir().expect("a folder");
        let run = |name: &str, epochs: &str| {
            let plan = plan(None, saves, &[&settings[..], &[epochs]].concat());
            let folder = dir.path().join(name);
            let mut trainer = match folder.exists() {
                true => Trainer::resume(plan, RunDir::open(&folder).expect("a run").0, &device()),
                false => {
                    let run = RunDir::create(&folder, &plan.config).expect("a folder");
                    Trainer::new(plan, run, &device())
                }
            }
            .expect("a trainer");
            trainer.run(&StopFlag::default(), &mut Silent).expect("a run");
            let newest =
                amago_trainer::Checkpoint::newest(&folder.join("checkpoints")).expect("a checkpoint").0;
            (learned(&folder), newest.load_state().expect("readable").expect("there").collector)
        };
        let whole = run("whole", "train.epochs=6");
        run("parts", "train.epochs=2");
        run("parts", "train.epochs=5");
        assert!(run("parts", "train.epochs=6") == whole, "saves: {saves}");
    }
}
