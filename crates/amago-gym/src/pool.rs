//! All workers of one environment, and who plays what in them.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use amago_env::kshot::KShot;
use amago_env::registry::{self, OptionDoc};
use amago_env::{Env, EnvError, TaskSpec};
use toml::Table;

use crate::env::GymEnv;
use crate::group::{Common, Group};
use crate::layout::Layout;
use crate::process::Process;
use crate::{GymConfig, GymError};

/// What the id of an environment of this crate begins with.
pub const PREFIX: &str = "gym:";

/// The options with their defaults and meanings, except `k_shot`, which every environment has.
pub fn options() -> Vec<OptionDoc> {
    registry::options::<GymConfig>()
}

/// A Python environment that can be made as often as needed. Copies share worker processes, which are started when they
/// are needed, used again, and ended with the last of `Gym` and its environments.
///
/// ```no_run
/// let gym = amago_gym::Gym::new("gym:MountainCar-v0", &toml::Table::new())?;
/// assert_eq!(gym.spec().horizon, Some(200));
/// let env = gym.env()?;
/// # Ok::<(), amago_env::EnvError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gym {
    pool: Arc<Pool>,
    k_shot: usize,
}

/// Environments that are stepped together, and therefore share workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Team {
    number: usize,
    /// Which of its workers.
    worker: usize,
    /// Copies in each of them.
    copies: usize,
}

#[derive(Debug)]
pub(crate) struct Pool {
    pub common: Arc<Common>,
    groups: Mutex<Groups>,
    teams: AtomicUsize,
    /// Seconds of a step; 0 where it cannot be timed.
    step_time: Mutex<Option<f64>>,
}

/// A worker, with the team and which one of the team it is.
type Worker = (Option<(usize, usize)>, Arc<Group>);

#[derive(Debug)]
struct Groups {
    all: Vec<Worker>,
    /// Workers started so far.
    started: usize,
    /// Sizes of those that were lost: their environments come back one by one.
    lost: Vec<usize>,
}

impl Gym {
    /// Starts a worker and learns the spaces of the environment `id`, with or without the prefix [`PREFIX`]. `options` are
    /// those of [`GymConfig`], and `k_shot` as in [`registry::make`].
    ///
    /// # Errors
    /// When an option cannot be used, or the environment cannot be made; the message then ends with Python's traceback.
    ///
    /// ```
    /// let options = "python = \"/no/such/python\"".parse().unwrap();
    /// let error = amago_gym::Gym::new("gym:CartPole-v1", &options).unwrap_err();
    /// assert!(error.to_string().starts_with("environment \"gym:CartPole-v1\": python \"/no/such/python\" cannot be started"));
    /// ```
    pub fn new(id: &str, options: &Table) -> Result<Self, EnvError> {
        let name = name(id);
        let (own, k_shot) = registry::take_k_shot(&name, options)?;
        let gym = Self::with_config(&name, registry::parse(&name, &own)?)?;
        Ok(Self { k_shot, ..gym })
    }

    /// As [`Gym::new`], with options that were read already.
    ///
    /// # Errors
    /// As [`Gym::new`].
    pub fn with_config(id: &str, config: GymConfig) -> Result<Self, EnvError> {
        let name = name(id);
        let id = name[PREFIX.len()..].to_owned();
        let refuse = |e: GymError| EnvError::Option { env: name.clone(), message: e.to_string() };
        let config = config.check().map_err(refuse)?;
        let (process, hello) = Process::start(&config, &id, 0).map_err(refuse)?;
        let layout = Layout::read(&name, &hello, &config).map_err(refuse)?;
        let copies = config.copies_per_worker.max(1);
        let common = Arc::new(Common { id, config, layout });
        let group = Arc::new(Group::new(common.clone(), 0, copies, Some((process, true)))?);
        let groups = Mutex::new(Groups { all: vec![(None, group)], started: 1, lost: Vec::new() });
        let pool = Arc::new(Pool { common, groups, teams: AtomicUsize::new(0), step_time: Mutex::new(None) });
        Ok(Self { pool, k_shot: 1 })
    }

    /// Name, spaces and horizon of the environment, without `k_shot`.
    pub fn spec(&self) -> &TaskSpec {
        &self.pool.common.layout.spec
    }

    /// One environment. It takes a free copy of any worker when it is reset first, so it may replace one that failed; where
    /// there is none, a worker is started.
    ///
    /// # Errors
    /// When `k_shot` does not go with its observations.
    pub fn env(&self) -> Result<Box<dyn Env>, EnvError> {
        self.seat(None)
    }

    /// Environments that will be stepped together: with `copies_per_worker` copies in each worker. Where that is 0, a few
    /// random steps are timed. Of a cheap environment there are as many workers as the machine has cores; each has 0.2
    /// ms of work at each step if there are more, up to one worker for each copy of an expensive environment. All
    /// lanes of a vectorised one are in one worker.
    ///
    /// # Errors
    /// As [`Gym::env`].
    pub fn envs(&self, n: usize) -> Result<Vec<Box<dyn Env>>, EnvError> {
        let copies = match self.pool.common.config.copies_per_worker {
            0 if self.pool.common.config.vectorized => n,
            0 => copies(n, thread::available_parallelism().map_or(1, NonZero::get), || self.pool.time()),
            copies => copies.min(n),
        };
        let (number, copies) = (self.pool.teams.fetch_add(1, Ordering::Relaxed), copies.max(1));
        (0..n).map(|i| self.seat(Some(Team { number, worker: i / copies, copies }))).collect()
    }

