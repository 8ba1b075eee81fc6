//! What a task has but an agent cannot reach: timesteps without a position, options behind a floor of probability.

use amago_agent::PolicyHead;
use amago_seqmodel::{PositionKind, TrajEncoderConfig, TransformerConfig};

use crate::{RunConfig, TrainError, task};

/// A floor of probability that leaves the best option less than this is worth a warning.
const LEAST_BEST: f32 = 0.6;

/// What can be learned, but hardly as it is meant.
pub(crate) fn warnings(config: &RunConfig, head: &PolicyHead, horizon: Option<usize>) -> Vec<String> {
    hidden_best(head).into_iter().chain(shared_positions(config, horizon)).collect()
}

/// A floor of probability that the best option cannot rise from.
fn hidden_best(head: &PolicyHead) -> Option<String> {
    let (options, best) = head.largest_prob().filter(|(_, best)| *best < LEAST_BEST)?;
    Some(format!(
        "agent.actor.policy.min_prob leaves the best of {options} options a probability of at most {best:.2}: lower \
         it, for example to {:.0e}",
        0.01 / options as f64
    ))
}

/// Learned positions for a task that may go on for ever.
fn shared_positions(config: &RunConfig, horizon: Option<usize>) -> Option<String> {
    let encoder = learned_positions(config).filter(|_| horizon.is_none())?;
    Some(format!(
        "{} has no horizon: timesteps from agent.traj_encoder.max_time = {} on share one learned position",
        task::name(config),
        encoder.max_time
    ))
}

fn learned_positions(config: &RunConfig) -> Option<&TransformerConfig> {
    match &config.agent.traj_encoder {
        TrajEncoderConfig::Transformer(encoder) => Some(encoder),
        _ => None,
    }
    .filter(|encoder| encoder.pos_emb == PositionKind::Learned)
}

/// A learned vector for every timestep that an episode, or a slice of one, can have.
pub(crate) fn check_positions(config: &RunConfig, horizon: Option<usize>) -> Result<(), TrainError> {
    let Some(TransformerConfig { max_time, .. }) = learned_positions(config) else { return Ok(()) };
    let lengths = [
        ("train.max_seq_len".to_owned(), Some(config.train.max_seq_len)),
        (format!("the horizon of {}", task::name(config)), horizon),
    ];
    // Timesteps are counted from zero, and the last observation comes after the last step.
    let beyond = |len: Option<usize>| len.filter(|len| len >= max_time);
    match lengths.into_iter().find_map(|(name, len)| Some((name, beyond(len)?))) {
        Some((name, len)) => Err(TrainError::Positions { max_time: *max_time, name, len }),
        None => Ok(()),
    }
}
