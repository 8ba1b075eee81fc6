//! The conformance check finds every kind of broken environment.

mod support;

use amago_env::conformance::{CheckOptions, ConformanceError, ConformanceReport, Violation, check};
use amago_env::{Env, EnvError};
use support::{Fault, Scripted};

fn run(fault: Fault) -> Result<ConformanceReport, ConformanceError> {
    check(&|| Ok(Box::new(Scripted::new(fault)) as Box<dyn Env>), &CheckOptions::default())
}

#[test]
fn a_sound_environment_passes() {
    let report = run(Fault::None).expect("nothing is wrong with it");
    assert_eq!((report.episodes, report.finished, report.steps, report.longest), (10, 10, 50, 5));
    assert_eq!(report.returns, (5.0, 5.0));
    assert_eq!(report.metrics, ["steps"]);
    assert!(!report.varies_with_seed, "it takes no notice of its seed");
}

#[test]
fn broken_environments_are_found_where_they_break() {
    for (fault, place, part) in [
        (Fault::NanReward, Some((0, 3)), "the reward is NaN"),
        (Fault::InfiniteObs, Some((0, 3)), "[0] is inf"),
        (Fault::OutOfSpace, Some((0, 3)), "outside its space"),
        (Fault::WrongWidth, Some((0, 3)), "has 1 f32 entries"),
        (Fault::OtherBuffer, Some((0, 3)), "has 3 f32 entries"),
        (Fault::ForgetsToWrite, Some((0, 3)), "is NaN"),
        (Fault::PanicInStep, Some((0, 3)), "panicked: broken on purpose"),
        (Fault::PanicInMetrics, Some((0, 6)), "panicked: broken on purpose"),
        (Fault::PanicInSecondReset, Some((1, 0)), "panicked: broken on purpose"),
        (Fault::NanMetric, Some((0, 6)), "metric \"steps\" is NaN"),
        (Fault::TooLong, Some((0, 5)), "beyond the horizon of 4"),
        (Fault::LeaksBetweenEpisodes, Some((9, 0)), "the observation differs"),
        (Fault::GlobalState, Some((9, 1)), "the observation differs"),
        (Fault::AcceptsEverything, Some((0, 1)), "Discrete(2) was accepted"),
        (Fault::UntypedRefusal, Some((0, 1)), "must give an action error"),
        (Fault::SpaceChanges, None, "name, spaces or horizon are not those of the beginning"),
        (Fault::NameChanges, None, "name, spaces or horizon are not those of the beginning"),
        (Fault::EmptySpace, None, "has no values"),
    ] {
        let error = run(fault).expect_err("it is broken");
        assert!(error.to_string().contains(part), "{fault:?}: \"{error}\" lacks \"{part}\"");
        let found = match error {
            ConformanceError::Play { episode, step, .. } => Some((episode, step)),
            _ => None,
        };
        assert_eq!(found, place, "{fault:?}");
    }
}

#[test]
fn an_environment_that_cannot_be_made_is_said_so() {
    let error = check(&|| Err(EnvError::Failed("no display".to_owned())), &CheckOptions::default());
    assert!(matches!(error, Err(ConformanceError::Make(EnvError::Failed(m))) if m == "no display"));
}

#[test]
fn violations_keep_their_cause() {
    let Err(ConformanceError::Play { violation, .. }) = run(Fault::WrongWidth) else {
        panic!("it is broken")
    };
    assert!(matches!(violation, Violation::Env(EnvError::WrongShape { got: 1, expected: 2, .. })));
}
