//! What a run shows of itself: tables, curves, a dashboard, event files, films and a report.
//!
//! Everything is read from run folders ([`Run`]: `config.toml` and `metrics.jsonl`), or handed over as plain
//! data ([`film::Shot`], [`report::Scene`]). Nothing here computes with tensors, and nothing uses a network.
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
pub use parts::{Attempts, attempts, tasks};
pub use picture::picture_size;
pub use run::Run;
pub use series::{Axis, Band, band};
pub use tail::{News, Tail};
