//! Replay: columnar trajectories, their on-disk format, a bounded store, slice sampling and padded
//! batches with explicit masks.
//!
//! A collector fills a [`TrajectoryBuilder`] and hands each finished [`Trajectory`] to a [`Store`];
//! a learner draws [`Batch`]es from the store. This crate knows nothing of neural networks and
//! never links burn.
//!
//! ```
//! use amago_env::{Action, DictSpace, Observation, Role, Space, Step, rng};
//! use amago_replay::{Padding, Store, StoreConfig, TrajectoryBuilder};
//!
//! let observations = DictSpace::single(Space::box_f32(&[2], -1.0, 1.0));
//! let mut builder = TrajectoryBuilder::new(&observations, &Space::Discrete { n: 3 });
//! let obs = Observation::new(&observations);
//! builder.start(&obs)?;
//! for t in 1..=3 {
//!     let step = Step { reward: 1.0, terminated: t == 3, truncated: false };
//!     builder.push(&Action::Discrete(1), &step, &obs)?;
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! let store = Store::open(dir, StoreConfig::default())?;
//! store.append(&builder.finish())?;
//! // Four slices of up to two transitions, drawn by a stream of random numbers of their own.
//! let batch = store.sample_batch(4, 2, Padding::None, &mut rng(0, Role::Replay, 0, 0))?;
//! assert_eq!((batch.size, batch.transitions()), (4, 8));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod batch;
mod builder;
mod episodes;
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
pub use episodes::{EpisodeHead, Episodes};
pub use error::{FormatError, ReplayError};
pub use format::{VERSION, decode, encode};
pub use npz::{NpyError, NpzError, read_npz};
pub use relabel::{RelabelError, Relabeler};
pub use sample::{Padding, sample_mixture, slice_bounds, slice_start};
pub use spaces::Spaces;
pub use store::{
    Damage, OpenReport, Part, Snapshot, Store, StoreConfig, TrajectoryId, Written, lock, open_file,
    refuse_links,
};
pub use trajectory::{ColumnLayout, Columns, Layout, Trajectory};
