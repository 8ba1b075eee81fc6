//! Weights of the original in files.

mod support;

use std::fs;
use std::path::Path;

use amago_agent::{Misfit, state_entries};
use amago_golden::modules::weights;
use amago_trainer::{Checkpoint, Plan, RunDir, StateDict, TrainError, import, read_state_dict};
use burn::tensor::TensorData;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use support::{device, tiny};

/// Written by PyTorch for the tiny config: see `xtask/weights/fixture.py`.
const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.pt");

fn values(state: &StateDict, name: &str) -> Vec<f32> {
    state[name].iter::<f32>().collect()
}

/// What the script puts into the tensor that is number `i` by name.
fn written(i: usize, count: usize) -> Vec<f32> {
    (0..count).map(|k| ((7 * i + k) % 13) as f32 / 16.0 - 6.0 / 16.0).collect()
}

/// The same tensors as float32 in a safetensors file.
fn save_safetensors(path: &Path, state: &StateDict, prefix: &str) {
    let bytes = |name: &str| values(state, name).iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let all: Vec<_> = state.iter().map(|(name, x)| (name, x.shape().to_vec(), bytes(name))).collect();
    let views = all.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as values");
        (format!("{prefix}{name}"), view)
    });
    fs::write(path, safetensors::serialize(views, None).expect("plain tensors")).expect("writable");
}

#[test]
fn reads_what_pytorch_writes() {
    let state = read_state_dict(Path::new(TINY)).expect("a file of PyTorch");
    assert!(state.len() > 60, "{}", state.len());
    for (i, (name, data)) in state.iter().enumerate() {
        assert_eq!(values(&state, name), written(i, data.num_elements()), "{name}");
    }
}

#[test]
fn safetensors_and_wrapped_names_are_the_same() {
    let state = read_state_dict(Path::new(TINY)).expect("a file of PyTorch");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    for prefix in ["", "module."] {
        save_safetensors(&path, &state, prefix);
        let again = read_state_dict(&path).expect("just written");
        assert!(again.keys().eq(state.keys()), "{prefix}");
        assert!(again.keys().all(|name| values(&again, name) == values(&state, name)), "{prefix}");
    }
}

#[test]
fn the_checkpoint_holds_the_weights() {
    let plan = Plan::new(tiny(&[])).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let imported = import(Path::new(TINY), &plan, &run_dir, &device()).expect("it fits");
    let state = read_state_dict(Path::new(TINY)).expect("a file of PyTorch");
    assert_eq!((imported.tensors, imported.unused), (state.len(), vec![]));
    let (run, config) = RunDir::open(&run_dir).expect("a run folder");
    assert_eq!(config, plan.config);
    let (checkpoint, damaged) = Checkpoint::newest(&run.checkpoints()).expect("a checkpoint");
    assert!(damaged.is_empty() && checkpoint.meta.updates == 0);
    let agent = checkpoint.load_agent(plan.agent(&device())).expect("it fits");
    let entries = state_entries(&agent);
    assert_eq!(entries.len(), state.len());
    for (entry, got) in entries.iter().zip(weights(&agent)) {
        assert_eq!(got, entry.to_ours(values(&state, &entry.name)), "{}", entry.name);
    }
    // A linear layer is the transpose.
    let first = entries.iter().position(|e| e.name == "actor.base.in_layer.weight").expect("an actor");
    assert_ne!(weights(&agent)[first], values(&state, &entries[first].name));
}

/// All misfits of the tiny file with some settings changed. Nothing is written.
fn misfits(settings: &[&str]) -> Vec<Misfit> {
    let plan = Plan::new(tiny(settings)).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let refused = import(Path::new(TINY), &plan, &run_dir, &device());
    assert!(!run_dir.exists(), "{settings:?}");
    match refused {
        Err(TrainError::Misfits { misfits, .. }) => misfits.0,
        other => panic!("{settings:?}: {other:?}"),
    }
}

#[test]
fn every_misfit_is_named_with_both_shapes() {
    let text = |settings: &[&str]| misfits(settings).iter().map(ToString::to_string).collect::<Vec<_>>();
    let wide = text(&["agent.actor.d_hidden=9"]);
    let name = "actor.base.in_layer.weight";
    let expected = format!("{name}: [8, 8] in the file, the config needs [9, 8]");
    assert!(wide.contains(&expected), "{wide:#?}");
    // In and out, weight and bias but for the last bias, of the actor and its slow copy.
    assert_eq!(wide.len(), 6, "{wide:#?}");

    let deep = misfits(&["agent.actor.n_layers=2"]);
    let missing = |name: &str, needed: &[usize]| Misfit::Missing { name: name.into(), needed: needed.into() };
    let base =
        |name: &str| [missing(&format!("{name}.weight"), &[8, 8]), missing(&format!("{name}.bias"), &[8])];
    let expected = [base("actor.base.layers.0"), base("target_actor.base.layers.0")].concat();
    assert_eq!(deep, expected);

    let plain = misfits(&["agent.traj_encoder.sigma_reparam=false"]);
    // γ, u and v of four linear layers.
    assert_eq!(plain.len(), 12, "{plain:#?}");
    let name = "traj_encoder.tformer.layers.0.ff1.gamma".to_owned();
    assert!(plain.contains(&Misfit::LeftOver { name, found: vec![1] }), "{plain:#?}");

    // Everything at once: what is missing, of another shape, and left over.
    let other = misfits(&["agent.traj_encoder.kind=gru"]);
    let kinds = |f: fn(&Misfit) -> bool| other.iter().filter(|m| f(m)).count();
    assert!(kinds(|m| matches!(m, Misfit::Missing { .. })) > 8, "{other:#?}");
    assert!(kinds(|m| matches!(m, Misfit::Shape { .. })) > 2, "{other:#?}");
    assert!(kinds(|m| matches!(m, Misfit::LeftOver { .. })) > 20, "{other:#?}");
}

