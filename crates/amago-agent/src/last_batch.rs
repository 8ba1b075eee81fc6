//! What an update saw, looked at once in a while: no update waits for it.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use crate::report::Seen;
use crate::{Loss, PopArt, TrainBatch};

/// Figures of one batch: by what they are of, then by what they say of it. Padding does not count. A discount `γ` is
/// called `gamma_γ`; where one must be chosen it is the acting one.
///
/// - `q_value`, `td_target`, `filter_pass`: mean by discount of the value of the stored actions, of its target, and
///   the share of actions that the filter passes; the first two in units of the multiplied reward. `td_target` also
///   has `min` and `max`, for the acting discount.
/// - `filter`: `min`, `p75`, `p95` and `max` of the weights of the actions, over all discounts.
/// - `log_prob`: `min`, `mean` and `max` of the log-probability of the stored actions, where they are imitated.
/// - `popart_mu`, `popart_nu`, `popart_w`, `popart_b`, `popart_sigma` by discount, after the update.
/// - `reward`: `min` and `max`, as the environment gave it.
/// - `sequences`: `length_min`, `length_mean` and `length_max` in transitions, `transitions` of them all, and `ended`,
///   the share in which an episode ended.
pub type BatchReport = BTreeMap<String, BTreeMap<String, f32>>;

/// The batch of an update, kept on the device.
#[derive(Debug, Clone)]
pub(crate) struct LastBatch {
    seen: Vec<Seen>,
    popart: PopArt,
    rewards: Tensor<2>,
    terminals: Tensor<2>,
    /// One where a transition is real, `[B, L, 1]`.
    mask: Tensor<3>,
}

impl LastBatch {
    pub(crate) fn new(loss: Loss, batch: &TrainBatch) -> Self {
        let (rewards, terminals) = (batch.rewards.clone(), batch.terminals.clone());
        Self {
            seen: loss.report.seen,
            popart: loss.popart,
            rewards,
            terminals,
            mask: batch.transition_mask(),
        }
    }

    /// Copies everything to the host at once, and reduces it there.
    pub(crate) fn read(self, gammas: &[f32]) -> BatchReport {
        let [_, len, _] = self.mask.dims();
        let popart = self.popart.statistics();
        let per_step = |f: fn(&Seen) -> Option<Tensor<3>>| {
            let parts: Option<Vec<_>> = self.seen.iter().map(f).collect();
            parts.map(|parts| flat(Tensor::cat(parts, 0)))
        };
        let named = [
            ("mask", Some(flat(self.mask.clone()))),
            ("rewards", Some(flat(self.rewards))),
            ("terminals", Some(flat(self.terminals))),
            ("filter", per_step(|seen| Some(seen.filter.clone()))),
            ("log_prob", per_step(|seen| seen.log_prob.clone())),
            ("q_value", per_step(|seen| seen.q_value.clone())),
            ("td_target", per_step(|seen| seen.td_target.clone())),
        ];
        let named = named.into_iter().filter_map(|(name, x)| Some((name, x?))).chain(popart.clone());
        let (names, tensors): (Vec<_>, Vec<_>) = named.unzip();
        let lengths: Vec<usize> = tensors.iter().map(|x| x.dims()[0]).collect();
        // One transfer: each would wait for the device.
        let all: Vec<f32> = Tensor::cat(tensors, 0).into_data().iter().collect();
        let mut rest = &all[..];
        let cut = names.into_iter().zip(lengths).map(|(name, n)| {
            let (part, after) = rest.split_at(n);
            rest = after;
            (name, part)
        });
        let found = Found { values: cut.collect(), len, gammas };
        let mut report = found.report();
        for (name, _) in popart {
            let of_gammas = gammas.iter().zip(found.values[name]).map(|(gamma, x)| (of_gamma(*gamma), *x));
            report.insert(format!("popart_{name}"), of_gammas.collect());
        }
        report
    }
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    x.flatten(0, D - 1)
}

