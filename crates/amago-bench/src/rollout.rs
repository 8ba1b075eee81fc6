//! Batched steps of a policy with fresh weights in environments.

use std::time::Instant;

use amago_agent::{Agent, AgentConfig};
use amago_env::vector::VecEnv;
use amago_env::{Role, registry, rng};
use amago_trainer::{PolicyDriver, obs_spec};
use serde_json::json;

use crate::common::{Size, median, peak_memory};
use crate::device;

/// Speed of acting.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, value_enum, default_value = "base")]
    size: Size,
    /// Environments stepped together.
    #[arg(long, default_value_t = 24)]
    envs: usize,
    /// Environment.
    #[arg(long, default_value = "meta-frozen-lake")]
    env: String,
    /// Side of the lake, where the environment is one.
    #[arg(long, default_value_t = 5)]
    side: i64,
    /// Timesteps that the policy remembers.
    #[arg(long, default_value_t = 250)]
    context: usize,
    /// Batched steps that are measured, after as many as the context that fill the memory.
    #[arg(long, default_value_t = 250)]
    steps: usize,
    /// Seed of weights, episodes and actions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu")]
    device: String,
}

impl Args {
    /// Measures steps.
    ///
    /// # Errors
    /// When the device cannot be used, or an environment cannot be made.
    pub fn run(&self) -> anyhow::Result<()> {
        let device = device::by_name(&self.device)?;
        device.seed(self.seed);
        let mut options = toml::Table::new();
        if self.env == "meta-frozen-lake" {
            options.insert("size".to_owned(), self.side.into());
            options.insert("horizon".to_owned(), (2 * (self.context + self.steps) as i64).into());
        }
        let envs =
            (0..self.envs).map(|_| registry::make(&self.env, &options)).collect::<Result<Vec<_>, _>>()?;
        let mut envs = VecEnv::new(envs, self.seed, Role::EvalEnv)?;
        let mut config = AgentConfig::amago();
        self.size.set(&mut config);
        let spec = obs_spec(envs.observation_space(), envs.action_space());
        let agent = Agent::new(&config, &spec, &device.clone().autodiff()).for_acting();
        let mut driver = PolicyDriver::new(&agent, &envs, self.context, &device);
        let mut draws = rng(self.seed, Role::Policy, 0, 0);
        envs.reset_all()?;
        let mut seconds = Vec::with_capacity(self.steps);
        for step in 0..self.context + self.steps {
            let start = Instant::now();
            let actions = driver.act(&agent, envs.results(), Some(std::slice::from_mut(&mut draws)));
            driver.observe(&actions, envs.step(&actions)?);
            if step >= self.context {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        let total: f64 = seconds.iter().sum();
        println!(
            "{}",
            json!({
                "bench": "rollout",
                "device": self.device,
                "size": self.size.name(),
                "env": self.env,
                "envs": self.envs,
                "context": self.context,
                "threads": amago_ops::threads(),
                "env_steps_per_second": (self.envs * self.steps) as f64 / total,
                "step_milliseconds": median(seconds) * 1e3,
                "peak_memory_mb": peak_memory(),
            })
        );
        Ok(())
    }
}
