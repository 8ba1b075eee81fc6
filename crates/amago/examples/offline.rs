//! Learns from a dataset that Minari recorded, and plays what it has learned:
//! `cargo run --release --example offline -- DATASET [KEY=VALUE ...]`.
//!
//! DATASET is one of `CartPole-v1`; the chapter "Offline data" of the book says how to record one. The pole is balanced
//! here, in Rust, as Gymnasium does.

use std::sync::Arc;

use amago_env::{
    Action, BoxSpace, DictSpace, Dtype, Env, EnvError, Observation, Role, Space, Step, TaskSpec, conformance,
    rng,
};
use amago_trainer::{
    ConfigSource, Episodes, EvalReport, Plan, Play, RunDir, Silent, StopFlag, Trainer, evaluate, load_config,
};
use rand::RngExt;

/// The pole of Barto, Sutton and Anderson (1983), as `CartPole-v1` has it: at most 500 steps, and a reward of one for each.
struct CartPole {
    spec: TaskSpec,
    /// Place and speed of the cart, angle and speed of the pole.
    state: [f64; 4],
    time: usize,
}

impl CartPole {
    const STEPS: usize = 500;
    const TILT: f64 = 12.0 * std::f64::consts::PI / 180.0;

    fn new() -> Self {
        let high = [4.8, f32::INFINITY, 2.0 * Self::TILT as f32, f32::INFINITY];
        let (low, high) = (high.map(|x| -x).to_vec(), high.to_vec());
        let space = Space::Box(BoxSpace { shape: vec![4], low, high, dtype: Dtype::F32 });
        let spec = TaskSpec::new("cart-pole", space, Space::Discrete { n: 2 }).with_horizon(Self::STEPS);
        Self { spec, state: [0.0; 4], time: 0 }
    }

    fn observe(&self, obs: &mut Observation) -> Result<(), EnvError> {
        obs.write(DictSpace::SINGLE, &self.state.map(|x| x as f32))
    }
}

impl Env for CartPole {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let mut draws = rng(seed, Role::TrainEnv, 0, 0);
        self.state = [0; 4].map(|_| draws.random_range(-0.05..0.05));
        self.time = 0;
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let force = if action.choice(&self.spec.action_space)? == 1 { 10.0 } else { -10.0 };
        let [x, x_dot, tilt, tilt_dot] = self.state;
        let (sin, cos) = tilt.sin_cos();
        // Masses 1 and 0.1, half a length of 0.5, steps of 0.02 s.
        let push = (force + 0.05 * tilt_dot * tilt_dot * sin) / 1.1;
        let tilt_acc = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
        let x_acc = push - 0.05 * tilt_acc * cos / 1.1;
        let step = 0.02;
        self.state =
            [x + step * x_dot, x_dot + step * x_acc, tilt + step * tilt_dot, tilt_dot + step * tilt_acc];
        self.time += 1;
        let terminated = self.state[0].abs() > 2.4 || self.state[2].abs() > Self::TILT;
        self.observe(obs)?;
        Ok(Step { reward: 1.0, terminated, truncated: !terminated && self.time == Self::STEPS })
    }
}

/// Offline reinforcement learning. Behaviour cloning is the same with `agent.fake_filter = true`.
const CONFIG: &str = include_str!("offline.toml");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dataset = args.next().ok_or("usage: offline DATASET [KEY=VALUE ...]")?;
    let overrides: Vec<String> =
        [format!("replay.datasets=[{{ path = '{dataset}' }}]")].into_iter().chain(args).collect();
    let config = load_config(&ConfigSource { name: "offline.toml", text: CONFIG, overrides: &overrides })?;
    let make = || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(CartPole::new())) };
    conformance::check(&make, &conformance::CheckOptions::default())?;
    let plan = Plan::with_env(config, Arc::new(make))?;

    let device = burn::tensor::Device::default();
    device.seed(plan.config.seed);
    let untrained = plan.agent(&device);
    let (context, actions) = (plan.config.train.max_seq_len, plan.config.eval.actions);
    let before = Play::Agent { agent: &untrained, context, actions, device: &device };
    let (stop, episodes) = (StopFlag::default(), Episodes::of(&plan));
    show("random policy", &evaluate(&plan, &Play::Random, &episodes, &stop, &mut Silent)?);
    show("before learning", &evaluate(&plan, &before, &episodes, &stop, &mut Silent)?);

    let folder = std::env::temp_dir().join(format!("amago-offline-{}", std::process::id()));
    let run = RunDir::create(&folder, &plan.config)?;
    let outcome = Trainer::new(plan, run, &device)?.run(&stop, &mut Silent)?;
    let after = outcome.eval.ok_or("it was stopped")?;
    show(&format!("after {} updates, {:.0} s", outcome.meta.updates, outcome.seconds), &after);
    println!("run folder: {}", folder.display());
    Ok(())
}

fn show(who: &str, report: &EvalReport) {
    println!(
        "{who:<28} return {:6.1} +- {:5.1}, {:.0} % whole episodes",
        report.return_mean,
        report.return_std,
        100.0 * report.returns.iter().filter(|r| **r >= CartPole::STEPS as f64).count() as f64
            / report.returns.len() as f64
    );
}
