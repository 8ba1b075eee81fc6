//! Narrowing a device's features to what LLVM can lower.

use cubecl_core::ir::DeviceProperties;

/// The GPU targets of the real crate; here only the name `cubecl-cuda` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuTarget {
    /// NVIDIA GPUs.
    Nvptx,
}

/// Leaves the properties as they are. `cubecl-cuda` calls this on its LLVM path only, where the
/// first compilation reports that there is no LLVM.
pub fn restrict_features(_: &mut DeviceProperties, _: GpuTarget) {}
