use amago_env::{Action, Column, DictSpace, Observation, Space, Step};
use amago_replay::{FormatError, Layout, ReplayError, Slice, Trajectory, TrajectoryBuilder, collate};
use std::sync::Arc;

use crate::common::{builder, observation, push, spaces, trajectory};

#[test]
fn columns_hold_what_was_pushed() {
    let t = trajectory(5, 3);
    let c = t.columns();
    assert_eq!(t.len(), 3);
    assert_eq!(c.obs[0], Column::U8(vec![5, 0, 5, 1, 5, 2, 5, 3]));
    assert_eq!(c.obs[1], Column::F32(vec![5.0, 0.0, 5.0, 1.0, 5.0, 2.0, 5.0, 3.0]));
    assert_eq!(c.actions, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(c.rewards, [1.0, 2.0, 3.0]);
    assert_eq!(c.terminals, [false, false, true]);
    assert_eq!((c.start_time, c.first_prev.as_slice()), (0, [0.0; 4].as_slice()));
    assert_eq!(t.bytes(), 8 + 32 + 36 + 12 + 3 + 16);
}

#[test]
fn truncation_is_not_terminal() {
    let mut b = builder();
    b.start(&observation(0, 0)).unwrap();
    let step = Step { reward: 0.0, terminated: false, truncated: true };
    b.push(&Action::Discrete(0), &step, &observation(0, 1)).unwrap();
    assert_eq!(b.finish().columns().terminals, [false]);
}

#[test]
fn cut_files_join_to_the_whole_episode() {
    let mut b = builder();
    b.start(&observation(1, 0)).unwrap();
    (0..4).for_each(|t| push(&mut b, 1, t, false));
    let first = b.cut();
    assert!(b.is_empty() && b.is_started());
    // A cut with nothing gathered since the last changes nothing.
    assert!(b.cut().is_empty());
    (4..7).for_each(|t| push(&mut b, 1, t, t == 6));
    let second = b.finish();
    assert!(!b.is_started());
    assert_eq!((first.len(), second.len()), (4, 3));
    assert_eq!(second.columns().start_time, 4);

    let whole = Arc::new(trajectory(1, 7));
    let batch = collate(&[Slice::new(Arc::new(second), 0, 3), Slice::new(whole.clone(), 4, 7)]);
    let half = |v: &[f32]| assert_eq!(v[..v.len() / 2], v[v.len() / 2..]);
    half(&batch.rl2s);
    half(&batch.rewards);
    half(&batch.actions);
    assert_eq!(batch.time_idxs, [4, 5, 6, 7, 4, 5, 6, 7]);
    assert_eq!(batch.terminals, [false, false, true, false, false, true]);
    for column in &batch.obs {
        match column {
            Column::F32(v) => half(v),
            Column::U8(v) => assert_eq!(v[..v.len() / 2], v[v.len() / 2..]),
        }
    }
    // The first file's last observation is the second's first.
    let Column::F32(states) = &first.columns().obs[1] else { panic!("floats") };
    assert_eq!(states[8..], [1.0, 4.0]);
    // Starting again begins a new episode: no history, time zero.
    b.start(&observation(2, 0)).unwrap();
    push(&mut b, 2, 0, true);
    assert_eq!(b.finish(), trajectory(2, 1));
}

#[test]
fn refused_steps_change_nothing() {
    let mut b = builder();
    let (good, step) = (observation(0, 1), Step::default());
    assert!(matches!(b.push(&Action::Discrete(0), &step, &good), Err(ReplayError::NotStarted)));
    b.start(&observation(0, 0)).unwrap();
    push(&mut b, 0, 0, false);
    assert!(matches!(b.push(&Action::Discrete(3), &step, &good), Err(ReplayError::Action(_))));
    let nan = Step { reward: f32::NAN, ..step };
    let error = b.push(&Action::Discrete(0), &nan, &good).unwrap_err();
    assert_eq!(error.to_string(), "the reward is NaN, not a finite number");
    let mut bad = good.clone();
    bad.write("state", &[0.0, f32::INFINITY]).unwrap();
    let error = b.push(&Action::Discrete(0), &step, &bad).unwrap_err();
    assert_eq!(error.to_string(), "observation \"state\"[1] is inf, not a finite number");
    let other = Observation::new(&DictSpace::single(Space::Discrete { n: 2 }));
    assert!(matches!(b.push(&Action::Discrete(0), &step, &other), Err(ReplayError::Observation { .. })));
    assert!(matches!(b.start(&other), Err(ReplayError::Observation { .. })));
    push(&mut b, 0, 1, true);
    assert_eq!(b.finish(), trajectory(0, 2));
}

#[test]
#[should_panic(expected = "not started")]
fn finish_before_start_is_a_programming_error() {
    let (obs, action) = spaces();
    TrajectoryBuilder::new(&obs, &action).finish();
}

#[test]
fn imported_columns_must_fit_the_layout() {
    let (obs, action) = spaces();
    let layout = Arc::new(Layout::new(&obs, &action));
    let good = trajectory(3, 4);
    let columns = good.columns().clone();
    assert_eq!(Trajectory::new(layout.clone(), columns.clone()).unwrap(), good);

    let check = |edit: &dyn Fn(&mut amago_replay::Columns), expected: &str| {
        let mut broken = columns.clone();
        edit(&mut broken);
        let error = Trajectory::new(layout.clone(), broken).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|c| c.obs.truncate(1), "the list of observation columns has 1 entries");
    check(&|c| c.obs[0] = Column::U8(vec![0; 9]), "observation \"image\" has 9 entries, the layout needs 10");
    check(&|c| c.obs[0] = Column::F32(vec![0.0; 10]), "does not fit the layout");
    check(&|c| c.actions.truncate(11), "actions has 11");
    check(&|c| c.terminals.truncate(3), "terminals has 3");
    check(&|c| c.first_prev.clear(), "first_prev has 0");
    check(&|c| c.start_time = -1, "the first time index -1");
    let mut broken = columns.clone();
    broken.start_time = i64::MAX - 3;
    let error = Trajectory::new(layout.clone(), broken).unwrap_err();
    assert!(matches!(error, ReplayError::Unstorable(FormatError::BadStartTime(_))));
}
