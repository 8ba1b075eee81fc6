//! Trains with a trajectory encoder of your own: `cargo run --release --example own_encoder`.
//!
//! The encoder is a bank of leaky integrators, `h ← a ⊙ h + W x`, whose decays `a` are learned. The task is a
//! short passive T-Maze: the first observation shows which arm to take at the end. Chance is one half.

use std::path::Path;
use std::sync::Arc;

use amago_seqmodel::{EncoderState, SequenceEncoder, TrajEncoder, scan};
use amago_trainer::{
    ConfigSource, EncoderFactory, Outcome, OwnParts, Plan, RunDir, Silent, StopFlag, TrainError, Trainer,
    load_config,
};
use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, activation};

const WIDTH: usize = 32;

#[derive(Module, Debug)]
pub struct Integrators {
    input: Linear,
    /// Decays before the sigmoid, `[WIDTH]`.
    decay: Param<Tensor<1>>,
    norm: LayerNorm,
}

/// The integrators of every row, `[B, WIDTH]`.
#[derive(Debug, Clone)]
pub struct Levels(Tensor<2>);

impl EncoderState for Levels {
    fn reset(&mut self, row: usize) {
        self.0 = self.0.clone().slice_fill(row..row + 1, 0.0);
    }
}

impl Integrators {
    pub fn new(d_input: usize, device: &Device) -> Self {
        // From a memory of two steps to one of fifty.
        let decays: Vec<f32> = (0..WIDTH).map(|i| 4.0 * i as f32 / WIDTH as f32).collect();
        Self {
            input: LinearConfig::new(d_input, WIDTH).init(device),
            decay: Param::from_tensor(Tensor::from_floats(decays.as_slice(), device)),
            norm: LayerNormConfig::new(WIDTH).init(device),
        }
    }
}

impl SequenceEncoder for Integrators {
    type State = Levels;

    fn d_output(&self) -> usize {
        WIDTH
    }

    fn forward_seq(&self, x: Tensor<3>, _times: Tensor<2, Int>) -> Tensor<3> {
        let input = self.input.forward(x);
        let decay = activation::sigmoid(self.decay.val()).unsqueeze::<3>().expand(input.dims());
        self.norm.forward(scan(decay, input))
    }

    fn forward_step(&self, x: Tensor<3>, _times: Tensor<2, Int>, state: &mut Levels) -> Tensor<3> {
        let decay = activation::sigmoid(self.decay.val()).unsqueeze::<2>();
        state.0 = state.0.clone() * decay + self.input.forward(x).squeeze_dim(1);
        self.norm.forward(state.0.clone().unsqueeze_dim(1))
    }

    fn rollout_state(&self, batch: usize, _context: usize, device: &Device) -> Levels {
        Levels(Tensor::zeros([batch, WIDTH], device))
    }
}

const CONFIG: &str = r#"
[env]
id = "tmaze-passive"
options = { corridor_length = 3, penalty = -0.1 }

[train]
epochs = 15
timesteps_per_epoch = 50
batches_per_epoch = 40
max_seq_len = 4
sample_actions = false

[exploration]
kind = "epsilon_greedy"
steps_anneal = 400

[optim]
learning_rate = 1e-3
warmup = 50

[agent]
multi_gammas = [0.9]
actor = { d_hidden = 64 }
critic = { d_hidden = 64 }
tstep_encoder = { d_hidden = 64, d_output = 32 }
traj_encoder = { kind = "own", name = "integrators" }
"#;

/// The plan of the run, with some settings changed.
pub fn plan(overrides: &[String]) -> Result<Plan, TrainError> {
    let config = load_config(&ConfigSource { name: "example", text: CONFIG, overrides })?;
    let make: EncoderFactory =
        Arc::new(|d_input, device| TrajEncoder::new(Integrators::new(d_input, device)));
    Plan::with_parts(config, OwnParts { encoder: Some(make), ..OwnParts::default() })
}

/// Trains in a folder.
pub fn train(plan: Plan, folder: &Path, device: &Device) -> Result<Outcome, TrainError> {
    let run = RunDir::create(folder, &plan.config)?;
    Trainer::new(plan, run, device)?.run(&StopFlag::default(), &mut Silent)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("amago-own-encoder-{}", std::process::id()));
    let outcome = train(plan(&[])?, &folder, &Device::default())?;
    let success = outcome.eval.and_then(|eval| eval.success).unwrap_or(0.0);
    println!("after {} updates: {:.0} % right (chance is 50 %)", outcome.meta.updates, 100.0 * success);
    println!("run folder: {}", folder.display());
    Ok(())
}
