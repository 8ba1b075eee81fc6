//! What a run shows of itself: tables, curves, a dashboard, event files, films and a report.
//!
//! Everything is read from run folders ([`Run`]: `config.toml` and `metrics.jsonl`), or handed over as plain
//! data ([`film::Shot`], [`report::Scene`]). Nothing here computes with tensors, and nothing uses a network.
//!
//! ```
//! use amago_view::{Axis, Run, Selection, csv};
//!
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! std::fs::write(dir.join("config.toml"), "seed = 3\nenv.id = \"lake\"\ntrain.epochs = 2\n")?;
//! let line = r#"{"kind": "epoch", "epoch": 1, "env_steps": 100, "eval": {"return_mean": 0.5}}"#;
//! std::fs::write(dir.join("metrics.jsonl"), format!("{line}\n"))?;
//!
//! let runs = [Run::open(dir)?];
//! assert_eq!(runs[0].series("eval/return_mean", Axis::EnvSteps), [(100.0, 0.5)]);
//! let mut table = Vec::new();
//! csv(&runs, &Selection::new(&["eval/*".to_owned()]), &mut table)?;
//! assert!(String::from_utf8(table)?.contains("eval/return_mean"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod base64;
mod compare;
pub mod dashboard;
mod error;
mod export;
pub mod film;
mod line;
mod parts;
mod picture;
pub mod report;
mod run;
mod series;
mod svg;
mod tail;
pub mod tensorboard;
mod text;

pub use compare::{Comparison, Group, differences, groups};
pub use error::ViewError;
pub use export::{Selection, csv};
pub use line::{Histogram, Machine, Record};
pub use parts::{Attempts, attempts, scores, tasks};
pub use picture::picture_size;
pub use run::Run;
pub use series::{Axis, Band, band};
pub use tail::{News, Tail};
