//! A run with every trajectory encoder that a config can name.

mod support;

use amago_trainer::{Checkpoint, Plan};
use support::{Recorder, device, tiny, train};

const ENCODERS: [&str; 8] = [
    "{pos_emb=\"learned\", max_time=9}",
    "{pos_emb=\"rope\"}",
    "{window_size=2, sink_size=1, sink_bias=0.5, logit_clip=3.0}",
    "{activation=\"adaptive\"}",
    "{kind=\"gru\", d_hidden=8, d_output=8}",
    "{kind=\"mamba\", d_model=8, d_state=4, n_layers=2}",
    "{kind=\"feed_forward\", d_model=8, d_ff=8, activation=\"adaptive\"}",
    "{kind=\"identity\"}",
];

#[test]
fn every_encoder_trains_and_is_stored() {
    for encoder in ENCODERS {
        let dir = tempfile::tempdir().expect("a folder");
        let fields = encoder.trim_matches(['{', '}']);
        let tiny_transformer = "d_model=8, n_heads=2, d_ff=8, n_layers=2";
        let table =
            if fields.contains("kind") { fields.to_owned() } else { format!("{tiny_transformer}, {fields}") };
        let plan = Plan::new(tiny(&[&format!("agent.traj_encoder={{{table}}}")]));
        let plan = plan.unwrap_or_else(|e| panic!("{encoder}: {e}"));
        let mut seen = Recorder::default();
        let outcome = train(&plan, &dir.path().join("run"), &mut seen);
        let outcome = outcome.unwrap_or_else(|e| panic!("{encoder}: {e}"));
        assert_eq!((outcome.meta.updates, seen.updates), (4, 4), "{encoder}");
        let newest = seen.checkpoints.last().expect("a checkpoint");
        let checkpoint = Checkpoint::open(newest).unwrap_or_else(|e| panic!("{encoder}: {e}"));
        checkpoint.load_agent(plan.agent(&device())).unwrap_or_else(|e| panic!("{encoder}: {e}"));
    }
}
