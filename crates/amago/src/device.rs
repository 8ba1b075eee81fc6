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
