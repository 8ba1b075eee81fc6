//! Training environments: explore and store.

use std::collections::BTreeMap;
use std::time::Instant;

use amago_agent::Agent;
use amago_env::exploration::Exploration;
use amago_env::vector::VecEnv;
use amago_env::{Action, Role, rng};
use amago_replay::{Store, Trajectory, TrajectoryBuilder, Written};
use burn::tensor::Device;
use rand::RngExt;

use crate::faults::Faults;
use crate::{
    Event, Observer, Plan, PolicyDriver, Reference, StopFlag, TaskReport, TrainError, UNKNOWN_HORIZON,
    step_limit,
};

mod state;
pub use state::CollectorState;
use state::Part;

/// Steps training environments and stores what happens. Draws come from streams that are made again at
/// every step, so there is no generator to keep.
pub struct Collector {
    envs: VecEnv,
    faults: Faults,
    driver: PolicyDriver,
    exploration: Vec<Exploration>,
    builders: Vec<TrajectoryBuilder>,
    /// Stored, but not yet drawn from.
    written: Vec<Written>,
    /// Steps of each environment.
    steps: u64,
    /// What the running epoch gave so far.
    part: Part,
    /// Shortest and longest length at which a trajectory is cut.
    traj_save_len: [usize; 2],
    /// Where whole episodes are wanted, the length at which they are cut nevertheless, until it is told.
    whole: Option<usize>,
    /// That length, where it was just met.
    outgrown: Option<usize>,
    sample: bool,
    seed: u64,
    /// What returns of the tasks count as 0 and 1.
    references: BTreeMap<String, Reference>,
}

/// What one epoch's collecting gave.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct CollectReport {
    /// Steps over all environments.
    pub env_steps: usize,
    /// Episodes that ended.
    pub episodes: usize,
    /// Mean return of those, if any.
    pub return_mean: Option<f64>,
    /// Mean return of the lowest fifth of those, rounded up to whole episodes, if any.
    #[serde(default)]
    pub return_bottom_fifth: Option<f64>,
    /// Share of those that solved the task, where the task defines it.
    pub success: Option<f64>,
    /// Means of the environments' own metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The same of each task, by the name that the environment gives it.
    #[serde(default)]
    pub tasks: BTreeMap<String, TaskReport>,
    /// Means over those, each counted once, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_mean: Option<TaskReport>,
    /// Return of each episode; counted in bins in `metrics.jsonl`.
    #[serde(default)]
    pub returns: Vec<f64>,
    /// Exploration noise of the first actor at the end.
    pub epsilon: f64,
    /// Environments that failed and were replaced; their episodes were dropped.
    #[serde(default)]
    pub faults: u64,
    /// What the first of them said; not in `metrics.jsonl`.
    #[serde(skip)]
    pub first_fault: Option<String>,
    /// Length at which the first running episode was cut that nobody wanted cut; not in `metrics.jsonl`.
    #[serde(skip)]
    pub outgrown: Option<usize>,
    /// Seconds.
    pub seconds: f64,
}

impl Collector {
    /// Makes the environments and starts their first episodes.
    ///
    /// # Errors
    /// When an environment cannot be made or reset, or exploration does not fit it.
    pub fn new(plan: &Plan, agent: &Agent, device: &Device) -> Result<Self, TrainError> {
        let mut collector = Self::unstarted(plan, agent, device)?;
        if let Err(error) = collector.envs.reset_all().map(drop) {
            collector.faults.revive(&mut collector.envs, error)?;
        }
        (0..collector.envs.len()).try_for_each(|i| collector.begin(i))?;
        Ok(collector)
    }

    fn unstarted(plan: &Plan, agent: &Agent, device: &Device) -> Result<Self, TrainError> {
        let config = &plan.config;
        let n = config.train.parallel_actors;
        let mut faults = plan.faults(n)?;
        let envs = faults.vector(n, config.seed, Role::TrainEnv)?.resumable();
        let (space, horizon) = (envs.action_space().clone(), envs.horizon());
        let exploration = Exploration::new(config.exploration.clone(), horizon, &space)?;
        // Pieces of endless episodes are long enough to be drawn as whole sequences.
        let longest = step_limit(0, horizon.or(Some(UNKNOWN_HORIZON.max(config.train.max_seq_len))));
        let builder = TrajectoryBuilder::new(envs.observation_space(), &space);
        Ok(Self {
            driver: PolicyDriver::new(agent, &envs, config.train.max_seq_len, device),
            faults,
            exploration: vec![exploration; n],
            builders: vec![builder; n],
            written: Vec::new(),
            steps: 0,
            part: Part::default(),
            traj_save_len: match (config.replay.traj_save_len, config.replay.traj_save_stagger) {
                (0, _) => [longest; 2],
                (len, false) => [len; 2],
                (len, true) => {
                    let around = config.train.max_seq_len;
                    [len.saturating_sub(around).max(1), len.saturating_add(around)]
                }
            },
            whole: (config.replay.traj_save_len == 0).then_some(longest),
            outgrown: None,
            sample: config.train.sample_actions,
            seed: config.seed,
            references: plan.references().into_iter().next().unwrap_or_default(),
            envs,
        })
    }

    /// Begins to record and to explore in an environment that has just been reset.
    fn begin(&mut self, i: usize) -> Result<(), TrainError> {
        self.builders[i].start(&self.envs.results()[i].obs)?;
        let step = self.exploration[i].state().global_step;
        let mut draws = rng(self.seed, Role::ExplorationScale, i as u64, step);
        // Before its first step, because an episode has one scale of noise.
        self.exploration[i].start_episode(&mut draws);
        self.driver.reset(i);
        Ok(())
    }

