//! Chooses the actions of episodes that are only played: evaluations, rollouts, recordings.

use amago_agent::Agent;
use amago_env::vector::{VecEnv, WorkerStep};
use amago_env::{Action, Rng, Role, Space, rng};
use burn::tensor::Device;

use crate::PolicyDriver;

/// Who plays.
pub enum Play<'a> {
    /// Uniform actions.
    Random,
    /// A trained agent on a device without autodiff.
    Agent {
        /// The agent.
        agent: &'a Agent,
        /// Window of its memory.
        context: usize,
        /// Most likely action instead of a draw.
        greedy: bool,
        /// Where it runs.
        device: &'a Device,
    },
}

/// The one who plays, with what it needs for that.
pub(crate) struct Player {
    /// The agent, whether it is greedy, and its memory; absent for uniform actions.
    agent: Option<(Agent, bool, PolicyDriver)>,
    draws: Rng,
    space: Space,
}

impl Player {
    /// Has an empty memory for each environment. What it draws depends on the seed alone.
    pub fn new(who: &Play, envs: &VecEnv, seed: u64) -> Self {
        let agent = match *who {
            Play::Random => None,
            Play::Agent { agent, context, greedy, device } => {
                let agent = agent.for_acting();
                let driver = PolicyDriver::new(&agent, envs, context, device);
                Some((agent, greedy, driver))
            }
        };
        Self { agent, draws: rng(seed, Role::Policy, 1, 0), space: envs.action_space().clone() }
    }

    /// Chooses an action per environment.
    pub fn act(&mut self, steps: &[WorkerStep]) -> Vec<Action> {
        let draws = &mut self.draws;
        match &mut self.agent {
            Some((agent, greedy, driver)) => driver.act(agent, steps, *greedy, draws),
            None => {
                let masks = steps.iter().map(|step| step.obs.action_mask());
                masks.map(|mask| Action::random(&self.space, mask, draws)).collect()
            }
        }
    }

    /// Takes in what a step gave.
    pub fn observe(&mut self, actions: &[Action], steps: &[WorkerStep]) {
        if let Some((.., driver)) = &mut self.agent {
            driver.observe(actions, steps);
        }
    }

    /// Forgets what was seen of an environment.
    pub fn reset(&mut self, row: usize) {
        if let Some((.., driver)) = &mut self.agent {
            driver.reset(row);
        }
    }
}
