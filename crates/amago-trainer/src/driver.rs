//! Steps a policy in many environments at once: inputs, memory, choice of action.

use std::collections::VecDeque;

use amago_agent::{Agent, Noise, NoiseSource, Policy, StepInput};
use amago_env::vector::{VecEnv, WorkerStep};
use amago_env::{Action, Column, Rng, Space};
use amago_seqmodel::{ObsLayout, Replay, RolloutState};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::convert::{obs_layout, obs_tensors};

/// What one row fed to the policy at one step.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Row {
    obs: Vec<Column>,
    rl2: Vec<f32>,
    time: i64,
}

impl Row {
    /// Overwrites everything, in the memory that is there.
    fn set(&mut self, step: &WorkerStep, rl2: &[f32]) {
        let columns = step.obs.columns();
        if self.obs.len() == columns.len() {
            self.obs.iter_mut().zip(columns).for_each(|(to, from)| to.copy_from(from));
        } else {
            self.obs = columns.to_vec();
        }
        self.rl2.clear();
        self.rl2.extend_from_slice(rl2);
        self.time = step.local_step as i64;
    }
}

/// The inputs of every row from which its memory is made again: what a checkpoint keeps of a driver.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DriverState {
    rows: Vec<VecDeque<Row>>,
    rl2: Vec<Vec<f32>>,
}

/// The memory of one policy over the rows of a vector of environments.
///
/// Each row keeps those inputs of its running episode from which the encoder can make the memory again
/// when the weights change.
pub struct PolicyDriver {
    state: RolloutState,
    context: usize,
    replay: Replay,
    rows: Vec<VecDeque<Row>>,
    /// Rows whose memory waits for new inputs.
    spare: Vec<Row>,
    rl2: Vec<Vec<f32>>,
    layout: ObsLayout,
    action_space: Space,
    device: Device,
}

impl PolicyDriver {
    /// An empty memory for a row per environment, on a device without autodiff.
    pub fn new(agent: &Agent, envs: &VecEnv, context: usize, device: &Device) -> Self {
        let n = envs.len();
        Self {
            state: agent.rollout_state(n, context, device),
            context,
            replay: agent.traj_encoder.replay(context),
            rows: vec![VecDeque::new(); n],
            spare: Vec::new(),
            rl2: vec![vec![0.0; 1 + envs.action_space().width()]; n],
            layout: obs_layout(envs.observation_space()),
            action_space: envs.action_space().clone(),
            device: device.clone(),
        }
    }

    /// Chooses an action per row from the current observations.
    pub fn act(&mut self, agent: &Agent, steps: &[WorkerStep], greedy: bool, rng: &mut Rng) -> Vec<Action> {
        let policy = self.policy(agent, steps);
        let vectors = match greedy {
            true => policy.greedy(),
            false => policy.sample(1, &mut HostNoise(rng)).squeeze_dim(0),
        };
        let vectors: Vec<f32> = vectors.into_data().iter::<f32>().collect();
        let rows = vectors.chunks_exact(self.action_space.width());
        rows.map(|vector| Action::decode(&self.action_space, vector)).collect()
    }

    /// Takes in the current observations and gives the policy that acts on them: `B` is the rows,
    /// `L` and `G` are one.
    pub fn policy(&mut self, agent: &Agent, steps: &[WorkerStep]) -> Policy {
        for (i, step) in steps.iter().enumerate() {
            let mut row = self.spare.pop().unwrap_or_default();
            row.set(step, &self.rl2[i]);
            self.rows[i].push_back(row);
        }
        let newest = self.rows.iter().map(|h| h.back().expect("just pushed")).collect::<Vec<_>>();
        let mut input = step_input(&newest, &self.layout, &self.device);
        input.legal = self.legal(steps);
        let policy = agent.act(input, &mut self.state);
        let Replay { first, last } = self.replay;
        for history in self.rows.iter_mut().filter(|h| h.len() > first.saturating_add(last)) {
            self.spare.extend(history.remove(first));
        }
        policy
    }

    /// Masks of all rows; environments of a vector have equal spaces, so all have one or none has.
    fn legal(&self, steps: &[WorkerStep]) -> Option<Tensor<3>> {
        let masks: Vec<f32> = steps.iter().filter_map(|s| s.obs.action_mask()).flatten().copied().collect();
        let shape = [steps.len(), 1, self.action_space.width()];
        (!masks.is_empty()).then(|| Tensor::from_data(TensorData::new(masks, shape), &self.device))
    }

