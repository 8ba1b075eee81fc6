//! The lines that an inspection writes.

use std::io::Write;
use std::sync::Arc;

use amago_agent::{Filter, ValueReport, Values};
use amago_replay::Trajectory;
use burn::tensor::Tensor;
use serde::Serialize;

use super::InspectSummary;
use crate::{CheckpointMeta, RunConfig, TrainError, task};

/// Version of the lines' layout.
const VERSION: u32 = 1;

/// Name, shape, unit and meaning of every field of a step.
const FIELDS: &[(&str, &str, &str, &str)] = &[
    ("kind", "[]", "text", "what the line is: header or step"),
    ("trajectory", "[]", "none", "number of the stored trajectory"),
    ("t", "[]", "steps", "step within the episode, from 0"),
    ("reward", "[]", "reward", "reward of the action, not multiplied"),
    ("action", "[A]", "none", "action taken: one-hot blocks, bits, or numbers in [-1, 1]"),
    ("q", "[G]", "multiplied reward", "Q(s, a) of the action taken, mean over the critics"),
    ("v", "[G]", "multiplied reward", "V(s): mean of Q over actions of the policy and over the critics"),
    ("advantage", "[G]", "multiplied reward", "Q(s, a) - V(s)"),
    ("filter", "[G]", "none", "weight of the action in the offline actor loss"),
    ("q_std", "[G]", "multiplied reward", "standard deviation of Q(s, a) over the critics"),
    ("v_std", "[G]", "multiplied reward", "standard deviation of V(s) over the critics"),
    ("advantage_std", "[G]", "multiplied reward", "standard deviation of Q(s, a) - V(s) over the critics"),
    ("filter_std", "[G]", "none", "standard deviation of the weights that single critics would give"),
];

/// The first line.
#[derive(Serialize)]
pub(super) struct Header<'a> {
    kind: &'static str,
    version: u32,
    env: String,
    updates: u64,
    critics: usize,
    gammas: Vec<f32>,
    reward_multiplier: f32,
    filter: &'a Filter,
    slice: usize,
    shapes: &'static str,
    fields: Vec<Field>,
}

/// Meaning of one field of a step.
#[derive(Serialize)]
struct Field {
    name: &'static str,
    shape: &'static str,
    unit: &'static str,
    doc: &'static str,
}

/// One timestep of one trajectory.
#[derive(Serialize)]
struct StepLine<'a> {
    kind: &'static str,
    trajectory: u64,
    t: i64,
    reward: f32,
    action: &'a [f32],
    q: &'a [f32],
    v: &'a [f32],
    advantage: &'a [f32],
    filter: &'a [f32],
    q_std: &'a [f32],
    v_std: &'a [f32],
    advantage_std: &'a [f32],
    filter_std: &'a [f32],
}

impl<'a> Header<'a> {
    /// For values of an agent at a checkpoint.
    pub fn new(run: &'a RunConfig, meta: CheckpointMeta) -> Self {
        let config = &run.agent;
        Self {
            kind: "header",
            version: VERSION,
            env: task::label(run),
            updates: meta.updates,
            critics: config.n_critics,
            gammas: config.gammas(),
            reward_multiplier: config.reward_multiplier,
            filter: &config.filter,
            slice: run.train.max_seq_len,
            shapes: "G: discounts in the order of gammas, the acting one last; A: entries of an action",
            fields: FIELDS.iter().map(|&(name, shape, unit, doc)| Field { name, shape, unit, doc }).collect(),
        }
    }
}

/// A slice of a stored trajectory, with its number.
pub(super) struct Piece {
    pub number: u64,
    pub trajectory: Arc<Trajectory>,
    pub start: usize,
    pub end: usize,
}

/// A report on the host: each `[B, L, G]`, in the order of the fields of a step.
pub(super) struct Columns {
    values: [Vec<f32>; 8],
    len: usize,
    gammas: usize,
}

impl Columns {
    /// Copies a report.
    pub fn new(report: ValueReport) -> Self {
        let [_, len, gammas] = report.values.q.dims();
        let parts = |x: Values| [x.q, x.v, x.advantage, x.filter];
        let [q, v, advantage, filter] = parts(report.values);
        let [q_std, v_std, advantage_std, filter_std] = parts(report.spread);
        let host = |x: Tensor<3>| x.into_data().iter::<f32>().collect();
        let values = [q, v, advantage, filter, q_std, v_std, advantage_std, filter_std].map(host);
        Self { values, len, gammas }
    }

    /// All fields of one timestep, each `[G]`.
    fn row(&self, b: usize, t: usize) -> [&[f32]; 8] {
        let start = (b * self.len + t) * self.gammas;
        self.values.each_ref().map(|x| &x[start..start + self.gammas])
    }
}

/// Lines in the making, and the sums of what they say.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    pub summary: InspectSummary,
}

impl<'a> Lines<'a> {
    /// Nothing written yet.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out, summary: InspectSummary::default() }
    }

    /// Writes every timestep of some slices; row `b` of the columns belongs to slice `b`.
    pub fn pieces(&mut self, pieces: &[Piece], columns: &Columns) -> Result<(), TrainError> {
        for (b, piece) in pieces.iter().enumerate() {
            let data = piece.trajectory.columns();
            let width = piece.trajectory.layout().action_width;
            for t in piece.start..piece.end {
                let row = columns.row(b, t - piece.start);
                self.count(row);
                let [q, v, advantage, filter, q_std, v_std, advantage_std, filter_std] = row;
                let step = StepLine {
                    kind: "step",
                    trajectory: piece.number,
                    t: data.start_time + t as i64,
                    reward: data.rewards[t],
                    action: &data.actions[t * width..(t + 1) * width],
                    q,
                    v,
                    advantage,
                    filter,
                    q_std,
                    v_std,
                    advantage_std,
                    filter_std,
                };
                line(self.out, &step)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, [q, _, advantage, filter, q_std, _, advantage_std, _]: [&[f32]; 8]) {
        let acting = |x: &[f32]| x.last().copied().map_or(0.0, f64::from);
        let passed = filter.iter().filter(|w| **w > 0.0).count() as f64 / filter.len() as f64;
        let summary = &mut self.summary;
        summary.steps += 1;
        summary.filter_pass += passed;
        summary.q += acting(q);
        summary.advantage += acting(advantage);
        summary.q_std += acting(q_std);
        summary.advantage_std += acting(advantage_std);
    }

    /// Means instead of sums.
    pub fn finish(mut self) -> InspectSummary {
        // Stopped before the first line there is nothing to divide by.
        let n = self.summary.steps.max(1) as f64;
        let s = &mut self.summary;
        for sum in [&mut s.filter_pass, &mut s.q, &mut s.advantage, &mut s.q_std, &mut s.advantage_std] {
            *sum /= n;
        }
        self.summary
    }
}

/// Writes one line.
pub(super) fn line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), TrainError> {
    let text = serde_json::to_string(value).map_err(|e| TrainError::Output(e.into()))?;
    writeln!(out, "{text}").map_err(TrainError::Output)
}
