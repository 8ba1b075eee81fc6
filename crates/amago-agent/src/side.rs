//! Parts of a batch side by side, where that is faster than one after the other: on a CPU the parts keep all
//! threads busy in operations that are too small to be shared out, too.

use std::ops::Range;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::loss::{cuts, joined, reduce, sum};
use crate::mask::{Weighting, Weights};
use crate::terms::{Pass, popart_after};
use crate::{Agent, AgentConfig, Draws, Loss, LossTerms, PopArt, TrainBatch};

/// What one part needs for itself.
pub(crate) struct Part {
    /// The same weights as leaves of a graph of its own: one graph admits one thread at a time.
    agent: Agent,
    batch: TrainBatch,
    rows: Range<usize>,
    draws: Box<dyn Draws>,
    /// Keys of the random draws before and after the targets.
    keys: [u64; 2],
}

/// A part whose targets are known.
struct Begun<'a> {
    pass: Pass<'a>,
    target: Option<Tensor<3>>,
    rows: Range<usize>,
    draws: &'a mut dyn Draws,
    key: u64,
}

/// A part whose terms are known.
struct Made<'a> {
    pass: Pass<'a>,
    terms: LossTerms,
    rows: Range<usize>,
}

impl<'a> Begun<'a> {
    fn make(self, popart: PopArt) -> Made<'a> {
        let Self { pass, target, rows, draws, key } = self;
        let terms = amago_ops::with_stream(key, || pass.terms(target, popart, draws));
        Made { pass, terms, rows }
    }
}

impl Made<'_> {
    fn backward(self, config: &AgentConfig, weights: &Weights) -> (Loss, GradientsParams) {
        self.pass.backward(reduce(self.terms, config, &weights.rows(&self.rows)))
    }
}

/// Cuts a batch; nothing where it is not worth it, or where the draws come in an order.
pub(crate) fn parts(agent: &Agent, batch: &TrainBatch, draws: &dyn Draws) -> Option<Vec<Part>> {
    // The number of parts belongs to the device, not to its threads: results depend on the cut.
    let device = batch.mask.device();
    let rows = cuts(batch.mask.dims()[0], amago_ops::parts(&device));
    if rows.len() < 2 {
        return None;
    }
    let part = |rows: &Range<usize>| {
        Some(Part {
            draws: draws.fork()?,
            agent: agent.clone().fork(&device),
            batch: batch.rows(rows),
            rows: rows.clone(),
            // Drawn here, one part after the other: it must not matter which of them a thread takes up first.
            // Two, because a part is set down when its targets are known, and another thread may go on with
            // it.
            keys: [(); 2].map(|()| amago_ops::random_key(&device)),
        })
    };
    rows.iter().map(part).collect()
}

/// Loss and gradient of a batch in parts. They meet once in between, because PopArt knows the targets of all, and once
/// more where the weights depend on the losses of all.
pub(crate) fn differentiate(
    agent: &Agent,
    config: &AgentConfig,
    mut parts: Vec<Part>,
    weighting: &Weighting<'_>,
    checkpointing: bool,
) -> (Loss, GradientsParams) {
    let begun = amago_ops::side_by_side(parts.iter_mut().collect(), |part: &mut Part| {
        let Part { agent, batch, rows, draws, keys } = part;
        let [first, key] = *keys;
        amago_ops::with_stream(first, || {
            let pass = Pass::new(agent, config, batch, checkpointing);
            let target = pass.target(draws.as_mut());
            Begun { pass, target, rows: rows.clone(), draws: draws.as_mut(), key }
        })
    });
    let targets: Vec<_> = begun.iter().map(|part| part.target.clone()).collect();
    let popart = popart_after(agent, weighting.batch(), joined(&targets));
    let found = match weighting.known() {
        // Terms and gradient in one go, so that no part waits with its graph for the other.
        Some(weights) => {
            amago_ops::side_by_side(begun, |part| part.make(popart.clone()).backward(config, &weights))
        }
        None => {
            let made = amago_ops::side_by_side(begun, |part| part.make(popart.clone()));
            let weights = weighting.of(made.iter().map(|part| &part.terms));
            amago_ops::side_by_side(made, |part| part.backward(config, &weights))
        }
    };
    sum(agent, found.into_iter())
}
