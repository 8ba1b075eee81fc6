//! What the benches share: sizes, medians, memory.

use amago_agent::AgentConfig;
use amago_seqmodel::TrajEncoderConfig;
use clap::ValueEnum;

/// Size of the Transformer.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Size {
    /// d_model 64, 2 layers, 4 heads.
    Tiny,
    /// d_model 256, 3 layers, 8 heads.
    Base,
}

impl Size {
    /// Sets the sizes; those of `Base` are the defaults.
    pub fn set(self, config: &mut AgentConfig) {
        if let (Size::Tiny, TrajEncoderConfig::Transformer(t)) = (self, &mut config.traj_encoder) {
            (t.d_model, t.n_heads, t.d_ff, t.n_layers) = (64, 4, 256, 2);
        }
    }

    /// As on the command line.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// The middle one; of an even number the upper one of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Largest resident size of this process so far, in MB, where the system tells. Memory of a GPU is no part
/// of it.
pub fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}
