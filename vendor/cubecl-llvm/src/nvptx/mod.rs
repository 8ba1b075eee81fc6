//! NVIDIA target names.

pub mod ptx_version;
