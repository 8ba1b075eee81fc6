//! Operations of one update from its sizes, for backends that do not count theirs.

use amago_agent::{AgentConfig, CriticKind};
use amago_seqmodel::{TrajEncoderConfig, TstepEncoderConfig};

/// What a batch looks like.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Sequences.
    pub batch: usize,
    /// Transitions of each.
    pub len: usize,
    /// Inputs of the timestep encoder.
    pub inputs: usize,
    /// Numbers of an action.
    pub actions: usize,
    /// Outputs of the actor for each discount.
    pub actor_outputs: usize,
    /// Actions are one discrete choice.
    pub discrete: bool,
}

/// Floating-point operations of the matrix products of a full update: two per multiply-add, a gradient twice
/// its forward pass, causal attention half of the square. What is computed again to save memory does not
/// count, and every sampled action does.
pub fn of_update(config: &AgentConfig, work: &Work) -> f64 {
    let states = (work.batch * (work.len + 1)) as f64;
    encoders(config, work, states) + heads(config, work, states)
}

/// Operations of one row through layers of these widths.
fn mlp(widths: &[usize]) -> f64 {
    widths.windows(2).map(|pair| 2.0 * (pair[0] * pair[1]) as f64).sum()
}

fn hidden(d_input: usize, d_hidden: usize, n_layers: usize, d_output: usize) -> Vec<usize> {
    [d_input].into_iter().chain(vec![d_hidden; n_layers]).chain([d_output]).collect()
}

fn encoders(config: &AgentConfig, work: &Work, states: f64) -> f64 {
    let (TstepEncoderConfig::FeedForward(tstep), TrajEncoderConfig::Transformer(t)) =
        (&config.tstep_encoder, &config.traj_encoder)
    else {
        panic!("the bench has a feed-forward timestep encoder and a Transformer");
    };
    let encoder = mlp(&hidden(work.inputs, tstep.d_hidden, tstep.n_layers, tstep.d_output));
    let d = t.d_model;
    let layer = mlp(&[d, 3 * d])
        + mlp(&[d, d])
        + mlp(&[d, t.d_ff, d])
        + 4.0 * keys(work.len + 1, t.window_size) * d as f64;
    // The inputs have no gradient.
    let no_gradient = mlp(&[work.inputs, tstep.d_hidden]);
    states * (3.0 * (encoder + mlp(&[tstep.d_output, d]) + t.n_layers as f64 * layer) - no_gradient)
}

/// Mean number of keys that a query sees.
fn keys(len: usize, window: usize) -> f64 {
    let seen = |query: usize| if window == 0 { query + 1 } else { (query + 1).min(window + 1) };
    (0..len).map(seen).sum::<usize>() as f64 / len as f64
}

fn heads(config: &AgentConfig, work: &Work, states: f64) -> f64 {
    let TrajEncoderConfig::Transformer(t) = &config.traj_encoder else {
        panic!("the bench has a Transformer");
    };
    let (g, critic) = (config.gammas().len(), &config.critic);
    let transitions = (work.batch * work.len) as f64;
    let actor = &config.actor;
    let actor = mlp(&hidden(t.d_model, actor.d_hidden, actor.n_layers, g * work.actor_outputs));
    // Trained on all states, and once as a target.
    let actors = actor * (3.0 * states + transitions);
    let classification = critic.kind == CriticKind::Classification;
    let critics = if work.discrete && !classification {
        // Trained, target, and the copy that the actor climbs, whose gradient ends at the actions.
        5.0 * mlp(&hidden(t.d_model, critic.d_hidden, critic.n_layers, g * work.actions))
    } else {
        let d_output = if classification { critic.bins.count } else { 1 };
        let shared = mlp(&[t.d_model, critic.d_hidden]);
        let own = mlp(&hidden(1 + work.actions, critic.d_hidden, critic.n_layers, d_output));
        // The copy that the actor climbs has a gradient to the actions, not to its weights.
        let climbed = if config.online_coeff > 0.0 { 2.0 } else { 1.0 };
        let passes = 3.0 + config.k_critic as f64 + climbed * config.k_actor as f64;
        5.0 * shared + passes * g as f64 * own
    };
    actors + critics * config.n_critics as f64 * transitions
}