fn of_gamma(gamma: f32) -> String {
    format!("gamma_{gamma}")
}

/// A batch on the host, row by row.
struct Found<'a> {
    values: BTreeMap<&'static str, &'a [f32]>,
    /// Transitions of a sequence, with padding.
    len: usize,
    gammas: &'a [f32],
}

impl Found<'_> {
    /// Without a real transition there is nothing to report.
    fn report(&self) -> BatchReport {
        let mut report = BatchReport::new();
        let mut add = |of: &str, figures: Vec<(&str, f32)>| {
            let figures = figures.into_iter().map(|(name, x)| (name.to_owned(), x));
            report.entry(of.to_owned()).or_default().extend(figures);
        };
        let rewards = sorted(self.real("rewards", 1, 0));
        if rewards.is_empty() {
            return BatchReport::new();
        }
        add("reward", vec![("min", rewards[0]), ("max", rewards[rewards.len() - 1])]);
        add("sequences", self.sequences());
        let acting = self.gammas.len() - 1;
        let gammas = || self.gammas.iter().map(|gamma| of_gamma(*gamma)).enumerate();
        for name in ["q_value", "td_target"].into_iter().filter(|name| self.values.contains_key(name)) {
            for (i, gamma) in gammas() {
                add(name, vec![(&gamma, mean(&self.of(name, i)))]);
            }
        }
        if self.values.contains_key("td_target") {
            let targets = sorted(self.of("td_target", acting));
            add("td_target", vec![("min", targets[0]), ("max", targets[targets.len() - 1])]);
        }
        for (i, gamma) in gammas() {
            let passed: Vec<f32> =
                self.of("filter", i).iter().map(|x| f32::from(u8::from(*x > 0.0))).collect();
            add("filter_pass", vec![(&gamma, mean(&passed))]);
        }
        let weights = sorted((0..=acting).flat_map(|i| self.of("filter", i)).collect());
        let weight = |share| percentile(&weights, share);
        add(
            "filter",
            vec![("min", weight(0.0)), ("p75", weight(0.75)), ("p95", weight(0.95)), ("max", weight(1.0))],
        );
        if self.values.contains_key("log_prob") {
            let all = sorted(self.of("log_prob", acting));
            add("log_prob", vec![("min", all[0]), ("mean", mean(&all)), ("max", all[all.len() - 1])]);
        }
        report
    }

    /// Values of the real transitions for one discount.
    fn of(&self, name: &str, gamma: usize) -> Vec<f32> {
        self.real(name, self.gammas.len(), gamma)
    }

    /// Entry `i` of `n` of the real transitions.
    fn real(&self, name: &str, n: usize, i: usize) -> Vec<f32> {
        let values = self.values[name].iter().skip(i).step_by(n).zip(self.values["mask"]);
        values.filter(|(_, mask)| **mask > 0.0).map(|(x, _)| *x).collect()
    }

    fn sequences(&self) -> Vec<(&'static str, f32)> {
        let masks = self.values["mask"].chunks(self.len);
        let lengths = sorted(masks.clone().map(|mask| mask.iter().sum()).collect());
        let ends = masks.zip(self.values["terminals"].chunks(self.len));
        let ended = ends.map(|(mask, ends)| mask.iter().zip(ends).any(|(mask, end)| mask * end > 0.0));
        let ended: Vec<f32> = ended.map(|ended| f32::from(u8::from(ended))).collect();
        vec![
            ("length_min", lengths[0]),
            ("length_mean", mean(&lengths)),
            ("length_max", lengths[lengths.len() - 1]),
            ("transitions", lengths.iter().sum()),
            ("ended", mean(&ended)),
        ]
    }
}

fn sorted(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_by(f32::total_cmp);
    values
}

/// In double precision: a batch may have millions.
fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64) as f32
}

