//! Independent parts of one computation, side by side.

use burn::tensor::Device;

/// Whether the fused kernels run on this device, whose memory is then the host's.
pub fn is_fused(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return crate::cpu::runs_on(device);
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}

/// A device that every machine has: the CPU, or the backend's default where no CPU backend was compiled in.
pub fn host_device() -> Device {
    #[cfg(feature = "flex")]
    return Device::flex();
    #[cfg(not(feature = "flex"))]
    Device::default()
}

/// How many parts a batch is best cut into: two on the CPU, however many threads there are, so that results do not
/// depend on them. The threads beyond two are used inside the operations.
pub fn parts(device: &Device) -> usize {
    if is_fused(device) { 2 } else { 1 }
}

/// Runs `f` on one of the CPU backend's threads, so that no operation inside has to hand its work over to them and
/// wait. Elsewhere `f` runs where it is called. The thread may be waiting inside a [`crate::repeatable`] pass: `f` is
/// no part of it.
pub fn on_pool<R: Send>(device: &Device, f: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(device) {
        return rayon::scope(|_| crate::random::apart(f));
    }
    let _ = device;
    f()
}

/// `f` of every item, in order; on the CPU backend's threads where there are some.
pub fn side_by_side<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    #[cfg(feature = "flex")]
    if items.len() > 1 {
        use rayon::prelude::*;
        return items.into_par_iter().map(f).collect();
    }
    items.into_iter().map(f).collect()
}

/// Threads that the fused kernels share; one where there are none.
pub fn threads() -> usize {
    #[cfg(feature = "flex")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "flex"))]
    1
}
