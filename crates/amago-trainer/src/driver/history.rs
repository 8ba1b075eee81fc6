//! What is kept of a running episode, to make the memory of it again.

use std::collections::VecDeque;

use amago_env::Column;
use amago_env::vector::WorkerStep;

/// What one row fed to the policy at one step.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Row {
    pub obs: Vec<Column>,
    pub rl2: Vec<f32>,
    pub time: i64,
}

impl Row {
    /// Overwrites everything, in the memory that is there.
    pub fn set(&mut self, step: &WorkerStep, rl2: &[f32]) {
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

/// Inputs of one row, and for encoders whose state can be read, states between them.
///
/// Such a row holds at most two windows of inputs. When it would hold more, the first window goes, and what the
/// encoder knew after it, by the weights of then, takes its place. So memory and time are bounded however long the
/// episode is, while the last window at least is always encoded by the weights of now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct History {
    pub inputs: VecDeque<Row>,
    pub anchors: Anchors,
}

/// States between inputs.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Anchors {
    /// Before the first input; absent where that is the episode's first.
    pub before: Option<Vec<f32>>,
    /// After the first window of inputs, once there are so many.
    pub middle: Option<Vec<f32>>,
}

/// The inputs of every row from which its memory is made again: what a checkpoint keeps of a driver.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DriverState {
    rows: Vec<VecDeque<Row>>,
    rl2: Vec<Vec<f32>>,
    /// Of every row; there are none in old checkpoints.
    #[serde(default)]
    anchors: Vec<Anchors>,
}

impl DriverState {
    pub(super) fn new(rows: &[History], rl2: &[Vec<f32>]) -> Self {
        Self {
            rows: rows.iter().map(|history| history.inputs.clone()).collect(),
            rl2: rl2.to_vec(),
            anchors: rows.iter().map(|history| history.anchors.clone()).collect(),
        }
    }

    /// The parts again, for so many rows with observations and previous step of these widths and a memory of so
    /// many values, where it is kept. Says what does not fit.
    pub(super) fn checked(
        self,
        n: usize,
        (widths, d_rl2): (&[usize], usize),
        memory: Option<usize>,
    ) -> Result<(Vec<History>, Vec<Vec<f32>>), String> {
        // A checkpoint may be of another config, or damaged: tensors of other shapes would panic later.
        if self.rows.len() != n || self.rl2.len() != n {
            return Err(format!("it holds {} actors, train.parallel_actors is {n}", self.rows.len()));
        }
        let fits =
            |row: &Row| row.rl2.len() == d_rl2 && row.obs.iter().map(Column::len).eq(widths.iter().copied());
        if !(self.rows.iter().flatten().all(fits) && self.rl2.iter().all(|rl2| rl2.len() == d_rl2)) {
            return Err("its observations or actions are not those of the task".to_owned());
        }
        let states = self.anchors.iter().flat_map(|a| [&a.before, &a.middle]).flatten();
        if states.into_iter().any(|state| Some(state.len()) != memory) {
            return Err("its memory is not that of agent.traj_encoder".to_owned());
        }
        let anchors = self.anchors.into_iter().chain(std::iter::repeat(Anchors::default()));
        let rows = self.rows.into_iter().zip(anchors);
        Ok((rows.map(|(inputs, anchors)| History { inputs, anchors }).collect(), self.rl2))
    }
}