/// Of sorted values, between its two neighbours.
fn percentile(sorted: &[f32], share: f64) -> f32 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract() as f32
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::AgentConfig;

    #[test]
    fn padding_does_not_count_and_parts_are_one_batch() {
        let device = Device::flex();
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &device);
        let per_step = |x: &[f32]| tensor(x).reshape([1, 3, 2]);
        let seen = |q: [f32; 6], filter: [f32; 6]| Seen {
            filter: per_step(&filter),
            log_prob: Some(per_step(&q)),
            q_value: Some(per_step(&q)),
            td_target: Some(per_step(&q) + 10.0),
        };
        let two = AgentConfig { gamma: 0.5, multi_gammas: vec![0.9], ..AgentConfig::amago() };
        // Two sequences of two discounts: three real transitions, and one real and two padded ones.
        let last = LastBatch {
            seen: vec![
                seen([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0, 1.0, 0.0, 0.0, 2.0, 3.0]),
                seen([7.0, -8.0, 90.0, 90.0, -90.0, -90.0], [0.0, 4.0, 9.0, 9.0, 9.0, 9.0]),
            ],
            popart: PopArt::new(&two, &device),
            rewards: tensor(&[0.5, -1.0, 2.0, 0.0, 99.0, -99.0]).reshape([2, 3]),
            terminals: tensor(&[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]).reshape([2, 3]),
            mask: tensor(&[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]).reshape([2, 3, 1]),
        };
        let report = last.read(&[0.9, 0.5]);
        let expect = |of: &str, figures: &[(&str, f32)]| {
            let expected = figures.iter().map(|(name, x)| ((*name).to_owned(), *x)).collect();
            assert_eq!(report[of], expected, "{of}");
        };
        expect("q_value", &[("gamma_0.9", 4.0), ("gamma_0.5", 1.0)]);
        expect("td_target", &[("gamma_0.9", 14.0), ("gamma_0.5", 11.0), ("min", 2.0), ("max", 16.0)]);
        expect("filter_pass", &[("gamma_0.9", 0.25), ("gamma_0.5", 0.75)]);
        // Sorted: 0 0 0 0 1 2 3 4.
        expect("filter", &[("min", 0.0), ("p75", 2.25), ("p95", 3.65), ("max", 4.0)]);
        expect("log_prob", &[("min", -8.0), ("mean", 1.0), ("max", 6.0)]);
        expect("reward", &[("min", -1.0), ("max", 2.0)]);
        let lengths = [("length_min", 1.0), ("length_mean", 2.0), ("length_max", 3.0)];
        expect("sequences", &[&lengths[..], &[("transitions", 4.0), ("ended", 0.5)]].concat());
        expect("popart_nu", &[("gamma_0.9", 100.0), ("gamma_0.5", 100.0)]);
        expect("popart_sigma", &[("gamma_0.9", 10.0), ("gamma_0.5", 10.0)]);
        assert_eq!(report.len(), 12, "{report:?}");
    }

    #[test]
    fn what_a_loss_does_not_have_is_left_out() {
        let device = Device::flex();
        let zeros = || Tensor::<3>::zeros([1, 2, 1], &device);
        let without = AgentConfig { multi_gammas: Vec::new(), popart: false, ..AgentConfig::amago() };
        let seen = Seen { filter: zeros(), log_prob: None, q_value: None, td_target: None };
        let last = |mask: Tensor<3>| LastBatch {
            seen: vec![seen.clone()],
            popart: PopArt::new(&without, &device),
            rewards: Tensor::zeros([1, 2], &device),
            terminals: Tensor::zeros([1, 2], &device),
            mask,
        };
        let report = last(zeros() + 1.0).read(&[0.9]);
        assert_eq!(report.keys().collect::<Vec<_>>(), ["filter", "filter_pass", "reward", "sequences"]);
        assert!(last(zeros()).read(&[0.9]).is_empty(), "nothing but padding");
    }
}
