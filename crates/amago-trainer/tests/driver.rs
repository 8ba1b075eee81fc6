//! Encoding running episodes again, with the weights unchanged, changes nothing.

mod support;

use std::sync::Arc;

use amago_agent::Agent;
use amago_env::vector::VecEnv;
use amago_env::{Action, DictSpace, Env, EnvError, Observation, Rng, Role, Space, Step, TaskSpec, rng};
use amago_replay::{Store, StoreConfig};
use amago_trainer::{Collector, Plan, PolicyDriver, Silent, StopFlag};
use burn::module::Module;
use rand::{RngExt, SeedableRng};
use support::{device, probabilities, tiny};

/// Random observations; episodes of a fixed length, another one in each environment.
struct Noise {
    spec: TaskSpec,
    time: usize,
    draws: Rng,
}

impl Noise {
    fn observe(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        let values: [f32; 2] = self.draws.random();
        obs.write(DictSpace::SINGLE, &values)
    }
}

impl Env for Noise {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.time, self.draws) = (0, Rng::seed_from_u64(seed));
        self.observe(obs)
    }

    fn step(&mut self, _action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.time += 1;
        self.observe(obs)?;
        let reward = self.draws.random();
        Ok(Step { reward, terminated: Some(self.time) == self.spec.horizon, truncated: false })
    }
}

fn noise(length: usize) -> Box<dyn Env> {
    let spec = TaskSpec::new("noise", Space::box_f32(&[2], 0.0, 1.0), Space::Discrete { n: 3 });
    Box::new(Noise { spec: spec.with_horizon(length), time: 0, draws: Rng::seed_from_u64(0) })
}

/// How far two lists of probabilities are apart.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Plays environments of several lengths with one driver that goes on, one that encodes again
/// before every step, one that does so once, and one that remembers nothing. Returns how far each
/// of the last three was from the first at most.
fn play(context: usize, overrides: &[&str]) -> [f32; 3] {
    const LENGTHS: [usize; 5] = [1, 2, 5, 7, 12];
    const STEPS: usize = 30;
    let plan = Plan::with_env(tiny(overrides), Arc::new(|| Ok(noise(5)))).expect("a legal plan");
    device().autodiff().seed(1);
    let agent = Agent::new(&plan.config.agent, &plan.spec, &device().autodiff()).valid();
    let envs = LENGTHS.map(noise).into();
    let mut envs = VecEnv::new(envs, 3, Role::TrainEnv).expect("equal spaces");
    let mut drivers: [PolicyDriver; 4] =
        std::array::from_fn(|_| PolicyDriver::new(&agent, &envs, context, &device()));
    let mut draws = rng(0, Role::Policy, 0, 0);
    let mut apart = [0.0f32; 3];
    envs.reset_all().expect("no faults");
    for step in 0..STEPS {
        drivers[1].reencode(&agent);
        if step == STEPS / 2 {
            drivers[2].reencode(&agent);
        }
        for row in 0..LENGTHS.len() {
            drivers[3].reset(row);
        }
        let all = drivers.each_mut().map(|d| probabilities(&d.policy(&agent, envs.results())));
        for (apart, other) in apart.iter_mut().zip(&all[1..]) {
            *apart = apart.max(distance(&all[0], other));
        }
        let actions: Vec<_> =
            LENGTHS.iter().map(|_| Action::random(&plan.action_space, None, &mut draws)).collect();
        let results = envs.step(&actions).expect("no faults");
        drivers.iter_mut().for_each(|d| d.observe(&actions, results));
    }
    apart
}

fn check(context: usize, overrides: &[&str]) {
    let [every_step, once, forgetful] = play(context, overrides);
    // Keys lie in other places of the ring, so sums are taken in another order.
    assert!(every_step < 1e-5 && once < 1e-5, "context {context}, {overrides:?}: {every_step} {once}");
    assert!(forgetful > 1e-3, "context {context}, {overrides:?}: memory makes no difference: {forgetful}");
}

#[test]
fn a_window_longer_than_the_episodes() {
    check(12, &["agent.traj_encoder.n_layers=2"]);
    check(40, &["agent.traj_encoder.n_layers=2"]);
}

/// With one layer only: the keys of a second one depend on steps that have left the window, which
/// encoding again cannot know.
#[test]
fn a_window_shorter_than_the_episodes() {
    check(4, &["agent.traj_encoder.n_layers=1"]);
    check(1, &["agent.traj_encoder.n_layers=1"]);
}

/// A short attention window reaches no further back per layer, so the inputs it needs can be kept; the
/// sinks are kept as well.
#[test]
fn an_attention_window_with_sinks() {
    let window = ["agent.traj_encoder.n_layers=3", "agent.traj_encoder.window_size=2"];
    check(4, &window);
    check(3, &[&window[..], &["agent.traj_encoder.sink_size=2"]].concat());
}

/// The state of a recurrent network depends on the whole episode, however short the window is.
#[test]
fn recurrent_encoders() {
    for context in [2, 12] {
        check(context, &["agent.traj_encoder={kind=\"gru\", d_hidden=8, d_output=8}"]);
        check(context, &["agent.traj_encoder={kind=\"mamba\", d_model=8, d_state=4, n_layers=2}"]);
    }
}

#[test]
fn encoders_without_memory() {
    for kind in ["kind=\"feed_forward\", d_model=8, d_ff=8", "kind=\"identity\""] {
        let [every_step, once, _] = play(4, &[&format!("agent.traj_encoder={{{kind}}}")]);
        assert_eq!((every_step, once), (0.0, 0.0), "{kind}");
    }
}

/// A run that goes on with shorter windows, or a checkpoint that holds more inputs than it must, keeps what the encoder
/// knew before them.
#[test]
fn what_a_shorter_window_leaves_out_is_not_forgotten() {
    let _alone = support::alone();
    let plan = |len: &str| {
        let gru = "agent.traj_encoder={ kind = \"gru\", d_hidden = 8, d_output = 8 }";
        let settings = [gru, "train.sample_actions=false", "replay.traj_save_len=500", len];
        Plan::with_env(tiny(&settings), Arc::new(|| Ok(noise(1000)))).expect("a legal plan")
    };
    let (long, short) = (plan("train.max_seq_len=100"), plan("train.max_seq_len=8"));
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path(), StoreConfig::default()).expect("a store");
    device().autodiff().seed(1);
    let agent = Agent::new(&long.config.agent, &long.spec, &device().autodiff()).valid();
    let go_on = |collector: &mut Collector, steps| {
        collector.collect(&agent, &store, steps, &StopFlag::default(), &mut Silent).expect("no fault");
        serde_json::to_value(collector.save()).expect("plain data")
    };
    let mut one = Collector::new(&long, &agent, &device()).expect("it begins");
    go_on(&mut one, 61);
    let (mut two, _) =
        Collector::resume(&short, &agent, &device(), &store, one.save()).expect("the same task");
    let (one, two) = (go_on(&mut one, 30), go_on(&mut two, 30));
    assert_eq!(one["unfinished"], two["unfinished"], "other actions");
    let inputs = |state: &serde_json::Value| state["driver"]["rows"][0].as_array().map(Vec::len);
    assert_eq!((inputs(&one), inputs(&two)), (Some(91), Some(91 % 8 + 8)));
    assert!(
        two["driver"]["anchors"][0]["before"].is_array() && one["driver"]["anchors"][0]["before"].is_null()
    );
}
