//! Parts of a batch side by side, where that is faster than one after the other: on a CPU the parts keep all
//! threads busy in operations that are too small to be shared out, too.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::loss::{cuts, joined, reduce, sum};
use crate::mask::Weights;
use crate::terms::{Pass, popart_after};
use crate::{Agent, AgentConfig, Draws, Loss, TrainBatch};

/// What one part needs for itself.
pub(crate) struct Part {
    /// The same weights as leaves of a graph of its own: one graph admits one thread at a time.
    agent: Agent,
    batch: TrainBatch,
    weights: Weights,
    draws: Box<dyn Draws>,
    /// Keys of the random draws before and after the targets.
    keys: [u64; 2],
}

/// A part whose targets are known.
struct Begun<'a> {
    pass: Pass<'a>,
    target: Option<Tensor<3>>,
    weights: &'a Weights,
    draws: &'a mut dyn Draws,
    key: u64,
}

/// Cuts a batch; nothing where it is not worth it, or where the draws come in an order.
pub(crate) fn parts(
    agent: &Agent,
    batch: &TrainBatch,
    weights: &Weights,
    draws: &dyn Draws,
) -> Option<Vec<Part>> {
    let device = batch.mask.device();
    let rows = cuts(batch.mask.dims()[0], amago_ops::parts(&device));
    if rows.len() < 2 {
        return None;
    }
    let part = |rows| {
        Some(Part {
            draws: draws.fork()?,
            agent: agent.clone().fork(&device),
            batch: batch.rows(rows),
            weights: weights.rows(rows),
            keys: [(); 2].map(|()| amago_ops::random_key(&device)),
        })
    };
    rows.iter().map(part).collect()
}

/// Loss and gradient of a batch in parts. They meet once in between, because PopArt knows the targets of all.
pub(crate) fn differentiate(
    agent: &Agent,
    config: &AgentConfig,
    batch: &TrainBatch,
    mut parts: Vec<Part>,
    checkpointing: bool,
) -> (Loss, GradientsParams) {
    let begun = amago_ops::side_by_side(parts.iter_mut().collect(), |part: &mut Part| {
        let Part { agent, batch, weights, draws, keys } = part;
        let [first, key] = *keys;
        amago_ops::with_stream(first, || {
            let pass = Pass::new(agent, config, batch, checkpointing);
            let target = pass.target(draws.as_mut());
            Begun { pass, target, weights, draws: draws.as_mut(), key }
        })
    });
    let targets: Vec<_> = begun.iter().map(|part| part.target.clone()).collect();
    let popart = popart_after(agent, batch, joined(&targets));
    let found = amago_ops::side_by_side(begun, |part| {
        amago_ops::with_stream(part.key, || {
            let terms = part.pass.terms(part.target, popart.clone(), part.draws);
            part.pass.backward(reduce(terms, config, part.weights))
        })
    });
    sum(agent, found.into_iter())
}
