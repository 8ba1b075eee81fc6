//! What a worker may say without harm.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use amago_env::{Action, DictSpace, EnvError, Observation, Rng, Role, Space, rng};
use rand::RngExt;

use crate::GymConfig;
use crate::batch::{Batch, HEAD, head};
use crate::layout::{Layout, Row, Scratch};
use crate::seat::{Seat, Stepped, Turn};
use crate::wire::{MAX_TEXT, Wire, WireError};

const HELLO: &str = r#"{"python": "3.11", "horizon": 200, "saves_state": false,
    "action": {"kind": "discrete", "n": 3},
    "leaves": [
        {"key": "box", "kind": "box", "shape": [2], "low": [null], "high": [1.5, null], "bytes": false},
        {"key": "image", "kind": "box", "shape": [2, 1, 3], "low": [0], "high": [255], "bytes": true},
        {"key": "place", "kind": "choices", "nvec": [4], "discrete": true},
        {"key": "bits", "kind": "bits", "n": 2}]}"#;

fn config() -> GymConfig {
    GymConfig { metrics: vec!["m".to_owned()], ..GymConfig::default() }
}

fn layout() -> Layout {
    Layout::read("gym:x", HELLO.as_bytes(), &config()).expect("a description")
}

/// A wire on which these bytes come, and then the end.
fn wire(bytes: &[u8]) -> Wire {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    theirs.write_all(bytes).expect("room for them");
    let wire = Wire::new(ours);
    wire.set_limit(Duration::from_secs(5)).expect("a limit");
    wire
}

fn reply(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &(payload.len() as u32).to_le_bytes(), payload].concat()
}

fn row(layout: &Layout, time: f32) -> Vec<u8> {
    let mut row = Vec::new();
    row.extend_from_slice(&time.to_le_bytes());
    row.extend_from_slice(&7.0f32.to_le_bytes());
    row.extend_from_slice(&[1, 2, 3, 4, 5, 6]);
    row.extend_from_slice(&2i32.to_le_bytes());
    row.extend_from_slice(&[0, 1]);
    assert_eq!(row.len(), layout.row);
    row
}

fn record(status: u8, success: u8, reward: f64, metric: f64) -> Vec<u8> {
    let mut record = vec![status, success, 0, 0, 0, 0, 0, 0];
    record.extend_from_slice(&reward.to_le_bytes());
    record.extend_from_slice(&metric.to_le_bytes());
    record
}

/// Three copies: one goes on, one ends and begins again, one fails.
fn three(layout: &Layout) -> Vec<u8> {
    let mut payload =
        [record(1, 2, 0.5, f64::NAN), record(1 | 2 | 8, 1, -1.0, 3.0), record(16, 0, 0.0, 0.0)].concat();
    payload.extend([row(layout, 0.25), row(layout, 0.5), row(layout, 0.0)].concat());
    payload.extend_from_slice(&5u32.to_le_bytes());
    payload.extend_from_slice(b"wrong");
    reply(b'V', &payload)
}

/// Lets the bytes come as the reply to a step of three copies.
fn receive(layout: &Layout, bytes: &[u8]) -> (Result<(), WireError>, Vec<Seat>) {
    let mut batch = Batch::new(layout, 3).expect("a batch");
    let mut seats: Vec<_> = (0..3).map(|_| Seat::new(layout)).collect();
    seats.iter_mut().for_each(|seat| (seat.row, seat.first) = (vec![0; layout.row], vec![0; layout.row]));
    for (i, seat) in seats.iter_mut().enumerate() {
        batch.put(i, &Action::Discrete(i), layout).expect("legal");
        seat.turn = Turn::Queued { next_seed: (i < 2).then_some(40 + i as u32) };
    }
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let mut out = Wire::new(ours);
    batch.send(&mut out, &mut seats).expect("room for it");
    let mut request = vec![0; HEAD + 3 * (4 + 8 + 1)];
    std::io::Read::read_exact(&mut theirs, &mut request).expect("a request");
    assert_eq!((&request[..HEAD], &request[request.len() - 3..]), (&head(b'S', 0, 0)[..], &[3, 3, 1][..]));
    let received = batch.receive(&mut wire(bytes), &mut seats);
    (received, seats)
}

