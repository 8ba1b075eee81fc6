use std::collections::BTreeSet;
use std::sync::Arc;

use amago_env::{Action, Column, Dtype, Observation, Role, registry};
use amago_replay::relabel::{recreate, relabel};
use amago_replay::{
    ColumnLayout, Columns, Layout, Padding, RelabelError, Relabeler, ReplayError, StoreConfig, Trajectory,
    TrajectoryBuilder,
};

use crate::common::{rng, spaces, store, trajectory as other};

/// An episode of one-dimensional places with an instruction, as the environment would record it.
fn episode(places: &[f32], goals: &[f32]) -> Trajectory {
    let (k, steps) = (goals.len(), places.len() - 1);
    let column = |key: &str, n: usize| ColumnLayout {
        key: key.to_owned(),
        shape: vec![n, 1],
        width: n,
        dtype: Dtype::F32,
    };
    let layout = Layout { columns: vec![column("achieved", 1), column("goals", k)], action_width: 2 };
    let (mut rewards, mut terminals) = (vec![0.0; steps], vec![false; steps]);
    let mut shown = goals.to_vec();
    let mut observed = goals.to_vec();
    let mut next = shown.iter().take_while(|g| **g == -1.0).count();
    for row in 1..=steps {
        if shown.get(next) == Some(&places[row]) {
            shown[next] = -1.0;
            next += 1;
            rewards[row - 1] = 1.0;
            terminals[row - 1] = next == k;
        }
        observed.extend_from_slice(&shown);
    }
    let columns = Columns {
        obs: vec![Column::F32(places.to_vec()), Column::F32(observed)],
        actions: (0..2 * steps).map(|i| i as f32).collect(),
        rewards,
        terminals,
        start_time: 0,
        first_prev: vec![0.0; 3],
    };
    Trajectory::new(Arc::new(layout), columns).unwrap()
}

fn goals(t: &Trajectory, row: usize) -> Vec<f32> {
    let Column::F32(goals) = &t.columns().obs[1] else { panic!("floats") };
    let k = t.layout().columns[1].width;
    goals[row * k..][..k].to_vec()
}

#[test]
fn alternatives_are_put_in_the_order_of_time() {
    // The second place is a goal of its own; the others were never reached.
    let t = episode(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 77.0, 78.0]);
    assert_eq!(t.columns().rewards, [0.0, 1.0, 0.0, 0.0, 0.0]);
    let new = relabel(&t, &[4, 1]).unwrap();
    assert_eq!(new, episode(&[0.0, 1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.0]));
    assert_eq!(new.columns().terminals, [false, false, false, true]);
    assert_eq!(new.columns().actions, t.columns().actions[..8]);
    // One alternative: the last goal stays open, and the trajectory keeps its length.
    assert_eq!(relabel(&t, &[4]).unwrap(), episode(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 4.0, 78.0]));
    assert_eq!(relabel(&t, &[]).unwrap(), t);
}

