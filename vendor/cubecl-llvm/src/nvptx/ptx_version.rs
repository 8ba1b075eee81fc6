//! The PTX version that LLVM would emit.

use core::fmt;

/// A PTX version, of which no value can exist: nothing here emits PTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PtxVersion {}

impl PtxVersion {
    /// The version to emit for a driver: always `None`. `cubecl-cuda` calls this on every start
    /// and reads the answer on its LLVM path only; NVRTC picks its own version.
    pub fn for_driver(_: i32) -> Option<Self> {
        None
    }
}

impl fmt::Display for PtxVersion {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
