//! Learning from folders that other runs collected.

mod support;

use std::path::{Path, PathBuf};

use amago_agent::RandomDraws;
use amago_env::{Role, rng, stream_seed};
use amago_golden::modules::weights;
use amago_replay::{Batch, Padding, ReplayError, Store, StoreConfig};
use amago_trainer::{Checkpoint, Event, Observer, Plan, RunDir, StopFlag, TrainError, Trainer, train_batch};
use support::{Recorder, alone, device, lines, names, tiny, train};

/// A finished run whose replay others learn from.
fn expert(dir: &Path) -> String {
    let run = dir.join("expert");
    train(&Plan::new(tiny(&[])).expect("a plan"), &run, &mut Recorder::default()).expect("a whole run");
    run.join("replay").display().to_string()
}

fn datasets(folders: &[(&str, f64)]) -> String {
    let list: Vec<_> = folders.iter().map(|(f, w)| format!("{{ path = '{f}', weight = {w} }}")).collect();
    format!("replay.datasets=[{}]", list.join(", "))
}

#[test]
fn a_run_may_only_learn() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let before = names(&Path::new(&expert).join("buffer"));
    let run = dir.path().join("offline");
    let config = tiny(&["train.mode=learn", "train.epochs=3", &datasets(&[(&expert, 1.0)])]);
    let outcome = train(&Plan::new(config).expect("a plan"), &run, &mut Recorder::default()).expect("a run");
    assert_eq!((outcome.meta.updates, outcome.meta.env_steps), (6, 0));
    assert!(outcome.eval.is_some() && !run.join("replay").exists());
    assert_eq!(names(&Path::new(&expert).join("buffer")), before);
    let (checkpoint, _) = Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint");
    assert!(checkpoint.load_state().expect("readable").expect("there").collector.is_none());
}

/// Some updates from one dataset, and nothing else.
fn learn_only(folder: &str, settings: &[&str]) -> Plan {
    let common = ["train.mode=learn", "train.batches_per_epoch=6", &datasets(&[(folder, 1.0)])];
    Plan::new(tiny(&[&common[..], settings].concat())).expect("a plan")
}

/// The batch of an update, drawn here.
fn by_hand(plan: &Plan, store: &Store, counter: u64) -> Batch {
    let (train, mut draws) = (&plan.config.train, rng(plan.config.seed, Role::Replay, 0, counter));
    store.sample_batch(train.batch_size, train.max_seq_len, Padding::None, &mut draws).expect("a batch")
}

#[test]
fn a_run_learns_from_the_batches_that_are_drawn_one_after_the_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let plan = learn_only(&expert, &["agent.traj_encoder.dropout_ff=0.1"]);
    let run = dir.path().join("run");
    train(&plan, &run, &mut Recorder::default()).expect("a whole run");
    let (checkpoint, _) = Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint");

    let (_alone, device, seed) = (alone(), device().autodiff(), plan.config.seed);
    let store = Store::read(&expert, StoreConfig::default()).expect("a folder of trajectories");
    device.seed(stream_seed(seed, Role::Init, 0, 0));
    let mut learner = plan.learner(plan.agent(&device));
    for counter in 0..checkpoint.meta.updates {
        let tensors = train_batch(by_hand(&plan, &store, counter), &plan.spec.obs, &device);
        device.seed(stream_seed(seed, Role::Learner, 0, counter));
        learner.update(&tensors, &mut RandomDraws);
    }
    assert_eq!(learner.updates, 12);
    let agent = checkpoint.load_agent(plan.agent(&device)).expect("its weights");
    assert!(weights(&agent) == weights(&learner.agent), "it has learned from something else");
}

