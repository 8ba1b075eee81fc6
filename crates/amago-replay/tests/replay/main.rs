//! Tests of the public interface.

mod builder;
mod common;
mod damage;
mod disk_full;
mod format;
mod npz;
mod relabel;
mod sampling;
mod snapshot;
mod store;
