//! Episodes with all that can be seen of them: drawings, rewards, values, attention.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use amago_agent::{Agent, RandomDraws, TrainBatch, inspect};
use amago_env::film::Filmed;
use amago_env::render::Frame;
use amago_env::vector::{EpisodeStats, VecEnv};
use amago_env::{Env, EnvError, Role, Step, stream_seed};
use amago_replay::{Slice, Trajectory, TrajectoryBuilder, collate};
use burn::tensor::{Device, Tensor};

use crate::evaluate::limited;
use crate::player::Player;
use crate::{Episodes, Plan, Play, StopFlag, TrainError, train_batch};

/// One state of an episode.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    /// Its drawing, where the environment has one.
    pub frame: Option<Frame>,
    /// The attempt that it belongs to, from 0, where the environment counts them.
    pub attempt: Option<usize>,
    /// Reward of the step that led to it; zero at the start.
    pub reward: f32,
}

/// An episode that was played to be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Every state, the last one included: one more than steps.
    pub shots: Vec<Shot>,
    /// `V(s)` of each state that was acted on, for the acting discount, in units of the environment's reward.
    /// Empty where nothing learned values.
    pub values: Vec<f32>,
    /// How much each of the first `train.max_seq_len` states and the one after them attends to each, a square
    /// per layer, row by row, as the mean over the heads. Empty where nothing attends.
    pub attention: Vec<Vec<f32>>,
    /// Length of a row of `attention`.
    pub attended: usize,
    /// What was measured.
    pub stats: EpisodeStats,
}

/// Plays episodes of the planned task one after the other and records them; they are not stored. Values of an episode longer than
/// `train.max_seq_len` are computed in pieces of that length, as in training.
///
/// # Errors
/// When the environment fails.
pub fn record(
    plan: &Plan,
    who: &Play<'_>,
    episodes: &Episodes<'_>,
    stop: &StopFlag,
) -> Result<Vec<Recording>, TrainError> {
    let (mut envs, shots) = filmed(plan, episodes)?;
    let mut player = Player::new(who, &envs, episodes.seed);
    let mut builder = TrajectoryBuilder::new(envs.observation_space(), envs.action_space());
    builder.start(&envs.reset_all()?[0].obs)?;
    let mut found = Vec::new();
    while found.len() < episodes.count && !stop.is_set() {
        let actions = player.act(&envs);
        let results = envs.step(&actions)?;
        let result = &results[0];
        builder.push(&actions[0], &result.step, result.final_obs().unwrap_or(&result.obs))?;
        if let Some(stats) = &result.episode {
            let trajectory = Arc::new(builder.finish());
            builder.start(&result.obs)?;
            let mut recording = Recording {
                shots: shots.try_iter().collect(),
                values: Vec::new(),
                attention: Vec::new(),
                attended: 0,
                stats: stats.clone(),
            };
            if let Play::Agent { agent, device, .. } = who {
                device.seed(stream_seed(episodes.seed, Role::Learner, 1, found.len() as u64));
                recording.think(plan, agent, device, &trajectory);
            }
            found.push(recording);
        }
        player.observe(&actions, results);
    }
    Ok(found)
}

/// One environment that tells of each of its states.
fn filmed(plan: &Plan, episodes: &Episodes<'_>) -> Result<(VecEnv, Receiver<Shot>), TrainError> {
    let (send, shots) = channel();
    let look = move |env: &dyn Env, step: Option<Step>| {
        let reward = step.map_or(0.0, |s| s.reward);
        let shot = Shot { frame: env.render(), attempt: env.attempt(), reward };
        send.send(shot).map_err(|e| EnvError::Failed(e.to_string()))
    };
    let env = plan.make_env(|env| Box::new(Filmed::new(env, look)))?;
    Ok((limited(VecEnv::new(vec![env], episodes.seed, Role::EvalEnv)?, episodes), shots))
}

impl Recording {
    /// Adds what the agent makes of the episode.
    fn think(&mut self, plan: &Plan, agent: &Agent, device: &Device, trajectory: &Arc<Trajectory>) {
        let config = &plan.config.agent;
        let size = plan.config.train.max_seq_len;
        for start in (0..trajectory.len()).step_by(size) {
            let end = trajectory.len().min(start + size);
            let slice = Slice::new(trajectory.clone(), start, end);
            let batch = train_batch(collate(&[slice]), &plan.spec.obs, device);
            if start == 0 {
                self.attend(agent, &batch);
            }
            let Some(report) = inspect(agent, config, &batch, &mut RandomDraws) else { return };
            let [_, len, gammas] = report.values.v.dims();
            let acting = report.values.v.narrow(2, gammas - 1, 1).narrow(1, 0, len.min(end - start));
            let values = acting.into_data();
            self.values.extend(values.iter::<f32>().map(|v| v / config.reward_multiplier));
        }
    }

    fn attend(&mut self, agent: &Agent, batch: &TrainBatch) {
        let encoded = agent.tstep_encoder.forward(&batch.obs, batch.rl2s.clone());
        let layers = agent.traj_encoder.attention(encoded, batch.times.clone());
        // Of the first piece alone: a square per layer is large, and later pieces know nothing of it.
        self.attended = layers.first().map_or(0, |weights| weights.dims()[3]);
        let host = |weights: Tensor<4>| weights.mean_dim(1).into_data().iter::<f32>().collect();
        self.attention = layers.into_iter().map(host).collect();
    }
}
