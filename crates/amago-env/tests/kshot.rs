//! Several attempts at the same task.

#[path = "support/play.rs"]
mod play;
mod support;

use std::collections::BTreeSet;

use amago_env::kshot::KShot;
use amago_env::{Action, Column, Env, EnvError, Observation, Space, Step, TaskSpec, registry};
use play::Play;
use support::{Fault, Scripted};

fn wrap(env: Box<dyn Env>, k: usize) -> Play<KShot> {
    Play::new(KShot::new(env, k).expect("a free key"))
}

#[test]
fn attempts_follow_one_another_within_one_episode() {
    let mut play = wrap(Box::new(Scripted::new(Fault::None)), 3);
    assert_eq!(play.env.spec().horizon, Some(15));
    // attempt: begins, ended / k; observation: time / 10, 0.
    assert_eq!(play.reset(0), [1.0, 0.0, 0.0, 0.0]);
    let third = 1.0 / 3.0;
    for t in 1..=15 {
        let (seen, step) = play.step(0);
        let (attempt, time) = (t / 5, t % 5);
        let last = t == 15;
        let begins = f32::from(time == 0 && !last);
        let shown = if last { 5 } else { time };
        assert_eq!(seen, [begins, attempt as f32 * third, 0.0 + shown as f32 / 10.0, 0.0], "step {t}");
        assert_eq!(step, Step { reward: 1.0, terminated: last, truncated: false });
    }
    let names = ["attempt 0 return", "attempt 0 success", "attempt 1 return", "attempt 1 success"];
    let metrics = play.metrics();
    assert_eq!(metrics.len(), 6);
    assert!(metrics.iter().zip(names).all(|((name, _), expected)| name == expected));
    assert!(metrics.iter().all(|(name, value)| *value == if name.ends_with("return") { 5.0 } else { 1.0 }));
    assert_eq!(play.env.success(), Some(true));
    assert_eq!(play.reset(1), [1.0, 0.0, 0.0, 0.0], "a new episode starts from nothing");
    assert!(play.metrics().is_empty());
}

#[test]
fn truncation_of_the_last_attempt_is_passed_on() {
    let make = |k: i64| {
        let options =
            toml::Table::from_iter([("horizon".to_owned(), 4.into()), ("k_shot".to_owned(), k.into())]);
        registry::make("wind", &options).expect("legal options")
    };
    assert_eq!(make(1).spec().observation_space.to_string(), "{observation: Box(-inf, inf, [2])}");
    let mut env = make(2);
    let space = env.spec().observation_space.clone();
    assert_eq!(space.to_string(), "{attempt: Box(0, 1, [2]), observation: Box(-inf, inf, [2])}");
    let mut obs = Observation::new(&space);
    env.reset(0, &mut obs).expect("resets");
    let still = Action::Continuous(vec![0.0, 0.0]);
    let mut first = Vec::new();
    for t in 1..=8 {
        let step = env.step(&still, &mut obs).expect("legal");
        assert_eq!(step, Step { reward: 0.0, terminated: false, truncated: t == 8 });
        // The same wind blows in both attempts.
        let mut place = Observation::new(&space);
        place.write(KShot::KEY, &[0.0, 0.0]).expect("the key is there");
        if t < 4 {
            first.push(obs.columns()[1].clone());
        } else if t > 4 && t < 8 {
            assert_eq!(obs.columns()[1], first[t - 5], "step {t}");
        }
    }
    assert_eq!(env.success(), Some(false));
}

/// A slippery lake: the layout stays, the slips do not.
#[test]
fn noise_differs_between_attempts_at_the_same_task() {
    let options = "k_shot = 2\nk_episodes = 1\nrecover_mode = true\nslip_chance = 0.5\nsize = 4\nmax_episode_steps = 40";
    let options = options.parse().expect("a table");
    let mut env = registry::make("meta-frozen-lake", &options).expect("legal options");
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut layouts = BTreeSet::new();
    for seed in 0..40 {
        env.reset(seed, &mut obs).expect("resets");
        let layout = |env: &dyn Env| env.render_text().expect("it can be drawn").replace('A', ".");
        let lake = layout(env.as_ref());
        let mut ways = vec![Vec::new()];
        loop {
            let steps = ways.last().map_or(0, Vec::len);
            // To and fro: one of the tiles beside the first is ice, so that a slip is always seen.
            let action = [1, 3, 2, 4][steps % 4];
            let step = env.step(&Action::Discrete(action), &mut obs).expect("legal");
            assert_eq!(layout(env.as_ref()), lake, "seed {seed}: the lake changed");
            if step.done() {
                break;
            }
            let (signal, seen) = (&obs.columns()[0], &obs.columns()[1]);
            match signal {
                Column::F32(signal) if signal[0] == 1.0 => ways.push(Vec::new()),
                _ => ways.last_mut().expect("never empty").push(seen.clone()),
            }
        }
        assert_eq!(ways.len(), 2);
        assert_ne!(ways[0], ways[1], "seed {seed}: the same slips");
        layouts.insert(lake);
    }
    assert!(layouts.len() > 35, "{} different lakes", layouts.len());
}

#[test]
fn a_taken_key_and_no_attempts_are_refused() {
    struct Taken(TaskSpec);
    impl Env for Taken {
        fn spec(&self) -> &TaskSpec {
            &self.0
        }
        fn reset(&mut self, _: u64, _: &mut Observation) -> Result<(), EnvError> {
            Ok(())
        }
        fn step(&mut self, _: &Action, _: &mut Observation) -> Result<Step, EnvError> {
            Ok(Step::default())
        }
    }
    let keys = [(KShot::KEY, Space::box_f32(&[1], 0.0, 1.0))];
    let taken = Taken(TaskSpec::new("taken", keys, Space::Discrete { n: 2 }));
    let error = KShot::new(Box::new(taken), 2).err().expect("the key is taken").to_string();
    assert!(error.contains("\"attempt\", which is taken"), "{error}");
    let none = KShot::new(Box::new(Scripted::new(Fault::None)), 0);
    assert!(none.err().expect("no attempts").to_string().contains("at least 1"));
}

/// A scripted environment that can be stopped and gone on with.
struct Saving(Scripted);

impl Env for Saving {
    fn spec(&self) -> &TaskSpec {
        self.0.spec()
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.0.reset(seed, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.0.step(action, obs)
    }

    fn success(&self) -> Option<bool> {
        self.0.success()
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        Some(vec![self.0.time as u8])
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.0.time = usize::from(state[0]);
        Ok(())
    }
}

#[test]
fn a_state_holds_the_attempts_too() {
    let mut one = wrap(Box::new(Saving(Scripted::new(Fault::None))), 3);
    one.reset(4);
    (0..7).for_each(|_| drop(one.step(0)));
    let state = one.env.save_state().expect("it has one");
    let mut two = wrap(Box::new(Saving(Scripted::new(Fault::None))), 3);
    two.env.load_state(&state).expect("it fits");
    for step in 7..15 {
        assert_eq!(one.step(0), two.step(0), "step {step}");
    }
    assert_eq!((one.metrics(), one.metrics().len()), (two.metrics(), 6));
    assert!(two.env.load_state(b"nothing").is_err());
    let without = wrap(Box::new(Scripted::new(Fault::None)), 3);
    assert!(without.env.save_state().is_none(), "only where the environment has states");
}
