//! Run folders with made-up results.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

/// A run of four epochs out of five; its return grows by `slope` per epoch.
pub fn run(dir: &Path, name: &str, seed: u64, gamma: f64, slope: f64) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(&path).expect("a folder");
    let config = format!(
        "seed = {seed}\n[env]\nid = \"lake\"\noptions = {{ size = 3 }}\n[train]\nepochs = 5\n[agent]\ngamma = {gamma}\n"
    );
    fs::write(path.join("config.toml"), config).expect("written");
    let machine = json!({"started": 1.6e9, "version": "0.1.0", "device": "Device<Flex>", "cpu": "a CPU & more",
        "threads": 2, "system": "linux x86_64"});
    let mut text = format!("{}\n", json!({"kind": "header", "version": 2, "machine": machine}));
    for epoch in 1..=4 {
        let x = f64::from(epoch);
        let line = json!({
            "kind": "epoch", "epoch": epoch, "env_steps": 100 * epoch, "updates": 10 * epoch,
            "rollout": {"return_mean": slope * x / 2.0, "epsilon": 0.5},
            "train": {"loss": 1.0 / x, "grad_norm": 2.0, "parts": {"entropy": 1.25, "filter_pass": 0.5}},
            "eval": if epoch % 2 == 0 { json!({
                "return_mean": slope * x, "return_std": 0.5,
                "metrics": {"attempt 0 success": 0.25, "attempt 1 success": 0.75},
                "tasks": {"lake": {"return_mean": slope * x, "episodes": 8}},
            }) } else { json!(null) },
            "time": {"wall": 10.0 * x, "left": 50.0 - 10.0 * x, "updates_per_second": 7.0},
            "replay": {"trajectories": 12, "policy_age": 5.5},
        });
        text += &format!("{line}\n");
    }
    fs::write(path.join("metrics.jsonl"), text).expect("written");
    path
}
