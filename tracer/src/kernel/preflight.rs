//! What this host can do: checked before a capture, and listed by `tracer doctor`.

use super::{Feature, KernelError, object};
use rustix::system::uname;
use std::path::Path;

/// BTF of the running kernel.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The event source of page faults.
const FAULT_SOURCE: &str = "/sys/bus/event_source/devices/software/type";
/// The uprobe event source of perf.
const UPROBE_SOURCE: &str = "/sys/bus/event_source/devices/uprobe/type";
/// First kernel with `bpf_loop`; attach cookies came with 5.15.
const FIRST_KERNEL: (u32, u32) = (5, 17);

/// One line of `tracer doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// Whether that is good enough.
    pub verdict: Verdict,
}

/// Whether a check passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Ok,
    /// Tracing works, with less; what is missing, and what to do about it.
    Limited(String),
    /// Tracing cannot work; what to do about it.
    Fail(String),
}

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

/// Looks at everything that [`require`] needs.
pub fn doctor() -> Vec<Check> {
    let kernel_ok = kernel_version().is_none_or(|version| version >= FIRST_KERNEL);
    vec![
        check(
            "agent",
            "eBPF programs embedded",
            object::bytes().is_ok(),
            "build tracer with `cargo xtask build`",
        ),
        check(
            "kernel",
            &release(),
            kernel_ok,
            "tracing needs Linux 5.17 or later",
        ),
        check(
            "privilege",
            privilege_found(),
            privileged(),
            "run as root (sudo), or with CAP_SYS_ADMIN",
        ),
        check(
            "uprobes",
            UPROBE_SOURCE,
            Path::new(UPROBE_SOURCE).exists(),
            "the kernel needs CONFIG_UPROBE_EVENTS",
        ),
        check(
            "BTF",
            BTF,
            Path::new(BTF).exists(),
            "the kernel needs CONFIG_DEBUG_INFO_BTF",
        ),
        check(
            "eBPF",
            "bpf() system call",
            !privileged() || bpf_works(),
            "the kernel needs CONFIG_BPF_SYSCALL, and no lockdown of BPF",
        ),
        faults(),
    ]
}

/// Page faults come from perf events of the whole host; captures work without them.
fn faults() -> Check {
    let works = || {
        use aya::{programs::ProgramType, sys::is_program_supported};
        Path::new(FAULT_SOURCE).exists()
            && is_program_supported(ProgramType::PerfEvent).unwrap_or(false)
    };
    let verdict = if !privileged() || works() {
        Verdict::Ok
    } else {
        Verdict::Limited(
            "page faults are not recorded: the kernel needs CONFIG_BPF_EVENTS".to_owned(),
        )
    };
    Check {
        what: "faults",
        found: format!("perf events, {FAULT_SOURCE}"),
        verdict,
    }
}

fn check(what: &'static str, found: &str, ok: bool, remedy: &str) -> Check {
    let verdict = if ok {
        Verdict::Ok
    } else {
        Verdict::Fail(remedy.to_owned())
    };
    Check {
        what,
        found: found.to_owned(),
        verdict,
    }
}

/// The perf event source of uprobes wants CAP_SYS_ADMIN, whatever `CAP_BPF` and `CAP_PERFMON` allow
/// (`perf_uprobe_event_init` in `kernel/events/core.c`).
fn privileged() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| {
        sets.effective
            .contains(rustix::thread::CapabilitySet::SYS_ADMIN)
    })
}

fn privilege_found() -> &'static str {
    if privileged() {
        "CAP_SYS_ADMIN"
    } else {
        "no CAP_SYS_ADMIN"
    }
}

fn release() -> String {
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
