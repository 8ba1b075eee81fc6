//! Settings that cannot train, refused one by one.

use amago_env::kshot::KShot;
use amago_replay::{Layout, Relabeler};

use crate::{Mode, RunConfig, TrainConfig, TrainError, task};

/// What there must be at least one of.
pub(crate) fn check_counts(config: &RunConfig) -> Result<(), TrainError> {
    let train = &config.train;
    for (name, value) in [
        ("train.epochs", train.epochs),
        ("train.parallel_actors", train.parallel_actors),
        ("train.batch_size", train.batch_size),
        ("train.max_seq_len", train.max_seq_len),
        ("train.min_trajectories", train.min_trajectories),
        ("train.checkpoint_interval", train.checkpoint_interval),
        ("train.keep_checkpoints", train.keep_checkpoints),
        ("eval.interval", config.eval.interval),
        ("eval.episodes", config.eval.episodes),
    ] {
        if value == 0 {
            return Err(TrainError::Setting { name, value, rule: "at least 1" });
        }
    }
    Ok(())
}

pub(crate) fn check_faults(train: &TrainConfig) -> Result<(), TrainError> {
    let refuse = |name, value, rule| Err(TrainError::Number { name, value, rule });
    if !(0.0..=1.0).contains(&train.max_fault_rate) {
        return refuse("train.max_fault_rate", train.max_fault_rate, "from 0 to 1");
    }
    // A day; the type of the limit cannot hold everything that a float can.
    if !(0.0..=86_400.0).contains(&train.env_timeout) {
        return refuse("train.env_timeout", train.env_timeout, "from 0 to 86400");
    }
    if train.loss_limit.is_nan() || train.loss_limit <= 0.0 {
        return refuse("train.loss_limit", f64::from(train.loss_limit), "above 0");
    }
    Ok(())
}

/// There must be something to draw from.
pub(crate) fn check_mixture(config: &RunConfig) -> Result<(), TrainError> {
    let replay = &config.replay;
    let sets = replay.datasets.iter().map(|set| ("replay.datasets.weight", set.weight));
    let weights = [("replay.weight", replay.weight)].into_iter().chain(sets);
    let own = replay.initial_weight.map(|weight| ("replay.initial_weight", weight));
    let sets = replay.datasets.iter().filter_map(|set| set.initial_weight);
    let initial = own.into_iter().chain(sets.map(|weight| ("replay.datasets.initial_weight", weight)));
    if let Some((name, value)) =
        weights.clone().chain(initial).find(|(_, weight)| !(0.0..=1e9).contains(weight))
    {
        return Err(TrainError::Number { name, value, rule: "from 0 to 1e9" });
    }
    let train = &config.train;
    let collects = train.mode != Mode::Learn && train.timesteps_per_epoch > 0;
    // For some epochs at least there is nothing but the datasets.
    let offline = !collects || train.start_collecting_at_epoch > 0;
    let sum: f64 = weights.skip(usize::from(offline)).map(|(_, weight)| weight).sum();
    let setting = |name, value, rule| Err(TrainError::Setting { name, value, rule });
    match sum > 0.0 {
        true => Ok(()),
        false if train.mode == Mode::Learn => Err(TrainError::NothingToLearnFrom),
        false if !collects => setting("train.timesteps_per_epoch", 0, "at least 1 without replay.datasets"),
        false if offline => {
            let epochs = train.start_collecting_at_epoch;
            setting("train.start_collecting_at_epoch", epochs, "0 without replay.datasets")
        }
        false => {
            Err(TrainError::Number { name: "replay.weight", value: 0.0, rule: "above 0 without datasets" })
        }
    }
}

/// Relabelling needs a task with an instruction that stays the same for the whole episode.
pub(crate) fn check_relabelling(config: &RunConfig, layout: &Layout) -> Result<(), TrainError> {
    let relabel = config.replay.relabel;
    if relabel != Relabeler::None && layout.index(KShot::KEY).is_some() {
        return Err(TrainError::RelabelAttempts);
    }
    relabel.check(layout).map_err(|cause| TrainError::Relabel { task: task::name(config), cause })
}
