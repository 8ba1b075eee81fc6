//! Tests of the public interface.

mod builder;
mod common;
mod damage;
mod disk_full;
mod format;
#[cfg(unix)]
mod hostile;
mod npz;
mod npz_file;
mod npz_store;
mod relabel;
mod sampling;
mod snapshot;
mod store;
