//! The heads of critics that take actions.

use amago_ops::ClassifierHead;
use burn::tensor::{Tensor, activation};

use super::*;

pub const BINS: usize = 11;

pub fn head(
    c: usize,
    n: usize,
    g: usize,
    a: usize,
    depth: usize,
) -> ClassifierHead<impl Fn(Tensor<3>) -> Tensor<3> + Clone> {
    let h = 16;
    let layer = |i: usize| {
        let out = if i + 1 == depth { BINS } else { h };
        (random([c, h, out]), random([c, out]))
    };
    ClassifierHead {
        state: random([c, n, h]),
        gamma: random([c, g, h]),
        action_weight: random([c, a, h]),
        layers: (0..depth).map(layer).collect(),
        activation: |x| leaky(x, 0.01),
        slope: Some(0.01),
        dropout: 0.0,
    }
}

/// The mean over many draws is what comes out without dropout, where the last layer alone follows.
#[test]
fn a_head_with_dropout_is_unbiased() {
    let _alone = seeded();
    let (n, k) = (1, 4000);
    let head = head(2, n, 1, 3, 1);
    let actions = random([1, n, 1, 3]).expand([k, n, 1, 3]);
    let plain = head.clone().logits(actions.clone()).mean_dim(1);
    let dropped = ClassifierHead { dropout: 0.3, ..head }.logits(actions);
    let spread = (dropped.clone().max_dim(1) - dropped.clone().min_dim(1)).min().into_scalar::<f32>();
    assert!(spread > 0.1, "nothing was dropped");
    let apart = (dropped.mean_dim(1) - plain.clone()).abs().max().into_scalar::<f32>();
    let size = plain.abs().max().into_scalar::<f32>();
    assert!(apart < 0.1 * size.max(1.0), "{apart} of {size}");
}

pub fn bins() -> Vec<f32> {
    (0..BINS).map(|i| i as f32 - 4.0).collect()
}

pub fn expected(logits: Tensor<3>) -> Tensor<3> {
    let bins = Tensor::<1>::from_floats(bins().as_slice(), &logits.device()).unsqueeze::<3>();
    (activation::softmax(logits, 2) * bins).sum_dim(2)
}

#[test]
fn expectations_of_a_classifier_head() {
    let _alone = seeded();
    for (c, n, g, k, depth) in [(4, 300, 3, 2, 2), (1, 1, 1, 1, 1), (2, 40, 7, 3, 3)] {
        let head = head(c, n, g, 5, depth);
        let actions = activation::softmax(random([k, n, g, 5]) * 3.0, 3);
        let fused = head.clone().expect(actions.clone(), &bins());
        let plain = expected(head.logits(actions)).reshape([c, k, n * g]);
        close("expectation", fused.inner(), plain.inner());
    }
}

/// Some rows have no gradient, as behind a minimum; some tensors want none.
#[test]
fn values_of_a_head() {
    let _alone = seeded();
    for (c, n, g, k, depth, frozen) in
        [(4, 1100, 2, 1, 2, false), (1, 1, 1, 2, 1, false), (2, 40, 7, 3, 3, true)]
    {
        let mut head = head(c, n, g, 5, depth);
        let last = depth - 1;
        head.layers[last] = (random([c, 16, 1]), random([c, 1]));
        if frozen {
            let constant = |x: Tensor<3>| Tensor::from_inner(x.inner());
            let of_layer = |(w, b): (_, Tensor<2>)| (constant(w), Tensor::from_inner(b.inner()));
            head.layers = head.layers.into_iter().map(of_layer).collect();
            (head.state, head.gamma) = (constant(head.state), constant(head.gamma));
        }
        let actions = random([k, n, g, 5]);
        let fused = head.clone().values(actions.clone());
        let plain = head.clone().logits(actions.clone()).squeeze_dim::<2>(2);
        close("value", fused.clone().inner(), plain.clone().inner());
        let lowest = |values: Tensor<2>| probe(values.min_dim(0));
        let (fused, plain) = (lowest(fused).backward(), lowest(plain).backward());
        close("dactions", actions.grad(&fused).unwrap(), actions.grad(&plain).unwrap());
        let of_action = |grads| head.action_weight.grad(grads).unwrap();
        close("dweight", of_action(&fused), of_action(&plain));
        if frozen {
            assert!(head.state.grad(&fused).is_none() && head.layers[0].0.grad(&fused).is_none());
            continue;
        }
        close("dstate", head.state.grad(&fused).unwrap(), head.state.grad(&plain).unwrap());
        close("dgamma", head.gamma.grad(&fused).unwrap(), head.gamma.grad(&plain).unwrap());
        for (w, b) in &head.layers {
            close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
            close("db", b.grad(&fused).unwrap(), b.grad(&plain).unwrap());
        }
    }
}

#[test]
fn losses_of_a_classifier_head() {
    let _alone = seeded();
    for (c, n, g, depth) in [(4, 1100, 2, 2), (1, 1, 1, 1), (2, 40, 7, 3)] {
        let head = head(c, n, g, 5, depth);
        let actions = activation::softmax(random([n, g, 5]) * 3.0, 2).detach();
        let labels = activation::softmax(random([n * g, BINS]) * 4.0, 1).detach();
        let found = head.clone().classify(actions.clone(), labels.clone(), &bins());
        let logits = head.clone().logits(actions.unsqueeze());
        let plain = (activation::log_softmax(logits.clone(), 2) * labels.unsqueeze()).sum_dim(2).neg();
        close("loss", found.loss.clone().inner(), plain.clone().squeeze_dim(2).inner());
        close("value", found.value.inner(), expected(logits).squeeze_dim(2).inner());
        let (fused, plain) = (probe(found.loss).backward(), probe(plain.squeeze_dim::<2>(2)).backward());
        close("dstate", head.state.grad(&fused).unwrap(), head.state.grad(&plain).unwrap());
        close("dgamma", head.gamma.grad(&fused).unwrap(), head.gamma.grad(&plain).unwrap());
        let of_action = |grads| head.action_weight.grad(grads).unwrap();
        close("daction", of_action(&fused), of_action(&plain));
        for (w, b) in &head.layers {
            close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
            close("db", b.grad(&fused).unwrap(), b.grad(&plain).unwrap());
        }
    }
}

#[test]
fn repeated_actions_have_equal_expectations() {
    let _alone = seeded();
    let (n, g, k) = (5, 2, 4);
    let head = head(2, n, g, 3, 2);
    let index = Tensor::<1>::from_floats([0.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0, 1.0], &device_of()).int();
    let few = index.one_hot::<2>(3).float().reshape([k, 1, 2, 3]).expand([k, n, g, 3]);
    let fused = head.clone().expect(few.clone(), &bins());
    close("expectation", fused.inner(), expected(head.logits(few)).reshape([2, k, n * g]).inner());
}
