//! Names of devices. The one place that names a concrete backend.

use anyhow::{Result, bail};
use burn::tensor::Device;

/// What was compiled in.
const COMPILED: &[&str] = &[
    #[cfg(feature = "flex")]
    "cpu",
    #[cfg(feature = "wgpu")]
    "wgpu",
    #[cfg(feature = "cuda")]
    "cuda",
];

/// The device with this name.
pub fn by_name(name: &str) -> Result<Device> {
    match name {
        #[cfg(feature = "flex")]
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        "wgpu" => opened(name, Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => opened(name, Device::cuda(0)),
        #[cfg(feature = "cuda")]
        _ if name.starts_with("cuda:") => {
            use anyhow::Context;
            let index: usize = name[5..].parse().with_context(|| format!("--device {name}: bad index"))?;
            opened(name, Device::cuda(index))
        }
        _ => bail!(
            "--device {name}: unknown, or not compiled in; this build has {}. Others are chosen when building: \
             --features wgpu or --features cuda",
            COMPILED.join(", ")
        ),
    }
}

/// The device, if a sum comes out right on it. Where a driver or an adapter is missing, the backends panic, on several
/// threads; the first of these messages says what is missing.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn opened(name: &str, device: Device) -> Result<Device> {
    #[cfg(feature = "cuda")]
    keep_kernels();
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::OnceLock;

    static FIRST: OnceLock<String> = OnceLock::new();
    let hook = take_hook();
    set_hook(Box::new(|info| {
        let _ = FIRST.set(info.payload_as_str().unwrap_or("no reason was given").to_owned());
    }));
    let sum = catch_unwind(|| burn::tensor::Tensor::<1>::ones([2], &device).sum().into_scalar::<f32>());
    set_hook(hook);
    if sum.is_ok_and(|sum| sum == 2.0) {
        return Ok(device);
    }
    // It may list all names of a library.
    let reason: String = FIRST.get().map_or("its results are wrong", |s| s).chars().take(160).collect();
    bail!("--device {name}: cannot be used here (docs/book/src/gpus.md tells what it needs): {reason}")
}

/// From now on compiled kernels, and which of several is the fastest for a shape, are kept on disk: finding them takes
/// the first minute of a run. In the folder that `AMAGO_KERNELS` names, else in the user's cache folder; a `cubecl.toml`
/// sets the rest.
#[cfg(feature = "cuda")]
fn keep_kernels() {
    use cubecl::config::cache::CacheConfig;
    use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.compilation.cache = true;
    config.environment.path = match std::env::var_os("AMAGO_KERNELS") {
        Some(folder) => CacheConfig::Directory(folder.into()),
        None => CacheConfig::Global,
    };
    // It is set already where a second device is opened.
    CubeClRuntimeConfig::try_set(config);
}
