//! Any dataset becomes a replay folder.

use std::fs;

use amago_dataset::{DatasetError, Format, convert};

use crate::common::{copy, open, sample, trajectories};

#[test]
fn trajectories_and_spaces_stay_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["cartpole/hdf5-v0", "everything/arrow-v0", "pendulum/gzip-v0", "npz"] {
        let to = dir.path().join("new/parents").join(name.replace('/', "-"));
        let mut told = 0;
        let converted = convert(&sample(name), &to, &mut |done, all| {
            assert!(done == told + 1 && done <= all);
            told = done;
            true
        });
        let converted = converted.unwrap();
        let (from, into) = (open(&sample(name)), open(&to));
        assert_eq!(into.format, Format::Replay);
        assert_eq!(into.spaces, from.spaces, "{name}");
        assert_eq!(trajectories(&into), trajectories(&from), "{name}");
        assert_eq!((converted.episodes, converted.steps), (told, from.store.transitions()));
        assert!(converted.damaged.is_empty() && !converted.stopped && converted.bytes == into.store.bytes());
        let names: Vec<_> =
            fs::read_dir(to.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
        assert!(!to.join("lock").exists());
    }
    // Nobody else's folder, as any other: others may read it.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let plain = dir.path().join("plain");
        fs::create_dir(&plain).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(dir.path().join("new/parents/npz")), mode(plain));
    }
}

#[test]
fn a_replay_folder_can_be_converted_again_with_its_spaces() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    convert(&sample("pendulum/hdf5-v0"), &one, &mut |_, _| true).unwrap();
    convert(&one, &two, &mut |_, _| true).unwrap();
    assert_eq!(open(&two).spaces, open(&sample("pendulum/hdf5-v0")).spaces);
    fs::write(two.join("spaces.toml"), "action = 3").unwrap();
    let error = amago_dataset::open(&two, Default::default()).unwrap_err().to_string();
    assert!(error.contains("spaces.toml: not the spaces of a task"), "{error}");
}

#[test]
fn whatever_is_at_the_target_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("file"), dir.path().join("folder"));
    fs::write(&file, "mine").unwrap();
    fs::create_dir(&folder).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
    #[cfg(not(unix))]
    fs::write(dir.path().join("link"), "mine").unwrap();
    for target in [&file, &folder, &dir.path().join("link")] {
        let error = convert(&sample("npz"), target, &mut |_, _| true).unwrap_err();
        assert!(matches!(error, DatasetError::Exists(_)), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn stopping_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("stopped");
    let converted = convert(&sample("cartpole/hdf5-v0"), &to, &mut |done, _| done < 1).unwrap();
    assert!(converted.stopped && converted.episodes == 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn damaged_episodes_are_left_out_and_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    copy(&sample("cartpole/arrow-v0"), &from);
    let part = from.join("data/0/part-0.arrow");
    let bytes = fs::read(&part).unwrap();
    fs::write(&part, &bytes[..bytes.len() / 2]).unwrap();
    let converted = convert(&from, &to, &mut |_, _| true).unwrap();
    assert_eq!((converted.episodes, converted.damaged.len()), (1, 1));
    assert!(converted.damaged[0].contains("episode 0"), "{:?}", converted.damaged);
    assert_eq!(trajectories(&open(&to)), trajectories(&open(&sample("cartpole/arrow-v0")))[1..]);
    fs::remove_dir_all(from.join("data/1")).unwrap();
    let error = convert(&from, &dir.path().join("none"), &mut |_, _| true).unwrap_err().to_string();
    assert!(error.contains("no episode could be read") && error.contains("episode 0"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}
