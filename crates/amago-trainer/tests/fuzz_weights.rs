//! Mutated files of weights: typed errors, no panic, no large allocation. `AMAGO_FUZZ_CASES` says how many.

#[path = "../../amago-replay/tests/replay/largest.rs"]
mod largest;
#[path = "../../amago-replay/tests/replay/mutate.rs"]
mod mutate;

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use amago_env::{Role, rng};
use amago_trainer::{StateDict, read_state_dict};
use largest::{LARGEST, Largest};
use mutate::mutate;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

#[global_allocator]
static ALLOCATOR: Largest = Largest;

fn tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

fn safe(state: &StateDict) -> Vec<u8> {
    let bytes = |name: &str| state[name].iter::<f32>().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let all: Vec<_> = state.iter().map(|(name, x)| (name, x.shape().to_vec(), bytes(name))).collect();
    let views = all.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as values"))
    });
    safetensors::serialize(views, None).expect("plain tensors")
}

/// One test, because the allocator counts for all threads.
#[test]
fn mutated_weights_are_refused_or_read() {
    let cases: usize = std::env::var("AMAGO_FUZZ_CASES").map_or(3_000, |n| n.parse().expect("a number"));
    let whole = fs::read(tests().join("support/tiny.pt")).expect("a file");
    let expanded = fs::read(tests().join("corpus/stride0_8g.pt")).expect("a file");
    let packed = safe(&read_state_dict(&tests().join("support/tiny.pt")).expect("a file of PyTorch"));
    let dir = tempfile::tempdir().expect("a folder");
    let mut draws = rng(3, Role::Replay, 0, 0);
    let mut readable = 0;
    for (name, seed) in [("a.pt", &whole), ("b.pt", &expanded), ("c.safetensors", &packed)] {
        let path = dir.path().join(name);
        for case in 0..cases / 3 {
            let bytes = if case == 0 { seed.clone() } else { mutate(seed, &mut draws) };
            fs::write(&path, &bytes).expect("writable");
            LARGEST.store(0, Ordering::Relaxed);
            let read = read_state_dict(&path);
            let largest = LARGEST.load(Ordering::Relaxed);
            // Archives may say how many files they have; the tables for them are small.
            assert!(largest <= 16 * bytes.len() + (4 << 20), "{name} {case}: {largest} for {}", bytes.len());
            readable += usize::from(read.is_ok());
        }
    }
    assert!(readable > cases / 100, "{readable}: nothing is met but the first bytes");
}
