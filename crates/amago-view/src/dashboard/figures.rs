//! The numbers that a dashboard shows of each run.

use crate::{Axis, Run};

/// Label and metric of each figure, in the order of their use to somebody who watches.
pub(super) const FIGURES: [(&str, &str); 24] = [
    ("return, eval", "eval/return_mean"),
    ("return, train", "rollout/return_mean"),
    ("success, eval", "eval/success"),
    ("success, train", "rollout/success"),
    ("loss", "train/loss"),
    ("actor loss", "train/parts/actor_loss"),
    ("critic loss", "train/parts/critic_loss"),
    ("entropy", "train/parts/entropy"),
    ("filter passes", "train/parts/filter_pass"),
    ("Q(s,a)", "train/parts/q_value"),
    ("Q spread", "train/parts/q_std"),
    ("advantage", "train/parts/advantage"),
    ("adv. spread", "train/parts/advantage_std"),
    ("gradient", "train/grad_norm"),
    ("grad timesteps", "train/grad_norms/tstep_encoder"),
    ("grad trajectory", "train/grad_norms/traj_encoder"),
    ("grad actor", "train/grad_norms/actor"),
    ("grad critics", "train/grad_norms/critics"),
    ("updates/s", "time/updates_per_second"),
    ("env steps/s", "time/env_steps_per_second"),
    ("trajectories", "replay/trajectories"),
    ("policy age", "replay/policy_age"),
    ("exploration", "rollout/epsilon"),
    ("length, eval", "eval/length_mean"),
];

/// All values of a metric, oldest first.
pub(super) fn values(run: &Run, metric: &str) -> Vec<f64> {
    run.series(metric, Axis::Epochs).into_iter().map(|(_, y)| y).collect()
}

/// The figures that some run has.
pub(super) fn known(runs: &[Run]) -> Vec<(&'static str, &'static str)> {
    let has = |metric: &str| runs.iter().any(|run| run.last(metric).is_some());
    FIGURES.into_iter().filter(|(_, metric)| has(metric)).collect()
}
