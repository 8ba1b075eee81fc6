//! `xtask gpu run`: what is checked and measured on a GPU, in order of what would be missed most.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::stage::Stage;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    /// The recorded tensors, in f32 and bfloat16.
    Golden,
    /// The quick start trains, goes on on the CPU, and comes back.
    Train,
    /// Updates.
    Learner,
    /// The same updates in PyTorch.
    Torch,
    /// Acting.
    Rollout,
}

/// Options of `gpu run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Where to compute: cuda, wgpu or cpu, as the programs were built.
    #[arg(long, default_value = "cuda")]
    device: String,
    /// The unpacked folder.
    #[arg(long, default_value = ".")]
    pack: PathBuf,
    /// Where results and logs go.
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// Seconds after which nothing new begins.
    #[arg(long, default_value_t = 460)]
    budget: u64,
    /// Only these parts.
    #[arg(long, value_delimiter = ',', value_enum)]
    parts: Vec<Part>,
    /// Only sizes with one of these names.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<String>,
    /// An interpreter that has PyTorch.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Measured updates of each size.
    #[arg(long, default_value_t = 20)]
    updates: usize,
    /// Tiny networks everywhere: to try the whole where there is no GPU.
    #[arg(long)]
    trial: bool,
}

/// Sizes of the learner: name, and flags of `amago-bench learner`, which PyTorch's program shares.
const SIZES: [(&str, &str); 10] = [
    ("tiny", "--agent amago --size tiny"),
    ("base", "--agent amago --size base"),
    ("base-2", "--agent amago2 --size base"),
    ("procgen", "--agent amago2 --d-model 512 --heads 8 --d-ff 2048 --layers 6 --batch 16 --len 768"),
    ("long", "--agent amago --size base --batch 8 --len 512"),
    ("popgym", "--agent amago2 --size base --batch 24 --len 600 --bins 64"),
    ("context-128", "--agent amago --size base --batch 32 --len 128"),
    ("context-512", "--agent amago --size base --batch 8 --len 512"),
    ("context-1024", "--agent amago --size base --batch 4 --len 1024"),
    ("context-2048", "--agent amago --size base --batch 2 --len 2048"),
];

impl Run {
    /// Measures. What fails is part of the result.
    pub fn run(&self) -> Result<ExitCode> {
        let pack = fs::canonicalize(&self.pack).with_context(|| self.pack.display().to_string())?;
        fs::create_dir_all(&self.out)?;
        let out = fs::canonicalize(&self.out)?;
        let mut work = Work { args: self, pack, out, began: Instant::now(), results: Vec::new() };
        work.machine()?;
        if self.has(Part::Golden) || self.has(Part::Train) {
            work.correct()?;
        }
        if self.has(Part::Train) {
            work.resume()?;
        }
        let sizes =
            SIZES.iter().filter(|(name, _)| self.sizes.is_empty() || self.sizes.iter().any(|s| s == name));
        for (name, flags) in sizes {
            work.updates(name, flags)?;
        }
        if self.has(Part::Rollout) {
            work.rollouts()?;
        }
        let failed = work.results.iter().filter(|r| r["ended"] != "done").count();
        eprintln!(
            "{} stages, {failed} of them not done, {:.0} s",
            work.results.len(),
            work.began.elapsed().as_secs_f64()
        );
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// A measurement that is under way.
struct Work<'a> {
    args: &'a Run,
    pack: PathBuf,
    out: PathBuf,
    began: Instant,
    results: Vec<Value>,
}

impl Work<'_> {
    /// Names the card, in the results.
    fn machine(&mut self) -> Result<()> {
        let query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"];
        let card = Command::new("nvidia-smi").args(query).output().ok();
        let card = card.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        self.keep(json!({ "stage": "machine", "ended": "done", "card": card, "cores": cores }))
    }

    /// The recorded tensors in both precisions and the quick start, side by side: much of it is compiling kernels.
    fn correct(&mut self) -> Result<()> {
        let mut stages = Vec::new();
        for &bf16 in self.precisions().iter().filter(|_| self.args.has(Part::Golden)) {
            let name = if bf16 { "golden-bf16" } else { "golden-f32" };
            let mut golden = self.program("amago-bench");
            golden.arg("golden").args(bf16.then_some("--bf16"));
            golden
                .env("AMAGO_TEST_DEVICE", &self.args.device)
                .env("AMAGO_GOLDEN_DIR", self.pack.join("cases"));
            golden.env("AMAGO_PARITY", self.out.join(format!("{name}.jsonl")));
            stages.extend(self.start(name, golden, 200)?);
        }
        if self.args.has(Part::Train) {
            let mut train = self.program("amago");
            train
                .arg("train")
                .arg(self.pack.join("quickstart.toml"))
                .arg("--run-dir")
                .arg(self.out.join("run"));
            train.args(["--device", &self.args.device, "--json"]);
            if self.args.trial {
                train.args(["--set", "train.epochs=1"]);
            }
            stages.extend(self.start("quickstart", train, 200)?);
        }
        stages.into_iter().try_for_each(|stage| self.keep(stage.finish()?))
    }

