//! Random streams, derived from `(run seed, role, worker, counter)` by hashing.
//!
//! A stream needs no stored state: a checkpoint keeps the counter, and the stream is made again.

use rand::SeedableRng;

/// The generator used everywhere: fast, and the same on every platform.
pub type Rng = rand::rngs::Xoshiro256PlusPlus;

/// What a random stream is for. Streams of different roles never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Seeds of training episodes.
    TrainEnv,
    /// Seeds of evaluation episodes.
    EvalEnv,
    /// Exploration noise.
    Exploration,
    /// Actions sampled from the policy.
    Policy,
    /// Trajectories and slices sampled from replay.
    Replay,
    /// Draws inside an update: target subsets, sampled actions, dropout.
    Learner,
    /// Initial weights.
    Init,
    /// Later attempts at one task.
    Attempt,
    /// How much an actor explores in an episode.
    ExplorationScale,
    /// At which length an actor's trajectory is cut.
    TrajectoryLength,
    /// Actions sampled in the episodes of an evaluation.
    EvalPolicy,
    /// Which task an episode is.
    Task,
}

/// Seed of one stream: SplitMix64 over the four parts.
pub fn stream_seed(run_seed: u64, role: Role, worker: u64, counter: u64) -> u64 {
    [role as u64 + 1, worker, counter].into_iter().fold(mix(run_seed), |h, x| mix(h ^ mix(x)))
}

/// Generator of one stream.
pub fn rng(run_seed: u64, role: Role, worker: u64, counter: u64) -> Rng {
    Rng::seed_from_u64(stream_seed(run_seed, role, worker, counter))
}

/// Finaliser of SplitMix64 (Steele, Lea and Flood 2014), public domain constants.
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_in_every_part() {
        let base = stream_seed(1, Role::TrainEnv, 2, 3);
        for other in [
            stream_seed(2, Role::TrainEnv, 2, 3),
            stream_seed(1, Role::EvalEnv, 2, 3),
            stream_seed(1, Role::TrainEnv, 3, 3),
            stream_seed(1, Role::TrainEnv, 2, 4),
            stream_seed(1, Role::TrainEnv, 3, 2),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(base, stream_seed(1, Role::TrainEnv, 2, 3));
    }

    /// Numbers from the same formula written in Python. Checkpoints hold counters, not generators, so
    /// other numbers would break every resumed run.
    #[test]
    fn streams_are_pinned() {
        assert_eq!(stream_seed(0, Role::TrainEnv, 0, 0), 0x0936_eb4e_e2ce_635c);
        assert_eq!(stream_seed(7, Role::Learner, 3, 1_000_000), 0xd748_66d6_da40_9b9d);
    }
}
