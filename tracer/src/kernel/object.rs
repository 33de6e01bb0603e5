//! The compiled eBPF programs, embedded by the build script.

use super::KernelError;

/// Aligned as the ELF reader wants it; empty if the agent was built without a BPF toolchain.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracer.bpf.o"));

/// The eBPF object.
///
/// # Errors
/// The agent was built without one.
pub(super) fn bytes() -> Result<&'static [u8], KernelError> {
    if OBJECT.is_empty() {
        Err(KernelError::NoObject)
    } else {
        Ok(OBJECT)
    }
}
