//! Mutated files of every kind that this crate reads: typed errors, no panic, no large allocation.
//! `AMAGO_FUZZ_CASES` says how many; what once failed is kept in `corpus/`.

#[path = "replay/common.rs"]
#[allow(dead_code)] // the other tests use the rest
mod common;
#[path = "replay/largest.rs"]
mod largest;
#[path = "replay/mutate.rs"]
mod mutate;
#[path = "replay/npz_file.rs"]
#[allow(dead_code)] // the other tests use the rest
mod npz_file;

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::Ordering;

use amago_env::{Role, rng};
use amago_replay::{Store, StoreConfig, decode, encode, read_npz};
use common::trajectory;
use largest::{LARGEST, Largest};
use mutate::mutate;
use zip::CompressionMethod;

#[global_allocator]
static ALLOCATOR: Largest = Largest;

/// What a decoder may allocate at once for a file of this size. Deflate packs at most 1032 to one.
fn allowed(len: usize, packed: bool) -> usize {
    if packed { 1100 * len + (1 << 20) } else { 4 * len + (1 << 16) }
}

fn corpus(extension: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<_> =
        fs::read_dir(dir).expect("the corpus").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let files = paths.iter().filter(|path| path.extension().is_some_and(|e| e == extension));
    let files: Vec<_> = files.map(|path| fs::read(path).expect("a file")).collect();
    assert!(!files.is_empty(), "no {extension} in the corpus");
    files
}

/// Makes both checksums right, so that the mutation is met by what comes after them.
fn repair(bytes: &mut [u8]) {
    let Some(header_len) = bytes.get(16..24).map(|b| u64::from_le_bytes(b.try_into().expect("eight"))) else {
        return;
    };
    let Some(body) = usize::try_from(header_len).ok().and_then(|n| bytes.get(36usize.checked_add(n)?..))
    else {
        return;
    };
    let body_crc = crc32fast::hash(body);
    let header_end = bytes.len() - body.len();
    bytes[12..16].copy_from_slice(&body_crc.to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[8..32]);
    crc.update(&bytes[36..header_end]);
    let crc = crc.finalize();
    bytes[32..36].copy_from_slice(&crc.to_le_bytes());
}

/// Reads `cases` mutations; returns how many of them could be read.
fn check(seeds: &[Vec<u8>], packed: bool, mend: fn(&mut [u8]), read: impl Fn(&[u8]) -> bool) -> usize {
    let cases = std::env::var("AMAGO_FUZZ_CASES").map_or(10_000, |n| n.parse().expect("a number"));
    let mut draws = rng(0, Role::Replay, 0, 0);
    let mut readable = 0;
    for case in 0..cases {
        let mut bytes = mutate(&seeds[case % seeds.len()], &mut draws);
        mend(&mut bytes);
        LARGEST.store(0, Ordering::Relaxed);
        readable += usize::from(read(&bytes));
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(
            largest <= allowed(bytes.len(), packed),
            "case {case}: {largest} bytes at once for {}",
            bytes.len()
        );
    }
    readable
}

/// One test, because the allocator counts for all threads.
#[test]
fn mutated_files_are_refused_or_read() {
    let seeds: Vec<_> = [(1, 1), (2, 9), (3, 40)].map(|(tag, len)| encode(&trajectory(tag, len))).into();
    let trajectory = |bytes: &[u8]| match decode(bytes) {
        Ok(trajectory) => {
            // What is read can be written and read again.
            assert!(decode(&encode(&trajectory)).is_ok());
            true
        }
        Err(error) => error.to_string().is_empty(),
    };
    let plain = check(&seeds, false, |_| (), trajectory);
    let mended = check(&seeds, false, repair, trajectory);
    assert!(mended > 10 * (plain + 1), "{plain} and {mended}: the checksums hide the rest");
    let seeds = corpus("npz");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("mutated.npz");
    let archive = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("writable");
        read_npz(&file).is_ok()
    };
    check(&seeds, true, |_| (), archive);
    small_files_stay_small(dir.path());
}

/// What takes no room on the disk takes none in memory.
fn small_files_stay_small(dir: &Path) {
    let largest = |f: &dyn Fn()| {
        LARGEST.store(0, Ordering::Relaxed);
        f();
        LARGEST.load(Ordering::Relaxed)
    };
    // Zeros that say a thousand times what they are: 32 MB of one array in 32 kB, and an array of bytes that would
    // be eight times as much in double precision.
    for (name, shape, len) in
        [("rews", "(8000000, 1)", 32 << 20), ("_OBS_KEY_image", "(9, 2000, 2000)", 36_000_000)]
    {
        let descr = if name == "rews" { "<f4" } else { "|u1" };
        let mut arrays = npz_file::arrays(&trajectory(1, 8));
        arrays.retain(|(other, _)| other != name);
        arrays.push((name.to_owned(), (descr, shape.to_owned(), vec![0; len])));
        let path = dir.join("bomb.npz");
        npz_file::write(&path, &arrays, CompressionMethod::Deflated);
        let size = fs::metadata(&path).expect("a file").len();
        assert!(size < 200_000, "{size}");
        let most = if name == "rews" { 1 << 20 } else { 80 << 20 };
        let got = largest(&|| drop(read_npz(&path)));
        assert!(got < most, "{name}: {got} bytes at once");
    }
    // A terabyte of nothing.
    let buffer = dir.join("sparse/buffer");
    fs::create_dir_all(&buffer).expect("a folder");
    fs::create_dir_all(dir.join("sparse/protected")).expect("a folder");
    for (name, at) in [("00000000000000000001.traj", 16), ("00000000000000000002.traj", 24)] {
        let mut bytes = encode(&trajectory(1, 8));
        let body = u64::from_le_bytes(bytes[24..32].try_into().expect("eight"));
        let header = u64::from_le_bytes(bytes[16..24].try_into().expect("eight"));
        bytes[at..at + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        if at == 24 {
            repair(&mut bytes);
        }
        fs::write(buffer.join(name), &bytes).expect("writable");
        let file = File::options().write(true).open(buffer.join(name)).expect("there");
        file.set_len(36 + (1 << 40) + if at == 16 { body } else { header }).expect("sparse");
    }
    let got = largest(&|| {
        let store = Store::read(dir.join("sparse"), StoreConfig::default()).expect("a folder");
        assert_eq!((store.len(), store.damage().len()), (0, 2), "{:?}", store.damage());
    });
    assert!(got < 1 << 20, "{got} bytes at once");
}
