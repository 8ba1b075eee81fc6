//! Chooses the actions of episodes that are only played: evaluations, rollouts, recordings.

use amago_agent::Agent;
use amago_env::vector::{VecEnv, WorkerStep};
use amago_env::{Action, Rng, Role, rng};
use burn::tensor::Device;

use crate::{ActionChoice, PolicyDriver};

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
        /// How it chooses from what it knows.
        actions: ActionChoice,
        /// Where it runs.
        device: &'a Device,
    },
}

/// A policy with what it needs to play. What it draws depends on the seed alone: the random policy has
/// one stream for all, an agent one for each episode of each environment, so that its actions there do not depend on
/// how many others play.
pub(crate) struct Player {
    policy: Policy,
    seed: u64,
}

enum Policy {
    Random(Rng),
    Trained(Box<Trained>),
}

/// An agent at play.
struct Trained {
    agent: Agent,
    /// Its memory.
    driver: PolicyDriver,
    /// One per environment, where it samples.
    streams: Option<Vec<Rng>>,
}

impl Player {
    /// Has an empty memory for each environment.
    pub fn new(play: &Play, envs: &VecEnv, seed: u64) -> Self {
        let policy = match *play {
            // Stream 1: a run collects with stream 0 of this role.
            Play::Random => Policy::Random(rng(seed, Role::Policy, 1, 0)),
            Play::Agent { agent, context, actions, device } => {
                // What depends on the weights alone is computed once for all episodes.
                let agent = agent.for_acting();
                let driver = PolicyDriver::new(&agent, envs, context, device);
                let streams = (0..envs.len() as u64).map(|i| rng(seed, Role::EvalPolicy, i, 0)).collect();
                let streams = (actions == ActionChoice::Sampled).then_some(streams);
                Policy::Trained(Box::new(Trained { agent, driver, streams }))
            }
        };
        Self { policy, seed }
    }

    /// Chooses an action per environment.
    pub fn act(&mut self, envs: &VecEnv) -> Vec<Action> {
        let steps = envs.results();
        match &mut self.policy {
            Policy::Trained(trained) => {
                let Trained { agent, driver, streams } = &mut **trained;
                for (i, stream) in streams.iter_mut().flatten().enumerate() {
                    // A stream for each episode: what it draws must not depend on how long those before it
                    // were.
                    if steps[i].local_step == 0 {
                        *stream = rng(self.seed, Role::EvalPolicy, i as u64, envs.episode(i));
                    }
                }
                driver.act(agent, steps, streams.as_deref_mut())
            }
            Policy::Random(draws) => {
                let masks = steps.iter().map(|step| step.obs.action_mask());
                masks.map(|mask| Action::random(envs.action_space(), mask, draws)).collect()
            }
        }
    }

    /// Takes in what a step gave.
    pub fn observe(&mut self, actions: &[Action], steps: &[WorkerStep]) {
        if let Policy::Trained(trained) = &mut self.policy {
            trained.driver.observe(actions, steps);
        }
    }

    /// Forgets what was seen of an environment.
    pub fn reset(&mut self, row: usize) {
        if let Policy::Trained(trained) = &mut self.policy {
            trained.driver.reset(row);
        }
    }
}
