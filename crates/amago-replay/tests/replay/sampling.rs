use std::collections::BTreeMap;
use std::sync::Arc;

use amago_env::Column;
use amago_replay::{Padding, ReplayError, Slice, StoreConfig, collate, sample_mixture, slice_start};

use crate::common::{rng, store, trajectory};

/// How often each slice was drawn.
fn draws(len: usize, l: usize, padding: Padding) -> BTreeMap<(usize, usize), usize> {
    let mut rng = rng(0);
    let mut counts = BTreeMap::new();
    for _ in 0..20_000 {
        *counts.entry(slice_start(len, l, padding, &mut rng)).or_default() += 1;
    }
    counts
}

#[test]
fn slices_have_exactly_the_ranges_of_the_contract() {
    for (n, l) in [(7_i64, 3_i64), (12, 5), (2, 1), (6, 5), (9, 1), (40, 7)] {
        for (padding, low, high) in [
            (Padding::None, 0, n - l),
            (Padding::Both, 1 - l, n - 1),
            (Padding::Left, 1 - l, n - l),
            (Padding::Right, 0, n - 1),
        ] {
            let mut expected: BTreeMap<(usize, usize), usize> = BTreeMap::new();
            for start in low..=high {
                let slice = (start.max(0) as usize, (start + l).min(n) as usize);
                *expected.entry(slice).or_default() += 1;
            }
            let got = draws(n as usize, l as usize, padding);
            let keys = |m: &BTreeMap<_, _>| m.keys().copied().collect::<Vec<(usize, usize)>>();
            assert_eq!(keys(&got), keys(&expected), "n {n} l {l} {padding:?}");
            // Uniform: within 30 % of the expected count, more than four deviations here.
            let per_start = 20_000.0 / (high - low + 1) as f64;
            for (slice, count) in got {
                let want = per_start * expected[&slice] as f64;
                assert!(
                    (count as f64 - want).abs() < 0.3 * want,
                    "{padding:?} {slice:?}: {count}, not {want}"
                );
            }
        }
    }
}

/// How often each transition is in a slice, among as many slices as there are starts.
fn chances(n: usize, l: usize, padding: Padding) -> Vec<f64> {
    let mut counts = vec![0.0; n];
    for ((start, stop), count) in draws(n, l, padding) {
        counts[start..stop].iter_mut().for_each(|c| *c += count as f64);
    }
    let starts = match padding {
        Padding::None => n - l + 1,
        Padding::Both => n + l - 1,
        Padding::Left | Padding::Right => n,
    };
    counts.iter().map(|c| c * starts as f64 / 20_000.0).collect()
}

#[test]
fn every_transition_has_the_chance_of_the_documentation() {
    for (n, l) in [(5, 1), (7, 3), (12, 5), (6, 5)] {
        let near_start = |t: usize| (t + 1).min(l);
        let near_end = |t: usize| (n - t).min(l);
        let full = |t: usize| (t.min(n - l) + 1).saturating_sub((t + 1).saturating_sub(l));
        let expected: [(Padding, &dyn Fn(usize) -> usize); 4] = [
            (Padding::None, &full),
            (Padding::Both, &|_| l),
            (Padding::Left, &near_end),
            (Padding::Right, &near_start),
        ];
        for (padding, expected) in expected {
            for (t, got) in chances(n, l, padding).into_iter().enumerate() {
                let want = expected(t) as f64;
                assert!(
                    (got - want).abs() < 0.1 * want + 0.05,
                    "{padding:?} n {n} l {l} t {t}: {got}, not {want}"
                );
            }
        }
    }
}

#[test]
fn short_trajectories_are_taken_whole() {
    for padding in [Padding::None, Padding::Both, Padding::Left, Padding::Right] {
        assert_eq!(draws(5, 5, padding).into_keys().collect::<Vec<_>>(), [(0, 5)]);
        assert_eq!(draws(1, 5, padding).into_keys().collect::<Vec<_>>(), [(0, 1)]);
    }
}

#[test]
#[should_panic(expected = "max_seq_len is zero")]
fn zero_length_is_a_programming_error() {
    slice_start(5, 0, Padding::None, &mut rng(0));
}