#[test]
fn a_bad_batch_that_is_saved_is_the_one_that_was_bad() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let plan = learn_only(&expert, &["train.loss_limit=1e-6"]);
    let error = train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect_err("above the limit");
    let TrainError::BadUpdate { update: 1, batch, .. } = error else { panic!("{error}") };
    let bytes = std::fs::read(batch).expect("a file");
    let saved = safetensors::SafeTensors::deserialize(&bytes).expect("a whole file");
    let floats = |name| saved.tensor(name).expect("there").data().as_chunks().0.iter().copied();
    let store = Store::read(&expert, StoreConfig::default()).expect("a folder of trajectories");
    let drawn = [0, 1].map(|counter| by_hand(&plan, &store, counter));
    assert!(floats("rl2s").map(f32::from_le_bytes).eq(drawn[0].rl2s.iter().copied()));
    assert!(floats("actions").map(f32::from_le_bytes).eq(drawn[0].actions.iter().copied()));
    assert_ne!(drawn[0], drawn[1], "any batch would have passed");
}

/// Removes all trajectories after the first update.
struct Thief(PathBuf);

impl Thief {
    fn steal(&self) {
        std::fs::remove_dir_all(&self.0).expect("there");
    }
}

impl Observer for Thief {
    fn event(&mut self, event: Event<'_>) {
        if matches!(event, Event::Learn { done: 1, .. }) {
            self.steal();
        }
    }
}

#[test]
fn trajectories_that_are_gone_are_an_error_of_the_update_that_needs_them() {
    let updates = |at_once: bool| {
        let dir = tempfile::tempdir().expect("a folder");
        let expert = expert(dir.path());
        let plan = learn_only(&expert, &["replay.cache_bytes=0"]);
        let _alone = alone();
        let run = RunDir::create(&dir.path().join("run"), &plan.config).expect("a folder");
        let checkpoints = run.checkpoints();
        let mut trainer = Trainer::new(plan, run, &device()).expect("a trainer");
        let mut thief = Thief(Path::new(&expert).join("buffer"));
        if at_once {
            thief.steal();
        }
        let error = trainer.run(&StopFlag::default(), &mut thief).expect_err("nothing to draw");
        let TrainError::Replay(reason) = &error else { panic!("{error}") };
        // The folder that the epoch begins with, or the files that it goes on with.
        let as_expected = match at_once {
            true => matches!(reason, ReplayError::Io { path, .. } if *path == thief.0),
            false => matches!(reason, ReplayError::EmptyStore { .. }),
        };
        assert!(as_expected, "{error}");
        Checkpoint::newest(&checkpoints).expect("a checkpoint").0.meta.updates
    };
    assert_eq!(updates(true), 0);
    // When the first update was done, the second batch may have been drawn, but not the third.
    let during = updates(false);
    assert!((1..=2).contains(&during), "{during} updates");
}

/// A run that collects holds the lock of its replay as well.
#[test]
fn a_run_that_only_learns_has_its_folder_for_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = learn_only(&expert(dir.path()), &[]);
    let _alone = alone();
    let run = RunDir::create(&dir.path().join("run"), &plan.config).expect("a folder");
    let first = Trainer::new(plan.clone(), run.clone(), &device()).expect("a trainer");
    let second = Trainer::resume(plan.clone(), run.clone(), &device()).map(drop).expect_err("two of them");
    assert!(second.to_string().contains(&format!("{}: in use", run.path().display())), "{second}");
    drop(first);
    Trainer::resume(plan, run, &device()).expect("the folder is free again");
}

/// Moves trajectories into a dataset after the first epoch, and away again after the second.
struct Carrier([PathBuf; 2]);

