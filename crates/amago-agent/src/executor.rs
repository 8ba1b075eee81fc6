//! One batch as a list of parts: computed one after the other or side by side, added up in the end.

use std::ops::Range;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

use crate::loss::{dims, reduce};
use crate::mask::{Weighting, Weights};
use crate::terms::{Pass, popart_after};
use crate::{Agent, AgentConfig, Draws, Loss, LossMask, LossTerms, OptimConfig, PopArt, TrainBatch};

/// Sequences of a batch.
struct Part {
    agent: Agent,
    batch: TrainBatch,
    rows: Range<usize>,
}

/// Random draws of a part that is computed at the same time as others.
struct Own {
    draws: Box<dyn Draws>,
    /// Keys of what else is drawn before the targets are known, and after. Two, because a part is set down in between,
    /// and another thread may go on with it.
    keys: std::array::IntoIter<u64, 2>,
}

/// A part whose targets are known.
struct Begun<'a> {
    part: &'a Part,
    /// Absent where it would be too large to wait: it is computed again, with gradient.
    pass: Option<Pass<'a>>,
    target: Option<Tensor<3>>,
}

/// A part whose terms are known.
struct Made<'a> {
    rows: &'a Range<usize>,
    pass: Pass<'a>,
    terms: LossTerms,
}

/// How a batch becomes a gradient.
pub(crate) struct Executor<'a> {
    /// The networks.
    pub(crate) agent: &'a Agent,
    /// Their settings.
    pub(crate) config: &'a AgentConfig,
    /// Parts, and what is kept of each.
    pub(crate) optim: &'a OptimConfig,
    /// What counts.
    pub(crate) masks: &'a dyn LossMask,
}