#[test]
fn padding_is_zeros_and_the_mask_says_what_is_real() {
    let t = Arc::new(trajectory(6, 5));
    let batch = collate(&[Slice::new(t.clone(), 3, 5), Slice::new(t.clone(), 0, 3), Slice::new(t, 4, 5)]);
    assert_eq!((batch.size, batch.len, batch.transitions()), (3, 4, 6));
    let mask = [true, true, true, false, true, true, true, true, true, true, false, false];
    assert_eq!(batch.mask, mask);
    assert_eq!(batch.time_idxs, [3, 4, 5, 0, 0, 1, 2, 3, 4, 5, 0, 0]);
    assert_eq!(batch.rewards, [4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 5.0, 0.0, 0.0]);
    assert_eq!(batch.terminals, [false, true, false, false, false, false, true, false, false]);
    let pad = [0.0; 4];
    let rows: Vec<&[f32]> = batch.rl2s.chunks(4).collect();
    // A slice from the middle begins with the step before it, one from the start with zeros.
    assert_eq!(rows[..4], [&[3.0, 0.0, 0.0, 1.0][..], &[4.0, 1.0, 0.0, 0.0], &[5.0, 0.0, 1.0, 0.0], &pad]);
    assert_eq!(rows[4..6], [&pad[..], &[1.0, 1.0, 0.0, 0.0]]);
    assert_eq!(batch.actions[..9], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(
        batch.obs[0],
        Column::U8(vec![6, 3, 6, 4, 6, 5, 0, 0, 6, 0, 6, 1, 6, 2, 6, 3, 6, 4, 6, 5, 0, 0, 0, 0])
    );
    assert_eq!(batch.layout.columns[0].shape, [2, 1]);
}

#[test]
#[should_panic(expected = "no slices")]
fn collating_nothing_is_a_programming_error() {
    collate(&[]);
}

#[test]
fn trajectories_are_drawn_uniformly_whatever_their_length() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), StoreConfig::default());
    for tag in 0..8 {
        let t = trajectory(tag, 1 + 10 * tag);
        if tag % 2 == 0 {
            store.append(&t).unwrap()
        } else {
            store.append_protected(&t).unwrap()
        };
    }
    let batch = store.sample_batch(8000, 4, Padding::None, &mut rng(1)).unwrap();
    let Column::F32(states) = &batch.obs[1] else { panic!("floats") };
    let mut counts = [0; 8];
    states.chunks(2 * batch.len).for_each(|sample| counts[sample[0] as usize] += 1);
    assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
}

#[test]
fn sampling_does_not_depend_on_the_cache_or_on_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let sample = |cache_bytes: u64, fresh: bool| {
        let store = store(dir.path(), StoreConfig { cache_bytes, ..StoreConfig::default() });
        if fresh {
            (0..9).for_each(|tag| assert!(store.append(&trajectory(tag, 5 + tag)).is_ok()));
        }
        let mut rng = rng(3);
        let batches: Vec<_> =
            (0..5).map(|_| store.sample_batch(6, 4, Padding::Both, &mut rng).unwrap()).collect();
        assert!(store.cached_bytes() <= cache_bytes);
        assert_eq!(store.cached_bytes() > 0, cache_bytes > 0);
        batches
    };
    let first = sample(1 << 20, true);
    assert_ne!(first[0], first[1]);
    assert_eq!(sample(0, false), first);
    assert_eq!(sample(700, false), first);
}

#[test]
fn an_empty_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), StoreConfig::default());
    let error = store.sample_batch(2, 4, Padding::None, &mut rng(0)).unwrap_err();
    assert!(matches!(error, ReplayError::EmptyStore { .. }));
    assert!(store.is_ready(0) && !store.is_ready(1));
}

#[test]
fn stores_are_drawn_by_their_weights() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let stores: Vec<_> = dirs.iter().map(|dir| store(dir.path(), StoreConfig::default())).collect();
    // Trajectories of one, two and three transitions say where a sample is from; the third has two of them.
    for (i, store) in stores.iter().enumerate() {
        (0..1 + i / 2).for_each(|tag| assert!(store.append(&trajectory(tag, 1 + i)).is_ok()));
    }
    let mixed = [(&stores[0], 1.0), (&stores[1], 0.0), (&stores[2], 3.0)];
    let batch = sample_mixture(&mixed, (4000, 4), Padding::None, &mut rng(3)).unwrap();
    let lengths = batch.mask.chunks(batch.len).map(|row| row.iter().filter(|real| **real).count() - 1);
    let mut counts = [0; 4];
    lengths.for_each(|len| counts[len] += 1);
    assert_eq!((counts[2], counts[1] + counts[3]), (0, 4000));
    // A quarter: 1000, with a standard deviation of 27.
    assert!((890..1110).contains(&counts[1]), "{counts:?}");
}
