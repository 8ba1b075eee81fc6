//! Stand-in for `cubecl-llvm` 0.11.3 that contains no compiler.
//!
//! `cubecl-cuda` links `cubecl-llvm` whether or not it uses it, and the real crate downloads a
//! prebuilt LLVM of several hundred megabytes in its build script. With `cubecl-cuda`'s `cpp`
//! feature on, kernels go through CUDA C++ and NVRTC instead, so only the *types* below have to
//! exist. This crate supplies them and nothing else, and the workspace puts it in the real
//! crate's place with `[patch.crates-io]`.
//!
//! Everything that could only come out of LLVM is uninhabited, so the compiler knows that it is
//! never there; the one function that would have to produce it returns an error that says which
//! feature is missing. Only what `cubecl-cuda` needs is here: `cubecl-cpu` and `cubecl-hip` do
//! not build against it.
#![warn(missing_docs)]

use core::convert::Infallible;
use core::ffi::c_char;
use core::fmt;

use cubecl_core::environment::backtrace::BackTrace;
use cubecl_core::ir::attributes::BufferIOAttr;
use cubecl_core::ir::nvidia::SmArch;
use cubecl_core::prelude::KernelDefinition;
use cubecl_core::{CompilationError, Compiler};

use crate::nvptx::ptx_version::PtxVersion;

pub mod nvptx;
pub mod shared;

const NO_LLVM: &str = "this build contains no LLVM: enable the `cpp` feature of `cubecl-cuda`, \
    which compiles kernels with NVRTC, or remove the `cubecl-llvm` entry from [patch.crates-io]";

/// What the real compiler can generate code for; here only the name `cubecl-cuda` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA GPUs.
    Nvptx,
}

/// The compiler that is not there: [`Compiler::compile`] always returns an error.
#[derive(Clone, Debug)]
pub struct PlironCompiler {
    /// The target asked for, which is ignored.
    pub target: LlvmTarget,
}

/// Options of the compiler that is not there.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// AMD architecture: never set.
    pub arch: Option<Infallible>,
    /// NVIDIA architecture: ignored.
    pub sm_arch: Option<SmArch>,
    /// PTX version: never set.
    pub ptx_version: Option<PtxVersion>,
    /// How kernel parameters are passed: ignored.
    pub grid_constants: bool,
}

/// A PTX module from LLVM, of which no value can exist.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// NUL-terminated PTX.
    pub ptx: Vec<c_char>,
    /// The intermediate representation as text.
    pub ir: String,
    /// Shared memory that a launch reserves, in bytes.
    pub shared_memory_size: usize,
    /// What the kernel does with each buffer.
    pub io: Vec<BufferIOAttr>,
    /// Keeps the struct from being built.
    pub never: Infallible,
}

/// What a compilation returns, of which no value can exist.
#[derive(Clone, Debug)]
pub enum PlironArtifact {
    /// PTX for an NVIDIA GPU.
    NvptxCode(NvptxModule),
}

impl fmt::Display for PlironArtifact {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NvptxCode(module) = self;
        match module.never {}
    }
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(
        &mut self,
        _: KernelDefinition,
        _: &PlironOptions,
    ) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic { reason: NO_LLVM.to_string(), backtrace: BackTrace::capture() })
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}