impl Executor<'_> {
    /// Loss and gradient of a batch. The result is that of the whole batch, whatever its parts' masks count, but for
    /// random draws and dropout: the targets of micro-batches have none. The loss that comes back has no gradient any
    /// more. [`Agent::begin_update`] comes before it.
    ///
    /// The parts meet once in between, because PopArt knows the targets of all, and once more where the weights depend on
    /// the losses of all.
    pub(crate) fn differentiate(&self, batch: &TrainBatch, draws: &mut dyn Draws) -> (Loss, GradientsParams) {
        let weighting = Weighting::new(batch, dims(self.config), self.masks);
        let (parts, own) = self.parts(batch, draws);
        let parts = parts.iter().zip(own).collect();
        let begun: Vec<_> = each(parts, draws, |part, draws| self.begin(part, draws)).collect();
        let targets: Option<Vec<_>> = begun.iter().map(|(part, _)| part.target.clone()).collect();
        // Once per batch. Were every part to move the statistics, it would learn in other units than the part before.
        let popart = popart_after(self.agent, batch, targets.map(|targets| Tensor::cat(targets, 0)));
        let found = match weighting.known() {
            // Terms and gradient in one go, so that no part waits with its graph for the others.
            Some(weights) => each(begun, draws, move |part, draws| {
                self.backward(self.make(part, popart.clone(), draws), &weights)
            }),
            None => {
                // All would have to wait for the last, with the memory that cutting is to save.
                assert!(self.optim.micro_batches < 2, "micro-batches have no mask that sees the losses");
                let made: Vec<_> =
                    each(begun, draws, |part, draws| self.make(part, popart.clone(), draws)).collect();
                let weights = weighting.of(made.iter().map(|(part, _)| &part.terms));
                each(made, draws, move |part, _| self.backward(part, &weights))
            }
        };
        self.sum(found.map(|(part, _)| part))
    }

    /// Cuts a batch: into micro-batches that are computed one after the other, because side by side they would need the
    /// memory of the whole; else into parts with draws of their own, where the device computes several at once and the
    /// draws come in no order.
    fn parts(&self, batch: &TrainBatch, draws: &dyn Draws) -> (Vec<Part>, Vec<Option<Own>>) {
        let (size, device) = (batch.mask.dims()[0], batch.mask.device());
        let part = |agent: Agent, rows: Range<usize>| Part { agent, batch: batch.rows(&rows), rows };
        if self.optim.micro_batches > 1 {
            let parts = cuts(size, self.optim.micro_batches);
            return parts.into_iter().map(|rows| (part(self.agent.clone(), rows), None)).unzip();
        }
        // Two halves side by side keep both threads of a CPU busy also in operations that are too small to be split: a
        // fifth to a half faster (docs/LOG.md, 2026-11-22, morning, own matrix products). Their number belongs to the
        // device, not to its threads: results depend on the cut.
        let rows = cuts(size, amago_ops::parts(&device));
        let forks: Option<Vec<_>> = rows.iter().map(|_| draws.fork()).collect();
        let Some(forks) = forks.filter(|forks| forks.len() > 1) else {
            return (
                vec![Part { agent: self.agent.clone(), batch: batch.clone(), rows: 0..size }],
                vec![None],
            );
        };
        // Drawn here, one part after the other: it must not matter which of them a thread takes up first.
        let keys = || [(); 2].map(|()| amago_ops::random_key(&device)).into_iter();
        let own = |draws| Some(Own { draws, keys: keys() });
        // The same weights as leaves of a graph for each part: one graph admits one thread at a time.
        let fork = |rows| part(self.agent.clone().fork(&device), rows);
        (rows.into_iter().map(fork).collect(), forks.into_iter().map(own).collect())
    }

    fn begin<'a>(&'a self, part: &'a Part, draws: &mut dyn Draws) -> Begun<'a> {
        if self.optim.micro_batches > 1 {
            // Without autodiff: a graph that nobody walks back would stay in memory until the next backward pass.
            let (plain, inputs) = (part.agent.valid(), part.batch.clone().inner());
            let target = Pass::new(&plain, self.config, &inputs, false).target(draws);
            return Begun { part, pass: None, target: target.map(Tensor::from_inner) };
        }
        let pass = self.pass(part);
        let target = pass.target(draws);
        Begun { part, pass: Some(pass), target }
    }

    fn pass<'a>(&'a self, part: &'a Part) -> Pass<'a> {
        Pass::new(&part.agent, self.config, &part.batch, self.optim.gradient_checkpointing)
    }

    fn make<'a>(&'a self, begun: Begun<'a>, popart: PopArt, draws: &mut dyn Draws) -> Made<'a> {
        let Begun { part, pass, target } = begun;
        let pass = pass.unwrap_or_else(|| self.pass(part));
        let terms = pass.terms(target, popart, draws);
        Made { rows: &part.rows, pass, terms }
    }

    fn backward(&self, made: Made<'_>, weights: &Weights) -> (Loss, GradientsParams) {
        let loss = reduce(made.terms, self.config, &weights.rows(made.rows));
        let total = loss.total.clone().detach();
        (Loss { total, ..loss }, made.pass.gradient(loss.total))
    }

    /// Sums of losses and gradients. What comes one after the other is never there all at once.
    fn sum(&self, parts: impl Iterator<Item = (Loss, GradientsParams)>) -> (Loss, GradientsParams) {
        // Plain sums: weights are shares of the whole batch already. In the original every micro-batch forgets the
        // gradients of those before it.
        let mut grads = GradientsAccumulator::new();
        let losses = parts.map(|(loss, gradient)| {
            grads.accumulate(self.agent, gradient);
            loss
        });
        let add = |a: Loss, b: Loss| Loss {
            total: a.total + b.total,
            report: a.report + b.report,
            popart: a.popart,
        };
        let loss = losses.reduce(add).expect("a batch has at least one sequence");
        (loss, grads.grads())
    }
}

/// Does the same with every part: at once where all of them have draws of their own, else each when its result is asked
/// for, with draws that they share.
fn each<'a, T: Send + 'a, R: Send + 'a>(
    parts: Vec<(T, Option<Own>)>,
    draws: &'a mut dyn Draws,
    f: impl Fn(T, &mut dyn Draws) -> R + Sync + Send + 'a,
) -> Box<dyn Iterator<Item = (R, Option<Own>)> + 'a> {
    if parts.iter().any(|(_, own)| own.is_none()) {
        return Box::new(parts.into_iter().map(move |(part, _)| (f(part, draws), None)));
    }
    let results = amago_ops::side_by_side(parts, |(part, own)| {
        let mut own = own.expect("all parts have draws of their own");
        let result = match own.keys.next() {
            Some(key) => amago_ops::with_stream(key, || f(part, own.draws.as_mut())),
            // Nothing is drawn any more.
            None => f(part, own.draws.as_mut()),
        };
        (result, Some(own))
    });
    Box::new(results.into_iter())
}

/// Parts of about equal size, none of them empty.
fn cuts(size: usize, parts: usize) -> Vec<Range<usize>> {
    let cut = |i: usize| i * size / parts;
    (0..parts).map(|i| cut(i)..cut(i + 1)).filter(|rows| !rows.is_empty()).collect()
}