#[test]
fn a_step_of_three_copies() {
    let layout = layout();
    let (received, seats) = receive(&layout, &three(&layout));
    received.expect("a whole reply");
    let first = Stepped { reward: 0.5, terminated: false, truncated: false, success: None };
    assert_eq!(seats[0].turn, Turn::Done(Ok(first)));
    let second = Stepped { reward: -1.0, terminated: true, truncated: false, success: Some(true) };
    assert_eq!(seats[1].turn, Turn::Done(Ok(second)));
    assert_eq!((seats[1].metrics[0], seats[1].begun.clone()), (3.0, Some((41, Ok(())))));
    assert_eq!((seats[0].row.clone(), seats[1].first.clone()), (row(&layout, 0.25), row(&layout, 0.0)));
    let Turn::Done(Err(error)) = &seats[2].turn else { panic!("{:?}", seats[2].turn) };
    assert_eq!(error.to_string(), "the environment failed: wrong");
}

#[test]
fn signs_of_life_are_passed_over() {
    let layout = layout();
    let bytes = [reply(b'.', b""), reply(b'.', b""), three(&layout)].concat();
    receive(&layout, &bytes).0.expect("a whole reply");
    let busy = receive(&layout, &reply(b'.', b"x")).0;
    assert!(matches!(busy, Err(WireError::Protocol(_))), "{busy:?}");
}

#[test]
fn last_words_are_kept() {
    let error = receive(&layout(), b"Fatal Python error: Aborted\n\nStack").0;
    assert_eq!(error, Err(WireError::Fatal("Fatal Python error: Aborted\n\nStack".to_owned())));
}

