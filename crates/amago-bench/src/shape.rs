//! Sizes of networks on the command line.

use amago_agent::AgentConfig;
use amago_seqmodel::{TrajEncoderConfig, TstepEncoderConfig};

/// Sizes of the networks, where they differ from those of `--size`.
#[derive(Debug, clap::Args)]
pub struct Shape {
    /// Width of the Transformer.
    #[arg(long)]
    d_model: Option<usize>,
    /// Attention heads.
    #[arg(long)]
    heads: Option<usize>,
    /// Hidden width of the Transformer's feed-forward part.
    #[arg(long)]
    d_ff: Option<usize>,
    /// Transformer layers.
    #[arg(long)]
    layers: Option<usize>,
    /// Timesteps that a query sees before its own; all of them when absent.
    #[arg(long)]
    window: Option<usize>,
    /// Hidden width of actor and critics.
    #[arg(long)]
    d_hidden: Option<usize>,
    /// Hidden width of the timestep encoder.
    #[arg(long)]
    encoder_hidden: Option<usize>,
    /// Output width of the timestep encoder.
    #[arg(long)]
    encoder_output: Option<usize>,
    /// Discounts, the acting one included.
    #[arg(long)]
    discounts: Option<usize>,
    /// Critics.
    #[arg(long)]
    critics: Option<usize>,
    /// Bins of the classification critic.
    #[arg(long)]
    bins: Option<usize>,
    /// Actions sampled per state.
    #[arg(long)]
    samples: Option<usize>,
}

impl Shape {
    /// Sets what was given.
    pub fn set(&self, config: &mut AgentConfig) {
        let set = |to: &mut usize, from: Option<usize>| *to = from.unwrap_or(*to);
        if let TrajEncoderConfig::Transformer(t) = &mut config.traj_encoder {
            set(&mut t.d_model, self.d_model);
            set(&mut t.n_heads, self.heads);
            set(&mut t.d_ff, self.d_ff);
            set(&mut t.n_layers, self.layers);
            set(&mut t.window_size, self.window);
        }
        if let TstepEncoderConfig::FeedForward(encoder) = &mut config.tstep_encoder {
            set(&mut encoder.d_hidden, self.encoder_hidden);
            set(&mut encoder.d_output, self.encoder_output);
        }
        set(&mut config.actor.d_hidden, self.d_hidden);
        set(&mut config.critic.d_hidden, self.d_hidden);
        set(&mut config.n_critics, self.critics);
        set(&mut config.critic.bins.count, self.bins);
        set(&mut config.k_actor, self.samples);
        set(&mut config.k_critic, self.samples);
        if let Some(n) = self.discounts {
            config.multi_gammas = (1..n).map(|i| 1.0 - 0.5f32.powi(i as i32)).collect();
        }
    }
}