    /// The trained run goes on on the CPU for an epoch, then here again; it is judged on both.
    fn resume(&mut self) -> Result<()> {
        let device = self.args.device.as_str();
        let epochs = if self.args.trial { [2, 3] } else { [21, 22] };
        let resumed = [("resumed-on-cpu", "cpu", epochs[0]), ("resumed-back", device, epochs[1])];
        for (name, device, epochs) in resumed {
            let mut train = self.program("amago");
            train.args(["train", "--resume"]).arg(self.out.join("run")).args(["--device", device, "--json"]);
            train.args(["--set", &format!("train.epochs={epochs}")]);
            self.measure(name, train, 90)?;
        }
        for (name, device) in [("judged-on-cpu", "cpu"), ("judged-here", device)] {
            let mut eval = self.program("amago");
            eval.arg("eval").arg(self.out.join("run")).args(["--device", device, "--json"]);
            self.measure(name, eval, 60)?;
        }
        Ok(())
    }

    /// One size of the learner: ours and PyTorch's, in f32 and bfloat16, one after the other.
    fn updates(&mut self, name: &str, flags: &str) -> Result<()> {
        let flags = if self.args.trial { "--size tiny --batch 2 --len 8" } else { flags };
        let updates = self.args.updates.to_string();
        for &bf16 in self.precisions() {
            let kind = if bf16 { "bf16" } else { "f32" };
            if self.args.has(Part::Learner) {
                let mut ours = self.program("amago-bench");
                ours.arg("learner").args(flags.split(' ')).args(["--updates", &updates, "--warmup", "5"]);
                ours.args(["--device", &self.args.device])
                    .args((self.args.device != "cpu").then_some("--kernels"));
                ours.args(bf16.then_some("--bf16"));
                self.measure(&format!("learner-{name}-{kind}"), ours, 120)?;
            }
            if self.args.has(Part::Torch) {
                let mut torch = Command::new(&self.args.python);
                torch.arg(self.pack.join("torch/bench_learner.py")).args(flags.split(' ')).arg("--compile");
                let device = if self.args.device == "cpu" { "cpu" } else { "cuda" };
                torch.args(["--device", device, "--updates", &updates, "--warmup", "5"]);
                torch.args(if bf16 { ["--dtype", "bfloat16"] } else { ["--dtype", "tf32"] });
                self.measure(&format!("torch-{name}-{kind}"), torch, 120)?;
            }
        }
        Ok(())
    }

    /// Without bfloat16 and with it, where the device may have it.
    fn precisions(&self) -> &'static [bool] {
        if self.args.device == "cpu" { &[false] } else { &[false, true] }
    }

    fn rollouts(&mut self) -> Result<()> {
        for envs in ["24", "256", "1024"] {
            let mut rollout = self.program("amago-bench");
            rollout.args(["rollout", "--envs", envs, "--device", &self.args.device]);
            rollout.args(if self.args.trial {
                ["--context", "8", "--steps", "8"]
            } else {
                ["--context", "128", "--steps", "128"]
            });
            self.measure(&format!("rollout-{envs}"), rollout, 60)?;
        }
        Ok(())
    }

    /// One of our programs. Compiled kernels are kept beside the results, so that later stages need not wait for them.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.pack.join(name));
        command.env("AMAGO_KERNELS", self.out.join("kernels")).current_dir(&self.out);
        command
    }

    /// Runs one stage alone.
    fn measure(&mut self, name: &str, command: Command, limit: u64) -> Result<()> {
        match self.start(name, command, limit)? {
            Some(stage) => self.keep(stage.finish()?),
            None => Ok(()),
        }
    }

    /// Starts a stage, unless the time is over or it cannot be started; both are kept as results.
    fn start(&mut self, name: &str, command: Command, limit: u64) -> Result<Option<Stage>> {
        let left = self.args.budget.saturating_sub(self.began.elapsed().as_secs());
        if left < 5 {
            self.keep(json!({ "stage": name, "ended": "not begun: the time is over" }))?;
            return Ok(None);
        }
        match Stage::start(name, command, Duration::from_secs(limit.min(left)), &self.out) {
            Ok(stage) => Ok(Some(stage)),
            Err(error) => self.keep(json!({ "stage": name, "ended": format!("{error:#}") })).map(|()| None),
        }
    }

    /// Keeps a result: the file is whole after every stage, so that what was measured outlives the machine.
    fn keep(&mut self, result: Value) -> Result<()> {
        self.results.push(result);
        write(&self.out.join("results.json"), &self.results)
    }
}

fn write(path: &Path, results: &[Value]) -> Result<()> {
    let aside = path.with_extension("new");
    fs::write(&aside, format!("{}\n", serde_json::to_string_pretty(results)?))?;
    fs::rename(&aside, path).with_context(|| path.display().to_string())
}
