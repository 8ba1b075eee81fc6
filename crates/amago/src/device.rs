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
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        #[cfg(feature = "cuda")]
        _ if name.starts_with("cuda:") => {
            use anyhow::Context;
            let index: usize = name[5..].parse().with_context(|| format!("--device {name}: bad index"))?;
            Ok(Device::cuda(index))
        }
        _ => bail!(
            "--device {name}: unknown, or not compiled in; this build has {}. Others are chosen when building: \
             --features wgpu or --features cuda",
            COMPILED.join(", ")
        ),
    }
}