#[test]
fn half_replies_and_false_lengths_are_refused() {
    let layout = layout();
    let whole = three(&layout);
    for length in 0..whole.len() {
        assert_eq!(receive(&layout, &whole[..length]).0, Err(WireError::Ended), "{length}");
    }
    for (length, expected) in [
        (0, "shorter than its content"),
        (whole.len() - 6, "shorter than its content"),
        (whole.len() - 4, "1 bytes too many"),
        (u32::MAX as usize, "bytes too many"),
    ] {
        let mut bytes = whole.clone();
        bytes[1..5].copy_from_slice(&(length as u32).to_le_bytes());
        let Err(WireError::Protocol(text)) = receive(&layout, &bytes).0 else { panic!("{length}") };
        assert!(text.contains(expected), "{text}");
    }
    // A text that would take 4 GB.
    let mut bytes = whole.clone();
    let place = whole.len() - 9;
    bytes[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let Err(WireError::Protocol(text)) = receive(&layout, &bytes).0 else { panic!("a long text") };
    assert_eq!(text, format!("sent a text of 4294967295 bytes, {MAX_TEXT} are allowed"));
}

#[test]
fn a_long_payload_is_refused_before_it_is_read() {
    let mut wire = wire(&[&b"B"[..], &u32::MAX.to_le_bytes()].concat());
    assert_eq!(wire.reply(), Ok(b'B'));
    assert!(matches!(wire.payload(1 << 20), Err(WireError::Protocol(_))));
}

fn mutate(bytes: &mut Vec<u8>, draws: &mut Rng) {
    for _ in 0..draws.random_range(1..4) {
        let place = draws.random_range(0..bytes.len());
        match draws.random_range(0..4) {
            0 => bytes[place] = draws.random(),
            1 => bytes[place] ^= 1 << draws.random_range(0..8),
            2 => bytes.truncate(place.max(1)),
            _ => bytes.insert(place, draws.random()),
        }
    }
}

/// Whatever comes: no panic, no hang, and every copy knows how it went, or there is an error.
#[test]
fn any_reply_is_read_or_refused() {
    let layout = layout();
    let mut draws = rng(0, Role::Replay, 0, 0);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..5_000 {
        let mut bytes = three(&layout);
        mutate(&mut bytes, &mut draws);
        match receive(&layout, &bytes) {
            (Ok(()), seats) => {
                read += 1;
                assert!(seats.iter().all(|seat| matches!(seat.turn, Turn::Done(_))));
                let mut obs = Observation::new(&layout.spec.observation_space);
                // An observation is one, or an error: the choice and the bits may be none.
                let _ = layout.get(Row::Bytes(&seats[0].row), &mut Scratch::default(), &mut obs);
            }
            (Err(_), _) => refused += 1,
        }
    }
    assert!(read > 500 && refused > 2000, "{read} {refused}");
}

#[test]
fn observations_are_decoded() {
    let layout = layout();
    let spec = &layout.spec;
    let expected = "{bits: MultiBinary(2), box: Box(-inf, inf, [2]), image: Box(0, 255, [2, 1, 3], u8), place: Discrete(4)}";
    assert_eq!((spec.observation_space.to_string().as_str(), spec.horizon), (expected, Some(200)));
    let mut obs = Observation::new(&spec.observation_space);
    layout.get(Row::Bytes(&row(&layout, 0.5)), &mut Scratch::default(), &mut obs).expect("an observation");
    let floats = |values: &[f32]| amago_env::Column::F32(values.to_vec());
    let columns = obs.columns();
    assert_eq!(columns[0], floats(&[0.0, 1.0]));
    assert_eq!(columns[1], floats(&[0.5, 7.0]));
    assert_eq!(columns[2], amago_env::Column::U8(vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(columns[3], floats(&[0.0, 0.0, 1.0, 0.0]));
    let mut wrong = row(&layout, 0.5);
    wrong[14..18].copy_from_slice(&4i32.to_le_bytes());
    let error = layout.get(Row::Bytes(&wrong), &mut Scratch::default(), &mut obs).expect_err("no choice");
    assert!(matches!(&error, EnvError::OutOfSpace { key, .. } if key == "place"), "{error}");
    let error = layout
        .get(Row::Bytes(&row(&layout, f32::NAN)), &mut Scratch::default(), &mut obs)
        .expect_err("no number");
    assert_eq!(error.to_string(), "observation \"box\"[0] is NaN, not a finite number");
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    let read = |hello: &str, config: &GymConfig| {
        Layout::read("gym:x", hello.as_bytes(), config).expect_err("refused").to_string()
    };
    for (from, to, expected) in [
        ("\"shape\": [2]", "\"shape\": [4294967296, 4294967296]", "too large"),
        ("\"shape\": [2]", "\"shape\": [3]", "has 2 bounds for 3 entries"),
        ("\"n\": 2}", "\"n\": 99999999999}", "too large"),
        ("\"nvec\": [4]", "\"nvec\": [9999999999]", "too many choices"),
        ("\"n\": 3}", "\"n\": 18446744073709551615}", "the action space has too many choices"),
        ("\"n\": 3}", "\"n\": 0}", "Discrete(0) has no values"),
        ("\"key\": \"bits\"", "\"key\": \"box\"", "two observations have the key \"box\""),
        ("\"horizon\": 200", "\"horizon\": -1", "described its environment in an unknown way"),
    ] {
        assert!(HELLO.contains(from));
        let error = read(&HELLO.replacen(from, to, 1), &config());
        assert!(error.contains(expected), "{error}");
    }
    let both = HELLO.replace("\"key\": \"bits\"", &format!("\"key\": \"{}\"", DictSpace::ACTION_MASK));
    let error = read(&both, &GymConfig { action_mask: true, ..config() });
    assert!(error.contains("two observations have the key \"action_mask\""), "{error}");
}

#[test]
fn any_description_is_read_or_refused() {
    let mut draws = rng(1, Role::Replay, 0, 0);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = HELLO.as_bytes().to_vec();
        mutate(&mut bytes, &mut draws);
        if let Ok(layout) = Layout::read("gym:x", &bytes, &config()) {
            read += 1;
            assert!(layout.row < 1 << 26);
        }
    }
    assert!(read > 100, "{read}");
}

#[test]
fn actions_are_encoded() {
    let action = |action: &str| {
        let hello = HELLO.replace(r#"{"kind": "discrete", "n": 3}"#, action);
        Layout::read("gym:x", hello.as_bytes(), &config()).expect("a description")
    };
    let put = |layout: &Layout, action: &Action| {
        let mut bytes = vec![0xff; layout.action];
        layout.put(action, &mut bytes).map(|()| bytes)
    };
    assert_eq!(put(&layout(), &Action::Discrete(2)).expect("legal"), [2, 0, 0, 0, 0, 0, 0, 0]);
    assert!(put(&layout(), &Action::Discrete(3)).is_err());
    let two = action(r#"{"kind": "multi_discrete", "nvec": [2, 300]}"#);
    let bytes = put(&two, &Action::MultiDiscrete(vec![1, 259])).expect("legal");
    assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0]);
    let bits = action(r#"{"kind": "multi_binary", "n": 3}"#);
    assert_eq!(put(&bits, &Action::MultiBinary(vec![true, false, true])).expect("legal"), [1, 0, 1]);
    let numbers = action(r#"{"kind": "box", "shape": [1], "low": [-2], "high": [4]}"#);
    assert_eq!(numbers.spec.action_space, Space::box_f32(&[1], -2.0, 4.0));
    assert_eq!(put(&numbers, &Action::Continuous(vec![0.5])).expect("legal"), 2.5f32.to_le_bytes());
}