    /// Makes the memory of running episodes again with new weights.
    pub fn reencode(&mut self, agent: &Agent) {
        self.driver.reencode(agent);
    }

    /// Takes `steps` steps in every environment, or fewer when asked to stop. What ends is stored, but not
    /// drawn from before [`Collector::admit`].
    ///
    /// # Errors
    /// When environments fail too often, or the store does. What was stored before stays stored.
    pub fn collect(
        &mut self,
        agent: &Agent,
        store: &Store,
        steps: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let mut done = 0;
        let mut result = Ok(());
        while done < steps && !stop.is_set() && result.is_ok() {
            result = self.step(agent, store);
            done += 1;
            observer.event(Event::Collect { done, total: steps });
        }
        self.part.seconds += start.elapsed().as_secs_f64();
        result
    }

    /// Steps of each environment since the start.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What the running epoch gave so far, in so many steps of each environment; also what was before the run was
    /// stopped and resumed.
    pub fn report(&mut self, steps: usize) -> CollectReport {
        let (faults, first_fault) = self.faults.report();
        self.part.faults += faults;
        let episodes = &self.part.episodes;
        let summary = crate::evaluate::summarize(episodes, &self.references);
        CollectReport {
            env_steps: steps * self.envs.len(),
            episodes: episodes.len(),
            return_mean: (!episodes.is_empty()).then_some(summary.return_mean),
            return_bottom_fifth: (!episodes.is_empty()).then_some(summary.return_bottom_fifth),
            success: summary.success,
            metrics: summary.metrics,
            tasks: summary.tasks,
            task_mean: summary.task_mean,
            returns: summary.returns,
            epsilon: self.exploration[0].epsilon(self.envs.results()[0].local_step),
            faults: self.part.faults,
            first_fault,
            outgrown: self.outgrown.take(),
            seconds: self.part.seconds,
        }
    }

    /// What comes belongs to another epoch.
    pub fn begin_epoch(&mut self) {
        self.part = Part::default();
    }

    /// Lets what was collected be drawn, and returns how many trajectories that is.
    pub fn admit(&mut self, store: &Store) -> usize {
        let admitted = self.written.len();
        for written in self.written.drain(..) {
            store.admit(written);
        }
        admitted
    }

    /// One step of every environment.
    fn step(&mut self, agent: &Agent, store: &Store) -> Result<(), TrainError> {
        // Keyed by the step: nothing of a generator needs saving, and a resumed run draws the same.
        let mut draws = rng(self.seed, Role::Policy, 0, self.steps);
        let draws = self.sample.then_some(std::slice::from_mut(&mut draws));
        let mut actions = self.driver.act(agent, self.envs.results(), draws);
        for (i, action) in actions.iter_mut().enumerate() {
            let (at, explore) = (&self.envs.results()[i], &mut self.exploration[i]);
            let mut draws = rng(self.seed, Role::Exploration, i as u64, explore.state().global_step);
            explore.apply(action, at.local_step, at.obs.action_mask(), &mut draws);
        }
        // A step that was refused as a whole gave nothing. Where only some workers failed, the steps
        // of the others count.
        let failed = match self.envs.step(&actions) {
            Err(error) if error.faults().is_empty() => return Err(error.into()),
            result => result.err(),
        };
        // Before anything is replaced: afterwards the results are those of new episodes.
        self.record(&actions, store)?;
        if let Some(error) = failed {
            for i in self.faults.revive(&mut self.envs, error)? {
                self.begin(i)?;
            }
        }
        self.steps += 1;
        self.faults.stepped(self.envs.len());
        Ok(())
    }

    /// Takes in what a step gave.
    fn record(&mut self, actions: &[Action], store: &Store) -> Result<(), TrainError> {
        self.driver.observe(actions, self.envs.results());
        for (i, action) in actions.iter().enumerate() {
            let result = &self.envs.results()[i];
            // What a step gave that failed is not known, so the episode is no data.
            if result.faulted && result.episode.is_none() {
                continue;
            }
            // Environments begin anew at once: `obs` may be the first of the next episode.
            let next = result.final_obs().unwrap_or(&result.obs);
            self.builders[i].push(action, &result.step, next)?;
            if let Some(stats) = &result.episode {
                self.part.episodes.push(stats.clone());
                let (trajectory, faulted) = (self.builders[i].finish(), result.faulted);
                self.store(store, &trajectory)?;
                if !faulted {
                    self.begin(i)?;
                }
            } else if self.is_long(i) {
                let trajectory = self.builders[i].cut();
                self.store(store, &trajectory)?;
                self.outgrown = self.outgrown.or_else(|| self.whole.take());
            }
        }
        Ok(())
    }

    /// Whether what was recorded is to be cut off. The length depends on the step at which it began.
    fn is_long(&self, i: usize) -> bool {
        let (len, [shortest, longest]) = (self.builders[i].len(), self.traj_save_len);
        if len < shortest || shortest == longest {
            return len >= shortest;
        }
        // By the step at which it began, so that a resumed run cuts at the same place.
        let begun = self.exploration[i].state().global_step - len as u64;
        len >= rng(self.seed, Role::TrajectoryLength, i as u64, begun).random_range(shortest..=longest)
    }

    fn store(&mut self, store: &Store, trajectory: &Trajectory) -> Result<(), TrainError> {
        // On disk at once, so that a crash loses no episode; drawn from at the epoch's end, so that batches
        // do not depend on timing.
        self.written.push(store.write(trajectory)?);
        Ok(())
    }
}