/// The original marks such a goal as reached at once and writes the reward to the end.
#[test]
fn a_goal_at_the_start_is_paid_when_a_step_leads_there() {
    let t = episode(&[3.0, 3.0, 4.0, 5.0, 6.0], &[70.0, 71.0]);
    let new = relabel(&t, &[1]).unwrap();
    assert_eq!(new.columns().rewards, [1.0, 0.0, 0.0, 0.0]);
    assert_eq!((goals(&new, 0), goals(&new, 1)), (vec![3.0, 71.0], vec![-1.0, 71.0]));
    // Coming back later: the first step that ends there counts, and ends the instruction.
    let t = episode(&[3.0, 4.0, 5.0, 4.0, 3.0, 6.0], &[70.0]);
    let new = relabel(&t, &[4]).unwrap();
    assert_eq!(new, episode(&[3.0, 4.0, 5.0, 4.0, 3.0], &[3.0]));
    assert_eq!(new.columns().rewards, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn what_was_reached_before_a_cut_stays_reached() {
    let t = episode(&[0.0, 1.0, 2.0, 3.0], &[-1.0, 2.0, 77.0]);
    let new = relabel(&t, &[1]).unwrap();
    assert_eq!(new, episode(&[0.0, 1.0, 2.0], &[-1.0, 1.0, 2.0]));
    assert_eq!(recreate(&t).unwrap(), t);
}

#[test]
fn what_follows_no_instruction_is_refused() {
    let t = episode(&[0.0, 1.0, 2.0, 3.0], &[1.0, 77.0]);
    let refuse = |result: Result<Trajectory, RelabelError>| result.unwrap_err();
    assert_eq!(refuse(relabel(&t, &[0])), RelabelError::Row { row: 0, last: 3 });
    assert_eq!(refuse(relabel(&t, &[4])), RelabelError::Row { row: 4, last: 3 });
    assert_eq!(refuse(relabel(&t, &[2, 3])), RelabelError::TooMany { alternatives: 2, open: 1 });
    let mut columns = t.columns().clone();
    columns.rewards.fill(0.5);
    let dense = Trajectory::new(t.layout().clone(), columns).unwrap();
    assert_eq!(refuse(recreate(&dense)), RelabelError::Rewards { rewards: 3, goals: 2 });
    let error = refuse(recreate(&other(0, 3)));
    assert!(error.to_string().contains("image: u8[2, 1], state: f32[2]"), "{error}");
    let (obs, action) = spaces();
    let layout = Layout::new(&obs, &action);
    assert!(Relabeler::None.check(&layout).is_ok());
    assert!(matches!(Relabeler::All.check(&layout), Err(RelabelError::Layout(_))));
    assert!(Relabeler::Some.check(t.layout()).is_ok());
}

/// Random episodes of MazeRunner: what the environment recorded.
fn mazes(options: &str, episodes: u64) -> Vec<Trajectory> {
    let mut env = registry::make("mazerunner", &options.parse().unwrap()).unwrap();
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut builder = TrajectoryBuilder::new(&env.spec().observation_space, &env.spec().action_space);
    let mut choices = amago_env::rng(1, Role::Policy, 0, 0);
    let mut play = |seed| {
        env.reset(seed, &mut obs).unwrap();
        builder.start(&obs).unwrap();
        loop {
            let action = Action::random(&env.spec().action_space, None, &mut choices);
            let step = env.step(&action, &mut obs).unwrap();
            builder.push(&action, &step, &obs).unwrap();
            if step.done() {
                return builder.finish();
            }
        }
    };
    (0..episodes).map(&mut play).collect()
}

/// The property that relabelling rests on: it knows the environment's rewards exactly.
#[test]
fn recreating_an_untouched_trajectory_returns_it_unchanged() {
    let mut reached = BTreeSet::new();
    for options in
        ["maze_dim = 7\nnum_goals = 2", "maze_dim = 9\nnum_goals = 3\nrandomized_action_space = true"]
    {
        for t in mazes(options, 200) {
            assert_eq!(recreate(&t).unwrap(), t);
            reached.insert(t.columns().rewards.iter().sum::<f32>() as usize);
        }
    }
    assert_eq!(reached, BTreeSet::from([0, 1, 2, 3]), "every number of goals occurs");
}

/// What comes out is again a trajectory that the environment could have recorded.
#[test]
fn relabelled_trajectories_recreate_themselves() {
    let mut counts = [[0; 4]; 2];
    let mut rng = rng(0);
    for t in mazes("maze_dim = 9\nnum_goals = 3\ntime_limit = 60", 300) {
        let t = Arc::new(t);
        let reached = t.columns().rewards.iter().sum::<f32>() as usize;
        for (i, strategy) in [Relabeler::Some, Relabeler::All].into_iter().enumerate() {
            let new = strategy.relabel(t.clone(), &mut rng).unwrap();
            assert_eq!(recreate(&new).unwrap(), *new);
            let now = new.columns().rewards.iter().sum::<f32>() as usize;
            assert!(now >= reached, "{now} goals of {reached} before");
            assert!(i == 0 || (now == 3 && *new.columns().terminals.last().unwrap()), "all: {now} goals");
            counts[i][now] += 1;
        }
        assert!(Arc::ptr_eq(&Relabeler::None.relabel(t.clone(), &mut rng).unwrap(), &t));
    }
    assert!(counts[0].iter().all(|n| *n > 20), "some: {counts:?}");
    assert_eq!(counts[1], [0, 0, 0, 300]);
}

#[test]
fn a_store_relabels_what_it_draws_and_keeps_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let config = |relabel| StoreConfig { relabel, ..StoreConfig::default() };
    let draw = |relabel| {
        let store = store(dir.path(), config(relabel));
        if store.is_empty() {
            mazes("maze_dim = 7\nnum_goals = 2\ntime_limit = 30", 20).iter().for_each(|t| {
                store.append(t).unwrap();
            });
        }
        let batch = store.sample_batch(200, 30, Padding::None, &mut rng(5)).unwrap();
        batch.rewards.iter().sum::<f32>()
    };
    let before = draw(Relabeler::None);
    assert!(before < 200.0, "random play should seldom follow instructions, but earned {before}");
    assert_eq!(draw(Relabeler::All), 400.0);
    let some = draw(Relabeler::Some);
    assert!((before + 50.0..350.0).contains(&some), "{some}");
    assert_eq!(draw(Relabeler::None), before);
}

#[test]
fn a_store_says_what_it_cannot_relabel() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), StoreConfig { relabel: Relabeler::Some, ..StoreConfig::default() });
    store.append(&other(0, 3)).unwrap();
    let error = store.sample_batch(1, 3, Padding::None, &mut rng(0)).unwrap_err();
    assert!(matches!(error, ReplayError::Relabel(RelabelError::Layout(_))), "{error}");
}