    fn seat(&self, team: Option<Team>) -> Result<Box<dyn Env>, EnvError> {
        let env: Box<dyn Env> = Box::new(GymEnv::new(self.pool.clone(), team));
        if self.k_shot == 1 { Ok(env) } else { Ok(Box::new(KShot::new(env, self.k_shot)?)) }
    }
}

fn name(id: &str) -> String {
    if id.starts_with(PREFIX) { id.to_owned() } else { format!("{PREFIX}{id}") }
}

/// What a worker should have to do at each step, in seconds: many times what it costs to ask for it.
const WORK: f64 = 0.0002;

/// Copies in each worker, for `n` in all.
fn copies(n: usize, cores: usize, time: impl FnOnce() -> Option<f64>) -> usize {
    let most = n.div_ceil(cores.min(n).max(1));
    if most <= 1 {
        return most;
    }
    match time() {
        Some(seconds) if seconds > 0.0 => ((WORK / seconds).ceil() as usize).clamp(1, most),
        _ => most,
    }
}

impl Pool {
    /// Seconds that a step takes, where it can be timed.
    fn time(&self) -> Option<f64> {
        let mut known = self.step_time.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let is_idle = |worker: &&Worker| matches!(worker.1.occupation(), Some((0, _)));
            let idle = self.lock().all.iter().find(is_idle)?.1.clone();
            *known = Some(idle.time().unwrap_or(0.0));
        }
        *known
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a free copy, in a worker that may still have to be started.
    ///
    /// # Errors
    /// When there is no room for one.
    pub fn take(&self, team: Option<Team>) -> Result<(Arc<Group>, usize), EnvError> {
        let mut groups = self.lock();
        let groups = &mut *groups;
        // Beside those that it will be stepped with.
        let place = team.map(|team| (team.number, team.worker));
        let mine = |other: &Option<(usize, usize)>| place.is_none() || *other == place;
        let mut free: Vec<_> = groups.all.iter().filter(|(other, _)| mine(other)).collect();
        free.sort_by_key(|(_, group)| std::cmp::Reverse(group.occupation()));
        if let Some(found) = free.iter().find_map(|(_, group)| Some((group.clone(), group.take()?))) {
            return Ok(found);
        }
        let idle = |group: &Group, copies: usize| group.occupation() == Some((0, copies));
        if let Some(team) = team
            && let Some((other, group)) = groups.all.iter_mut().find(|(_, group)| idle(group, team.copies))
            && let Some(index) = group.take()
        {
            *other = place;
            return Ok((group.clone(), index));
        }
        self.start(groups, team)
    }

    /// A new worker, which has the process of one that nobody uses, where there is such a one.
    fn start(&self, groups: &mut Groups, team: Option<Team>) -> Result<(Arc<Group>, usize), EnvError> {
        let alone = || groups.lost.pop().unwrap_or(self.common.config.copies_per_worker.max(1));
        let copies = team.map_or_else(alone, |team| team.copies);
        let idle = groups.all.iter().position(|(_, group)| matches!(group.occupation(), Some((0, _))));
        let process = idle.and_then(|i| groups.all.swap_remove(i).1.close());
        let number = groups.started;
        groups.started += 1;
        let group = Arc::new(Group::new(self.common.clone(), number, copies, process)?);
        let index = group.take().ok_or_else(|| EnvError::Failed("the new worker has no copy".to_owned()))?;
        groups.all.push((team.map(|team| (team.number, team.worker)), group.clone()));
        Ok((group, index))
    }

    /// Remembers how many copies a worker had that is gone.
    pub fn note_lost(&self, group: &Arc<Group>, copies: usize) {
        let mut groups = self.lock();
        let before = groups.all.len();
        groups.all.retain(|(_, other)| !Arc::ptr_eq(other, group));
        if groups.all.len() < before {
            groups.lost.push(copies);
        }
    }

    /// Sends all steps that are queued, so that all workers are busy before anybody waits.
    pub fn flush(&self) {
        self.lock().all.iter().for_each(|(_, group)| group.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::copies;

    #[test]
    fn cheap_environments_share_workers_and_expensive_ones_do_not() {
        let of = |n, cores, seconds: f64| copies(n, cores, || Some(seconds));
        for (n, cores, seconds, expected) in [
            (24, 2, 12e-6, 12),
            (24, 16, 12e-6, 2),
            (24, 2, 100e-6, 2),
            (24, 2, 400e-6, 1),
            (24, 2, 1e-3, 1),
            (24, 16, 1e-3, 1),
            (1, 16, 1e-6, 1),
            (3, 1, 1e-6, 3),
        ] {
            assert_eq!(of(n, cores, seconds), expected, "{n} {cores} {seconds}");
        }
        assert_eq!(copies(24, 2, || None), 12, "not known");
        assert_eq!(copies(0, 2, || None), 0);
    }
}
