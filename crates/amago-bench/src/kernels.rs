//! Kernels that a device is asked to run, counted and timed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cubecl::logging::{
    Duration, LaunchObservation, LaunchObserver, ProfileDuration, TimingMethod, TimingRequest,
};
use serde_json::{Value, json};

/// Launches so far, with measurements that nobody has waited for where they were asked for.
#[derive(Default)]
struct Seen {
    launches: Mutex<HashMap<&'static str, usize>>,
    timed: Mutex<Vec<(&'static str, ProfileDuration)>>,
    timing: bool,
}

impl LaunchObserver for Seen {
    fn launched(&self, kernel: &'static str) {
        *self.launches.lock().expect("no panic while it is held").entry(kernel).or_default() += 1;
    }

    fn timing(&self) -> TimingRequest {
        if self.timing { TimingRequest::Deferred } else { TimingRequest::None }
    }

    fn profiled(&self, kernel: &'static str, profile: ProfileDuration) {
        self.timed.lock().expect("no panic while it is held").push((kernel, profile));
    }

    fn timed(&self, _: &'static str, _: Duration, _: TimingMethod) {}
}

/// Kernels that `f` launches: how many, and the most frequent ones; with `timing` also those that take most of the
/// device's time. Timing slows `f` down.
pub fn watch<R>(timing: bool, f: impl FnOnce() -> R) -> (R, Value) {
    let seen = Arc::new(Seen { timing, ..Seen::default() });
    let watching = LaunchObservation::new(seen.clone());
    let result = f();
    drop(watching);
    let launches = std::mem::take(&mut *seen.launches.lock().expect("no thread panicked"));
    let timed = std::mem::take(&mut *seen.timed.lock().expect("no thread panicked"));
    let mut rows: HashMap<String, Row> = HashMap::new();
    for (kernel, count) in launches {
        rows.entry(short(kernel)).or_default().launches += count;
    }
    for (kernel, profile) in timed {
        // A measurement may be missing where the device ran out of timers.
        let ticks = cubecl::future::block_on(profile.resolve());
        rows.entry(short(kernel)).or_default().microseconds +=
            ticks.map_or(0.0, |t| t.duration().as_secs_f64() * 1e6);
    }
    let total = |of: fn(&Row) -> f64| rows.values().map(of).sum::<f64>();
    let all = json!({
        "launches": rows.values().map(|row| row.launches).sum::<usize>(),
        "kernel_microseconds": timing.then(|| total(|row| row.microseconds)),
        "top": top(&rows),
    });
    (result, all)
}

#[derive(Debug, Default, Clone)]
struct Row {
    launches: usize,
    microseconds: f64,
}

/// The ten rows that take most time, or are launched most often where nothing was timed.
fn top(rows: &HashMap<String, Row>) -> Value {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by(|(_, a), (_, b)| {
        (b.microseconds, b.launches).partial_cmp(&(a.microseconds, a.launches)).expect("times are numbers")
    });
    let row = |(name, row): &(&String, &Row)| json!({ "kernel": name, "launches": row.launches, "microseconds": row.microseconds });
    rows.iter().take(12).map(row).collect()
}

/// The kernel's own name, without its path and parameters.
fn short(kernel: &str) -> String {
    let name = kernel.split('<').next().unwrap_or(kernel);
    name.rsplit("::").next().unwrap_or(name).to_owned()
}
