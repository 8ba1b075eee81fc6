//! The golden tests of the networks and agents as a command: what they compare, on any device that was compiled in.

// The checkers themselves; as tests they run on the CPU at every commit.
#[allow(dead_code)]
#[path = "../../amago-agent/tests/golden/main.rs"]
mod agent;
#[allow(dead_code)]
#[path = "../../amago-seqmodel/tests/golden/main.rs"]
mod seqmodel;

use anyhow::{Result, ensure};
use serde_json::json;

/// Compares with the recorded tensors of the original.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Products in bfloat16, on devices that have it.
    #[arg(long)]
    bf16: bool,
}

impl Args {
    /// Runs the cases on the device that `AMAGO_TEST_DEVICE` names. With `AMAGO_PARITY=FILE` their worst errors are
    /// appended to that file, also those of cases that do not pass.
    ///
    /// # Errors
    /// When a device has no bfloat16.
    pub fn run(&self) -> Result<()> {
        // Says what is missing where the device cannot be used, and keeps its kernels.
        crate::device::by_name(&std::env::var("AMAGO_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned()))?;
        let device = amago_golden::modules::device();
        ensure!(!self.bf16 || amago_ops::has_bf16(&device), "--bf16: this device has no bfloat16");
        amago_ops::use_bf16(self.bf16);
        let found = [
            amago_golden::check("amago-seqmodel", seqmodel::CHECKS),
            amago_golden::check("amago-agent", agent::CHECKS),
        ];
        let cases: usize = found.iter().map(|found| found.checked).sum();
        let failures: Vec<&String> = found.iter().flat_map(|found| &found.failures).collect();
        println!("{}", json!({ "bench": "golden", "bf16": self.bf16, "cases": cases, "failures": failures }));
        Ok(())
    }
}