#[test]
fn wavelengths_show_whether_positions_are_rotary() {
    let mut state = read_state_dict(Path::new(TINY)).expect("a file of PyTorch");
    let name = "traj_encoder.tformer.layers.0.attention_layer.rope.inv_freq";
    state.insert(name.to_owned(), state["actor.base.in_layer.bias"].clone());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rope.safetensors");
    save_safetensors(&file, &state, "");
    let take = |settings: &[&str], run: &str| {
        let plan = Plan::new(tiny(settings)).expect("a plan");
        import(&file, &plan, &folder.path().join(run), &device())
    };
    let rope = take(&["agent.traj_encoder.pos_emb=rope"], "rope").expect("it fits");
    assert_eq!(rope.unused, [name]);
    let fixed = take(&[], "fixed").expect_err("other positions").to_string();
    assert!(fixed.contains(name) && fixed.contains("1 tensor does not fit"), "{fixed}");
}

#[test]
fn broken_files_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = fs::read(TINY).expect("a file");
    let cases: [(&str, &[u8]); 6] = [
        ("half.pt", &whole[..whole.len() / 2]),
        ("end.pt", &whole[..whole.len() - 1]),
        ("text.pt", b"these are no weights\n"),
        ("empty.pt", b""),
        ("text.safetensors", b"these are no weights\n"),
        ("torch.safetensors", &whole),
    ];
    for (name, bytes) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writable");
        let error = read_state_dict(&path).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("not a file of weights"), "{error}");
    }
    fs::create_dir(folder.path().join("folder.pt")).expect("a folder");
    let error = read_state_dict(&folder.path().join("folder.pt")).expect_err("a folder").to_string();
    assert!(error.contains("folder.pt") && error.contains("not a regular file"), "{error}");
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    fs::write(folder.path().join("tar.pt"), tar).expect("writable");
    let error = read_state_dict(&folder.path().join("tar.pt")).expect_err("TAR").to_string();
    assert!(error.contains("a TAR container"), "{error}");
    let error = read_state_dict(&folder.path().join("none.pt")).expect_err("no file").to_string();
    assert!(error.contains("none.pt"), "{error}");
}

/// 582 bytes of PyTorch's that say one number two thousand million times, by a stride of zero.
const EXPANDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/stride0_8g.pt");

#[test]
fn tensors_longer_than_their_file_are_refused_unread() {
    let error = read_state_dict(Path::new(EXPANDED)).expect_err("it is not all there").to_string();
    assert!(error.contains("stride0_8g.pt: ") && error.contains("bytes, but the file has 582"), "{error}");
    let plan = Plan::new(tiny(&[])).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let error = import(Path::new(EXPANDED), &plan, &run_dir, &device()).expect_err("the same");
    assert!(matches!(error, TrainError::Weights { .. }) && !run_dir.exists(), "{error}");
    // A terabyte that takes no room on the disk.
    let header = format!(
        "{{\"x\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,{}]}}}}",
        1_u64 << 38,
        1_u64 << 40
    );
    let file = folder.path().join("sparse.safetensors");
    let start = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    fs::write(&file, &start).expect("writable");
    let grow =
        |len: u64| fs::File::options().write(true).open(&file).and_then(|f| f.set_len(len)).expect("sparse");
    let error = import(&file, &plan, &run_dir, &device()).expect_err("shorter").to_string();
    assert!(error.contains(&format!("but the file has {}", start.len())), "{error}");
    grow(start.len() as u64 + (1 << 40));
    match import(&file, &plan, &run_dir, &device()).expect_err("no such tensor") {
        TrainError::Misfits { misfits, .. } => assert!(misfits.0.len() > 60),
        other => panic!("{other}"),
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_name() {
    let mut state = read_state_dict(Path::new(TINY)).expect("a file of PyTorch");
    let name = "actor.base.in_layer.bias";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nan.safetensors");
    let plan = Plan::new(tiny(&[])).expect("a plan");
    for value in [f32::NAN, f32::INFINITY] {
        let mut values = values(&state, name);
        values[3] = value;
        state.insert(name.to_owned(), TensorData::new(values, [8]));
        save_safetensors(&file, &state, "");
        let error =
            import(&file, &plan, &folder.path().join("run"), &device()).expect_err("no number").to_string();
        let expected = format!(
            "nan.safetensors: not a file of weights that can be read: the tensor {name} holds {value}"
        );
        assert!(error.contains(&expected), "{error}");
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn names_from_a_file_stay_on_their_line() {
    let mut state = read_state_dict(Path::new(TINY)).expect("a file of PyTorch");
    let data = state["actor.base.in_layer.bias"].clone();
    state.insert("x\n  y\u{1b}[2J".to_owned(), data);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("names.safetensors");
    save_safetensors(&file, &state, "");
    let plan = Plan::new(tiny(&[])).expect("a plan");
    let error =
        import(&file, &plan, &folder.path().join("run"), &device()).expect_err("left over").to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(
        error.ends_with("\n  x\u{fffd}  y\u{fffd}[2J: [8] in the file, the config has no such tensor"),
        "{error}"
    );
}
