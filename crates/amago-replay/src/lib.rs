//! Replay: columnar trajectories, their on-disk format, a bounded store, slice sampling and padded
//! batches with explicit masks.
//!
//! A collector fills a [`TrajectoryBuilder`] and hands each finished [`Trajectory`] to a [`Store`];
//! a learner draws [`Batch`]es from the store. This crate knows nothing of neural networks and
//! never links burn.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod batch;
mod builder;
mod error;
mod format;
mod npz;
pub mod relabel;
mod sample;
mod spaces;
mod store;
mod trajectory;

pub use batch::{Batch, Slice, collate};
pub use builder::TrajectoryBuilder;
pub use error::{FormatError, ReplayError};
pub use format::{VERSION, decode, encode};
pub use npz::{NpyError, NpzError, read_npz};
pub use relabel::{RelabelError, Relabeler};
pub use sample::{Padding, sample_mixture, slice_bounds, slice_start};
pub use spaces::Spaces;
pub use store::{
    Damage, OpenReport, Part, Snapshot, Store, StoreConfig, TrajectoryId, Written, lock, refuse_links,
};
pub use trajectory::{ColumnLayout, Columns, Layout, Trajectory};
