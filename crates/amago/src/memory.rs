//! Advice to the system's allocator.

/// Training allocates and frees the same large buffers at every update. By default glibc gives each
/// back to the kernel and gets it again page by page; keeping them is 1.4 times as fast (see
/// `docs/LOG.md`, 2026-11-22). All threads share one heap, because a part of the batch frees what another one
/// may use: a tenth less memory, at the same speed. Elsewhere nothing happens.
pub fn keep_freed_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` only sets parameters of the allocator; no thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
