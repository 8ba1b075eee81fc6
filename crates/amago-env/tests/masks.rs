//! Environments that forbid actions.

use amago_env::conformance::{self, CheckOptions};
use amago_env::exploration::{EpsilonGreedyConfig, Exploration, ExplorationConfig};
use amago_env::vector::{Phase, VecEnv, VecEnvError};
use amago_env::{
    Action, ActionError, DictSpace, Env, EnvError, Observation, Role, Space, SpaceError, Step, TaskSpec, rng,
};

/// Three steps with choices of two and of three options. Step `t` allows option `t % 2` of the first
/// and all but option `t` of the second; any other action is refused.
struct Narrow {
    spec: TaskSpec,
    time: usize,
    /// A step whose mask allows nothing of the second choice.
    empty_at: usize,
    /// Whether the last step terminates the episode rather than cutting it.
    terminates: bool,
}

impl Narrow {
    fn new(empty_at: usize, terminates: bool) -> Self {
        let mask = (DictSpace::ACTION_MASK, Space::MultiBinary { n: 5 });
        let spec = TaskSpec::new("narrow", [mask], Space::MultiDiscrete { nvec: vec![2, 3] }).with_horizon(3);
        Self { spec, time: 0, empty_at, terminates }
    }

    fn mask(&self) -> [f32; 5] {
        let first = |option| f32::from(self.time % 2 == option);
        let second = |option| f32::from(self.time != option && self.time != self.empty_at);
        [first(0), first(1), second(0), second(1), second(2)]
    }
}

impl Env for Narrow {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.time = 0;
        obs.write(DictSpace::ACTION_MASK, &self.mask())
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let choices = action.choices(&self.spec.action_space)?;
        let mask = self.mask();
        if mask[choices[0]] == 0.0 || mask[2 + choices[1]] == 0.0 {
            return Err(ActionError { action: action.clone(), space: "the mask".to_owned() }.into());
        }
        self.time += 1;
        obs.write(DictSpace::ACTION_MASK, &self.mask())?;
        let done = self.time == 3;
        Ok(Step { reward: 0.0, terminated: done && self.terminates, truncated: done && !self.terminates })
    }
}

const NEVER: usize = 9;

fn vector(env: Narrow) -> Result<VecEnv, VecEnvError> {
    VecEnv::new(vec![Box::new(env)], 1, Role::TrainEnv)
}

#[test]
fn the_conformance_check_keeps_to_the_mask() {
    let make = || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(Narrow::new(NEVER, true))) };
    let report = conformance::check(&make, &CheckOptions::default()).expect("random play is legal");
    assert_eq!(report.steps, 30);
}

#[test]
fn full_noise_keeps_to_the_mask() {
    let mut envs = vector(Narrow::new(NEVER, true)).expect("legal spaces");
    let config = EpsilonGreedyConfig { eps_start: 1.0, eps_end: 1.0, ..EpsilonGreedyConfig::default() };
    let config = ExplorationConfig::EpsilonGreedy(EpsilonGreedyConfig { randomize_eps: false, ..config });
    let mut exploration = Exploration::new(config, None, envs.action_space()).expect("legal");
    let mut draws = rng(3, Role::Exploration, 0, 0);
    envs.reset_all().expect("no faults");
    let mut seen = [false; 5];
    for _ in 0..90 {
        let at = &envs.results()[0];
        let mask = at.obs.action_mask().expect("there is a mask");
        let mut action = Action::MultiDiscrete(vec![0, 0]);
        exploration.apply(&mut action, at.local_step, Some(mask), &mut draws);
        let choices = action.choices(envs.action_space()).expect("of the space");
        (seen[choices[0]], seen[2 + choices[1]]) = (true, true);
        envs.step(&[action]).expect("legal actions only");
    }
    assert_eq!(seen, [true; 5]);
}

#[test]
fn a_mask_that_allows_nothing_is_an_error() {
    let play = |empty_at, terminates| -> Result<(), VecEnvError> {
        let mut envs = vector(Narrow::new(empty_at, terminates))?;
        let mut draws = rng(3, Role::Policy, 0, 0);
        envs.reset_all()?;
        for _ in 0..3 {
            let mask = envs.results()[0].obs.action_mask();
            let action = Action::random(envs.action_space(), mask, &mut draws);
            envs.step(&[action])?;
        }
        Ok(())
    };
    for (empty_at, terminates, phase) in
        [(0, true, Phase::Reset), (2, true, Phase::Step), (3, false, Phase::Step)]
    {
        let error = play(empty_at, terminates).expect_err("nothing is legal");
        let [fault] = error.faults() else { panic!("{error}") };
        assert_eq!(fault.phase, phase);
        assert!(matches!(fault.cause, EnvError::NothingLegal { choice: 1 }), "{error}");
    }
    // After the end of a task there is nothing left to choose.
    play(3, true).expect("the last mask does not matter");
}

#[test]
fn a_mask_of_another_width_is_refused() {
    let mut env = Narrow::new(NEVER, true);
    env.spec.action_space = Space::Discrete { n: 2 };
    let error = vector(env).map(|_| ()).expect_err("too wide");
    assert!(matches!(&error, VecEnvError::Space(SpaceError::Mask { .. })), "{error}");
    assert!(error.to_string().contains("action_mask"), "{error}");
}
