//! What a host must have: looked at before a capture, because an error after it would come late.

use super::{Feature, KernelError, object};
use rustix::system::uname;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// BTF of the running kernel.
pub(super) const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The uprobe event source of perf.
const UPROBE_SOURCE: &str = "/sys/bus/event_source/devices/uprobe/type";
/// First kernel with `bpf_loop`; attach cookies came with 5.15.
const FIRST_KERNEL: (u32, u32) = (5, 17);

/// Refuses a host that cannot trace.
///
/// # Errors
/// The first thing that is missing.
pub fn require() -> Result<(), KernelError> {
    object::bytes()?;
    let missing = |feature| {
        Err(KernelError::MissingFeature {
            feature,
            release: release(),
        })
    };
    if !privileged() {
        return Err(KernelError::Privilege {
            act: "load eBPF programs",
            source: None,
        });
    }
    if !Path::new(UPROBE_SOURCE).exists() {
        return missing(Feature::Uprobes);
    }
    if !Path::new(BTF).exists() {
        return missing(Feature::Btf);
    }
    if kernel_version().is_some_and(|version| version < FIRST_KERNEL) {
        return missing(Feature::BpfLoop);
    }
    if !bpf_works() {
        return missing(Feature::Bpf);
    }
    Ok(())
}

/// The perf event source of uprobes wants CAP_SYS_ADMIN, whatever `CAP_BPF` and `CAP_PERFMON` allow
/// (`perf_uprobe_event_init` in `kernel/events/core.c`).
pub(super) fn privileged() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| {
        sets.effective
            .contains(rustix::thread::CapabilitySet::SYS_ADMIN)
    })
}

/// Reads the beginning of the kernel's type information.
pub(super) fn reads_btf() -> io::Result<()> {
    /// `BTF_MAGIC` of `include/uapi/linux/btf.h`.
    const MAGIC: u16 = 0xeb9f;
    let mut magic = [0; 2];
    File::open(BTF)?.read_exact(&mut magic)?;
    if u16::from_ne_bytes(magic) == MAGIC {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// `uname -r`.
pub fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

fn kernel_version() -> Option<(u32, u32)> {
    let release = release();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn bpf_works() -> bool {
    aya::sys::is_program_supported(aya::programs::ProgramType::KProbe).unwrap_or(false)
}