    /// Takes in what a step gave: the next input's reward and action, or a fresh start.
    ///
    /// # Panics
    /// When an action does not belong to the space; the environment has already accepted it.
    pub fn observe(&mut self, actions: &[Action], steps: &[WorkerStep]) {
        for (i, (action, step)) in actions.iter().zip(steps).enumerate() {
            if step.episode.is_some() {
                self.reset(i);
                continue;
            }
            self.rl2[i][0] = step.step.reward;
            action.encode(&self.action_space, &mut self.rl2[i][1..]).expect("the environment accepted it");
        }
    }

    /// Forgets a row.
    pub fn reset(&mut self, row: usize) {
        self.state.reset(row);
        self.spare.extend(self.rows[row].drain(..));
        self.rl2[row].fill(0.0);
    }

    /// What a checkpoint must keep.
    pub fn save(&self) -> DriverState {
        DriverState { rows: self.rows.clone(), rl2: self.rl2.clone() }
    }

    /// Goes on from what was kept, with a memory made by these weights. Says what does not fit.
    pub(crate) fn load(&mut self, state: DriverState, agent: &Agent) -> Result<(), String> {
        let n = self.rows.len();
        if state.rows.len() != n || state.rl2.len() != n {
            return Err(format!("it holds {} actors, train.parallel_actors is {n}", state.rows.len()));
        }
        let widths: Vec<usize> = self.layout.0.iter().map(|(_, kind)| kind.width()).collect();
        let d_rl2 = 1 + self.action_space.width();
        let fits = |row: &Row| row.rl2.len() == d_rl2 && row.obs.iter().map(Column::len).eq(widths.clone());
        if !(state.rows.iter().flatten().all(fits) && state.rl2.iter().all(|rl2| rl2.len() == d_rl2)) {
            return Err("its observations or actions are not those of the task".to_owned());
        }
        (self.rows, self.rl2) = (state.rows, state.rl2);
        self.reencode(agent);
        Ok(())
    }

    /// Encodes the running episodes again with other weights. Rows of different lengths are aligned
    /// at their ends: a row that has not begun is fed a dummy and reset before its first input.
    pub fn reencode(&mut self, agent: &Agent) {
        let longest = self.rows.iter().map(VecDeque::len).max().unwrap_or(0);
        self.state = agent.rollout_state(self.rows.len(), self.context, &self.device);
        let Some(dummy) = self.rows.iter().find_map(|h| h.front().cloned()) else { return };
        for j in 0..longest {
            let mut inputs = Vec::with_capacity(self.rows.len());
            for (i, history) in self.rows.iter().enumerate() {
                let start = longest - history.len();
                if j == start {
                    self.state.reset(i);
                }
                inputs.push(j.checked_sub(start).map_or(&dummy, |t| &history[t]));
            }
            agent.act(step_input(&inputs, &self.layout, &self.device), &mut self.state);
        }
        // A row at an episode's start was fed dummies only.
        for i in (0..self.rows.len()).filter(|i| self.rows[*i].is_empty()) {
            self.state.reset(i);
        }
    }
}

fn step_input(rows: &[&Row], layout: &ObsLayout, device: &Device) -> StepInput {
    let (n, d_rl2) = (rows.len(), rows[0].rl2.len());
    let mut columns = rows[0].obs.clone();
    for row in &rows[1..] {
        columns.iter_mut().zip(&row.obs).for_each(|(to, from)| to.extend(from, 0..from.len()));
    }
    let rl2s: Vec<f32> = rows.iter().flat_map(|r| r.rl2.iter().copied()).collect();
    let times: Vec<i64> = rows.iter().map(|r| r.time).collect();
    StepInput {
        obs: obs_tensors(columns, layout, [n, 1], device),
        rl2s: Tensor::from_data(TensorData::new(rl2s, [n, 1, d_rl2]), device),
        times: Tensor::from_data(TensorData::new(times, [n, 1]), device),
        legal: None,
    }
}

/// Draws from a stream of the host, so that what is played does not depend on the device's generator.
struct HostNoise<'a>(&'a mut Rng);

impl NoiseSource for HostNoise<'_> {
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        let mut draw = || match kind {
            Noise::Uniform => self.0.random::<f32>(),
            Noise::Normal => self.0.sample(StandardNormal),
            // The open interval: at its ends the logarithms are infinite.
            Noise::Gumbel => -(-(self.0.random::<f32>().clamp(1e-10, 1.0 - 1e-7)).ln()).ln(),
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}
