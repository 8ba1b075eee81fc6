//! Trains on an environment of your own: `cargo run --release --example own_env`.
//!
//! The task needs memory. A bit is shown at the first step only; after three blank steps the agent must
//! name it. Chance is one half.

use std::sync::Arc;

use amago_env::{Action, DictSpace, Env, EnvError, Observation, Role, Space, Step, conformance, rng};
use amago_trainer::{ConfigSource, Plan, RunDir, Silent, StopFlag, Trainer, load_config};
use rand::RngExt;

const BLANKS: usize = 3;

struct Recall {
    observation: DictSpace,
    action: Space,
    bit: usize,
    time: usize,
    right: bool,
}

impl Recall {
    fn new() -> Self {
        Self {
            observation: DictSpace::single(Space::box_f32(&[2], 0.0, 1.0)),
            action: Space::Discrete { n: 2 },
            bit: 0,
            time: 0,
            right: false,
        }
    }

    fn write(&self, obs: &mut Observation) -> Result<(), EnvError> {
        let mut shown = [0.0; 2];
        if self.time == 0 {
            shown[self.bit] = 1.0;
        }
        obs.write(DictSpace::SINGLE, &shown)
    }
}

impl Env for Recall {
    fn name(&self) -> &str {
        "recall"
    }

    fn observation_space(&self) -> &DictSpace {
        &self.observation
    }

    fn action_space(&self) -> &Space {
        &self.action
    }

    fn horizon(&self) -> Option<usize> {
        Some(BLANKS + 1)
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.bit = rng(seed, Role::TrainEnv, 0, 0).random_range(0..2);
        self.time = 0;
        self.write(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let choice = action.choice(&self.action)?;
        self.time += 1;
        let terminated = self.time == BLANKS + 1;
        self.right = terminated && choice == self.bit;
        self.write(obs)?;
        Ok(Step { reward: f32::from(self.right), terminated, truncated: false })
    }

    fn success(&self) -> Option<bool> {
        Some(self.right)
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
    let success = outcome.eval.and_then(|eval| eval.success).unwrap_or(0.0);
    println!("after {} updates: {:.0} % right (chance is 50 %)", outcome.meta.updates, 100.0 * success);
    println!("run folder: {}", folder.display());
    Ok(())
}
