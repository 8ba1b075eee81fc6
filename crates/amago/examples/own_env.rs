//! Trains on an environment of your own: `cargo run --release --example own_env`.
//!
//! The task needs memory. A bit is shown at the first step only; after three blank steps the agent must
//! name it. Chance is one half.

use std::sync::Arc;

use amago_env::{
    Action, DictSpace, Env, EnvError, Observation, Role, Space, Step, TaskSpec, conformance, rng,
};
use amago_trainer::{ConfigSource, Plan, RunDir, Silent, StopFlag, Trainer, load_config};
use rand::RngExt;

const BLANKS: usize = 3;

struct Recall {
    spec: TaskSpec,
    bit: usize,
    time: usize,
}

impl Recall {
    fn new() -> Self {
        let spec = TaskSpec::new("recall", Space::box_f32(&[2], 0.0, 1.0), Space::Discrete { n: 2 });
        Self { spec: spec.with_horizon(BLANKS + 1), bit: 0, time: 0 }
    }
}

impl Env for Recall {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.bit = rng(seed, Role::TrainEnv, 0, 0).random_range(0..2);
        self.time = 0;
        let shown = [0, 1].map(|i| f32::from(i == self.bit));
        obs.write(DictSpace::SINGLE, &shown)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let right = action.choice(&self.spec.action_space)? == self.bit;
        self.time += 1;
        let terminated = self.time == BLANKS + 1;
        obs.write(DictSpace::SINGLE, &[0.0, 0.0])?;
        Ok(Step { reward: f32::from(terminated && right), terminated, truncated: false })
    }
}

const CONFIG: &str = r#"
[env]
id = "recall"

[train]
epochs = 15
timesteps_per_epoch = 40
batches_per_epoch = 30
max_seq_len = 4

[exploration]
kind = "epsilon_greedy"
steps_anneal = 400

[optim]
learning_rate = 1e-3
warmup = 50

[agent]
multi_gammas = [0.9]
actor = { d_hidden = 64 }
critic = { d_hidden = 64 }
tstep_encoder = { d_hidden = 64, d_output = 32 }
traj_encoder = { kind = "transformer", d_model = 32, n_heads = 4, d_ff = 64, n_layers = 1 }
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let make = || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(Recall::new())) };
    conformance::check(&make, &conformance::CheckOptions::default())?;
    let config = load_config(&ConfigSource { name: "example", text: CONFIG, overrides: &[] })?;
    let plan = Plan::with_env(config, Arc::new(make))?;
    let folder = std::env::temp_dir().join(format!("amago-own-env-{}", std::process::id()));
    let run = RunDir::create(&folder, &plan.config)?;
    let mut trainer = Trainer::new(plan, run, &burn::tensor::Device::default())?;
    let outcome = trainer.run(&StopFlag::default(), &mut Silent)?;
    let right = outcome.eval.map_or(0.0, |eval| eval.return_mean);
    println!("after {} updates: {:.0} % right (chance is 50 %)", outcome.meta.updates, 100.0 * right);
    println!("run folder: {}", folder.display());
    Ok(())
}
