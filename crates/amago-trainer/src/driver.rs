//! Steps a policy in many environments at once: inputs, memory, choice of action.

use amago_agent::{Agent, Noise, NoiseSource, Policy, StepInput};
use amago_env::vector::{VecEnv, WorkerStep};
use amago_env::{Action, Rng, Space};
use amago_seqmodel::{ObsLayout, Replay, RolloutState};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::convert::{obs_layout, obs_tensors};

mod history;
pub use history::DriverState;
use history::{Anchors, History, Row};

/// The memory of one policy over the rows of a vector of environments.
///
/// Each row keeps those inputs of its running episode from which the encoder can make the memory again
/// when the weights change. Where these are all of them, but the encoder's state can be read, it keeps the last one
/// or two windows of inputs, and the state before them: see [`DriverState`].
pub struct PolicyDriver {
    state: RolloutState,
    context: usize,
    replay: Replay,
    /// Inputs between two states that are kept, for encoders whose state can be.
    window: Option<usize>,
    rows: Vec<History>,
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
        let state = agent.rollout_state(n, context, device);
        let replay = agent.traj_encoder.replay(context);
        Self {
            window: (replay == Replay::ALL && state.row(0).is_some()).then_some(context),
            state,
            context,
            replay,
            rows: vec![History::default(); n],
            spare: Vec::new(),
            rl2: vec![vec![0.0; 1 + envs.action_space().width()]; n],
            layout: obs_layout(envs.observation_space()),
            action_space: envs.action_space().clone(),
            device: device.clone(),
        }
    }

    /// Chooses an action per row from the current observations: draws it from one stream for all rows or one for
    /// each, or takes the most likely one.
    ///
    /// # Panics
    /// When there is another number of streams.
    pub fn act(&mut self, agent: &Agent, steps: &[WorkerStep], draws: Option<&mut [Rng]>) -> Vec<Action> {
        let policy = self.policy(agent, steps);
        let vectors = match draws {
            None => policy.greedy(),
            Some(streams) => policy.sample(1, &mut HostNoise(streams)).squeeze_dim(0),
        };
        let vectors: Vec<f32> = vectors.into_data().iter::<f32>().collect();
        let rows = vectors.chunks_exact(self.action_space.width());
        rows.map(|vector| Action::decode(&self.action_space, vector)).collect()
    }

    /// Takes in the current observations and gives the policy that acts on them: `B` is the rows,
    /// `L` and `G` are one.
    pub fn policy(&mut self, agent: &Agent, steps: &[WorkerStep]) -> Policy {
        for (i, step) in steps.iter().enumerate() {
            // Buffers of what was forgotten, so that a step allocates nothing.
            let mut row = self.spare.pop().unwrap_or_default();
            row.set(step, &self.rl2[i]);
            self.rows[i].inputs.push_back(row);
        }
        let newest = self.rows.iter().map(|h| h.inputs.back().expect("just pushed")).collect::<Vec<_>>();
        let mut input = step_input(&newest, &self.layout, &self.device);
        input.legal = self.legal(steps);
        let policy = agent.act(input, &mut self.state);
        // After the step: a state that is kept has taken in the newest input.
        self.forget();
        policy
    }

    /// Lets go of inputs that are not needed any more.
    fn forget(&mut self) {
        let Replay { first, last } = self.replay;
        for (i, history) in self.rows.iter_mut().enumerate() {
            if history.inputs.len() > first.saturating_add(last) {
                self.spare.extend(history.inputs.remove(first));
            }
            let Some(window) = self.window else { continue };
            if history.inputs.len() == window {
                history.anchors.middle = self.state.row(i);
            } else if history.inputs.len() >= 2 * window {
                self.spare.extend(history.inputs.drain(..window));
                history.anchors.before = history.anchors.middle.take();
                history.anchors.middle = self.state.row(i);
            }
        }
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
            // How an episode ended is not told to the next one.
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
        self.spare.extend(self.rows[row].inputs.drain(..));
        self.rows[row].anchors = Anchors::default();
        self.rl2[row].fill(0.0);
    }

    /// What a checkpoint must keep.
    pub fn save(&self) -> DriverState {
        DriverState::new(&self.rows, &self.rl2)
    }

    /// Goes on from what was kept, with a memory made by these weights. Says what does not fit.
    pub(crate) fn load(&mut self, state: DriverState, agent: &Agent) -> Result<(), String> {
        let widths: Vec<usize> = self.layout.0.iter().map(|(_, kind)| kind.width()).collect();
        let memory = self.window.and_then(|_| self.state.row(0)).map(|row| row.len());
        (self.rows, self.rl2) =
            state.checked(self.rows.len(), (&widths, 1 + self.action_space.width()), memory)?;
        self.reencode(agent);
        Ok(())
    }

    /// Encodes the running episodes again with other weights. Rows of different lengths are aligned
    /// at their ends: a row that has not begun is fed a dummy and reset before its first input.
    pub fn reencode(&mut self, agent: &Agent) {
        let longest = self.rows.iter().map(|h| h.inputs.len()).max().unwrap_or(0);
        // Empty, not changed: the old memory was made by other weights.
        self.state = agent.rollout_state(self.rows.len(), self.context, &self.device);
        // Any input will do: what a row makes of it is reset.
        let Some(dummy) = self.rows.iter().find_map(|h| h.inputs.front().cloned()) else { return };
        for j in 0..longest {
            let mut inputs = Vec::with_capacity(self.rows.len());
            for (i, History { inputs: own, anchors }) in self.rows.iter().enumerate() {
                let start = longest - own.len();
                if j == start {
                    self.state.reset(i);
                    if let Some(before) = &anchors.before {
                        self.state.set_row(i, before);
                    }
                }
                inputs.push(j.checked_sub(start).map_or(&dummy, |t| &own[t]));
            }
            // All rows in one batch: as many steps as the longest has, each about as dear as a step of one
            // row.
            agent.act(step_input(&inputs, &self.layout, &self.device), &mut self.state);
            self.renew_anchors(j + 1, longest);
        }
        // A row at an episode's start was fed dummies only.
        for i in (0..self.rows.len()).filter(|i| self.rows[*i].inputs.is_empty()) {
            self.state.reset(i);
        }
    }

    /// States between inputs are those of the new weights from now on. A row that holds more than it must, as
    /// those of old checkpoints do, keeps its end.
    fn renew_anchors(&mut self, encoded: usize, longest: usize) {
        let Some(window) = self.window else { return };
        for (i, history) in self.rows.iter_mut().enumerate() {
            let len = history.inputs.len();
            let cut = (len / window).saturating_sub(1) * window;
            let own = (encoded + len).saturating_sub(longest);
            if cut > 0 && own == cut {
                history.anchors.before = self.state.row(i);
            }
            if own > 0 && own == cut + window {
                history.anchors.middle = self.state.row(i);
            }
            if encoded == longest {
                self.spare.extend(history.inputs.drain(..cut));
            }
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

/// Draws from streams of the host, so that what is played does not depend on the device's generator: from one for
/// all rows, or from one for each.
struct HostNoise<'a>(&'a mut [Rng]);

impl NoiseSource for HostNoise<'_> {
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        let [samples, rows, rest @ ..] = shape;
        assert!([1, rows].contains(&self.0.len()), "{} streams for {rows} rows", self.0.len());
        let mut values = Vec::with_capacity(shape.iter().product());
        for row in (0..samples).flat_map(|_| 0..rows) {
            let stream = &mut self.0[if rows == self.0.len() { row } else { 0 }];
            values.extend((0..rest.iter().product()).map(|_| draw(kind, stream)));
        }
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

fn draw(kind: Noise, stream: &mut Rng) -> f32 {
    match kind {
        Noise::Uniform => stream.random(),
        Noise::Normal => stream.sample(StandardNormal),
        // The open interval: at its ends the logarithms are infinite.
        Noise::Gumbel => -(-(stream.random::<f32>().clamp(1e-10, 1.0 - 1e-7)).ln()).ln(),
    }
}