impl Observer for Carrier {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Epoch(record) = event {
            let [away, here] = &self.0;
            match record.epoch {
                1 => std::fs::rename(away, here).expect("moved"),
                2 => {
                    std::fs::rename(here, away).expect("moved");
                    std::fs::create_dir(here).expect("a folder");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_others_store_is_drawn_and_what_they_drop_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let plan = learn_only(&expert, &["train.epochs=3", "replay.cache_bytes=0"]);
    let paths = [dir.path().join("away"), Path::new(&expert).join("buffer")];
    std::fs::rename(&paths[1], &paths[0]).expect("moved");
    std::fs::create_dir(&paths[1]).expect("a folder");
    let mut carrier = Carrier(paths);
    let _alone = alone();
    let run = RunDir::create(&dir.path().join("run"), &plan.config).expect("a folder");
    let mut trainer = Trainer::new(plan.clone(), run, &device()).expect("a trainer");
    let outcome = trainer.run(&StopFlag::default(), &mut carrier).expect("three epochs");
    assert_eq!(outcome.meta.updates as usize, plan.config.train.batches_per_epoch, "those of the second");
}

#[test]
fn datasets_are_mixed_with_what_is_collected() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let own = ["train.min_trajectories=1000"];
    // Its own replay is never ready, but the dataset is.
    let config = tiny(&[&own[..], &[&datasets(&[(&expert, 0.5)])]].concat());
    let run = dir.path().join("mixed");
    let outcome = train(&Plan::new(config).expect("a plan"), &run, &mut Recorder::default()).expect("a run");
    assert_eq!(outcome.meta.updates, 4);
    assert!(
        lines(&run)[1]["replay"]["trajectories"].as_u64()
            > Some(names(&run.join("replay/buffer")).len() as u64)
    );
}

#[test]
fn two_runs_read_one_dataset_while_its_own_run_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let _writer = Store::open(&expert, StoreConfig::default()).expect("the run that collects it");
    let config = tiny(&["train.mode=learn", &datasets(&[(&expert, 1.0), (&expert, 2.0)])]);
    let run = dir.path().join("offline");
    train(&Plan::new(config).expect("a plan"), &run, &mut Recorder::default()).expect("a run");
}

#[test]
fn unusable_datasets_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let refused = |settings: &[&str]| {
        let run = dir.path().join("refused");
        let result = Plan::new(tiny(settings)).and_then(|plan| train(&plan, &run, &mut Recorder::default()));
        let _ = std::fs::remove_dir_all(&run);
        result.expect_err("unusable")
    };
    let nothing = refused(&["train.mode=learn"]);
    assert!(matches!(nothing, TrainError::NothingToLearnFrom), "{nothing}");
    let zero = refused(&["train.mode=learn", &datasets(&[(&expert, 0.0)])]);
    assert!(matches!(zero, TrainError::NothingToLearnFrom), "{zero}");
    let negative = refused(&[&datasets(&[(&expert, -1.0)])]);
    assert!(negative.to_string().contains("replay.datasets.weight = -1"), "{negative}");
    let missing = refused(&[&datasets(&[("/no/such/folder", 1.0)])]);
    assert!(missing.to_string().contains("/no/such/folder"), "{missing}");
    let other = refused(&["env.id=dark-key-to-door", "env.options={}", &datasets(&[(&expert, 1.0)])]);
    for part in
        ["f32[2]} with actions of width 4", "env.id = \"dark-key-to-door\"", "with actions of width 5"]
    {
        assert!(other.to_string().contains(part), "{other}");
    }
}

#[test]
fn long_trajectories_are_cut_at_one_length_or_around_it() {
    let lengths = |stagger: bool| {
        let dir = tempfile::tempdir().expect("a folder");
        let settings =
            ["env.options.corridor_length=70", "train.timesteps_per_epoch=142", "replay.traj_save_len=10"];
        let stagger = format!("replay.traj_save_stagger={stagger}");
        let plan = Plan::new(tiny(&[&settings[..], &["train.epochs=1", &stagger]].concat())).expect("a plan");
        train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect("a whole run");
        let store = Store::read(dir.path().join("run/replay"), StoreConfig::default()).expect("a replay");
        let ids = store.sample_ids(usize::MAX, &mut rng(0, Role::Replay, 0, 0)).expect("trajectories");
        let all = ids.into_iter().map(|id| store.get(id).expect("readable").expect("there"));
        // Not the last of an episode, which ends where it ends.
        let cut = all.filter(|t| t.columns().terminals.iter().all(|end| !end));
        cut.map(|t| t.len()).collect::<Vec<_>>()
    };
    let same = lengths(false);
    assert!(same.len() > 20 && same.iter().all(|len| *len == 10), "{same:?}");
    let around = lengths(true);
    assert!(around.len() > 15 && around.iter().all(|len| (6..=14).contains(len)), "{around:?}");
    assert!(around.iter().any(|len| *len < 9) && around.iter().any(|len| *len > 11), "{around:?}");
    assert_eq!(around, lengths(true), "seeded");
}
