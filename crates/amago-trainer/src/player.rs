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

/// The one who plays, with what it needs for that. What it draws depends on the seed alone: the random policy has
/// one stream for all, an agent one for each episode of each environment, so that its actions there do not depend on
/// how many others play.
pub(crate) struct Player {
    who: Who,
    seed: u64,
}

enum Who {
    Random(Rng),
    Agent(Box<Acting>),
}

struct Acting {
    agent: Agent,
    /// Its memory.
    driver: PolicyDriver,
    /// One per environment, where it samples.
    streams: Option<Vec<Rng>>,
}

impl Player {
    /// Has an empty memory for each environment.
    pub fn new(who: &Play, envs: &VecEnv, seed: u64) -> Self {
        let who = match *who {
            Play::Random => Who::Random(rng(seed, Role::Policy, 1, 0)),
            Play::Agent { agent, context, actions, device } => {
                let agent = agent.for_acting();
                let driver = PolicyDriver::new(&agent, envs, context, device);
                let streams = (0..envs.len() as u64).map(|i| rng(seed, Role::EvalPolicy, i, 0)).collect();
                let streams = (actions == ActionChoice::Sampled).then_some(streams);
                Who::Agent(Box::new(Acting { agent, driver, streams }))
            }
        };
        Self { who, seed }
    }

    /// Chooses an action per environment.
    pub fn act(&mut self, envs: &VecEnv) -> Vec<Action> {
        let steps = envs.results();
        match &mut self.who {
            Who::Agent(acting) => {
                let Acting { agent, driver, streams } = &mut **acting;
                for (i, stream) in streams.iter_mut().flatten().enumerate() {
                    if steps[i].local_step == 0 {
                        *stream = rng(self.seed, Role::EvalPolicy, i as u64, envs.episode(i));
                    }
                }
                driver.act(agent, steps, streams.as_deref_mut())
            }
            Who::Random(draws) => {
                let masks = steps.iter().map(|step| step.obs.action_mask());
                masks.map(|mask| Action::random(envs.action_space(), mask, draws)).collect()
            }
        }
    }

    /// Takes in what a step gave.
    pub fn observe(&mut self, actions: &[Action], steps: &[WorkerStep]) {
        if let Who::Agent(acting) = &mut self.who {
            acting.driver.observe(actions, steps);
        }
    }

    /// Forgets what was seen of an environment.
    pub fn reset(&mut self, row: usize) {
        if let Who::Agent(acting) = &mut self.who {
            acting.driver.reset(row);
        }
    }
}
