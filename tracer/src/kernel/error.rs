//! What can go wrong between the agent and the kernel.

use std::fmt;
use std::io;

/// A kernel feature that tracing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The `bpf` system call.
    Bpf,
    /// Type information of the kernel.
    Btf,
    /// The uprobe event source of perf.
    Uprobes,
    /// The helper `bpf_loop`.
    BpfLoop,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::Bpf => "eBPF (CONFIG_BPF_SYSCALL)",
            Feature::Btf => "BTF type information (/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)",
            Feature::Uprobes => "uprobes (CONFIG_UPROBE_EVENTS)",
            Feature::BpfLoop => "loops in eBPF programs (bpf_loop)",
        })
    }
}

/// What can go wrong between the agent and the kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The agent was built without the eBPF object.
    #[error("this build of tracer has no eBPF programs: build it with `cargo xtask build`")]
    NoObject,
    /// The caller may not load programs or attach to the target.
    #[error("cannot {act}: not enough privilege; run as root (sudo), or with CAP_SYS_ADMIN")]
    Privilege {
        /// What was tried.
        act: &'static str,
        /// The kernel's answer.
        #[source]
        source: Option<io::Error>,
    },
    /// The kernel lacks something.
    #[error(
        "this kernel ({release}) has no {feature}: tracing needs Linux 5.17 or later with that option"
    )]
    MissingFeature {
        /// What is missing.
        feature: Feature,
        /// `uname -r`.
        release: String,
    },
    /// The object or a program did not load.
    #[error("cannot load the eBPF programs into the kernel")]
    Load(#[source] Box<aya::EbpfError>),
    /// A program was refused.
    #[error("cannot load the eBPF program {program}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The verifier's or loader's answer.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// The object lacks a program or map: agent and object do not belong together.
    #[error(
        "the eBPF object has no {0}: agent and object are of different builds, run `cargo xtask build`"
    )]
    Incomplete(&'static str),
    /// The CPUs could not be listed.
    #[error("cannot list the CPUs of this host")]
    Cpus(#[source] io::Error),
    /// The events of page faults could not be opened.
    #[error("cannot attach to page faults")]
    Faults(#[source] Box<aya::programs::ProgramError>),
    /// A map could not be used.
    #[error("cannot access the eBPF map {map}")]
    Map {
        /// Its name.
        map: &'static str,
        /// The answer.
        #[source]
        source: Box<aya::maps::MapError>,
    },
    /// A probe could not be attached.
    #[error("cannot attach a probe to {function}")]
    Attach {
        /// The function.
        function: String,
        /// The answer.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// The target's executable could not be opened.
    #[error("cannot open {exe} to attach probes to it")]
    Executable {
        /// Path of the link to it.
        exe: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The target exited while probes were being attached.
    #[error("process {pid} exited while probes were being attached; nothing stays behind")]
    TargetExited {
        /// Its id.
        pid: i32,
    },
    /// The programs' log could not be read.
    #[error("cannot read the log of the eBPF programs")]
    Log(#[source] Box<aya_log::Error>),
}

impl KernelError {
    /// A map of the programs could not be used.
    pub(super) fn map(map: &'static str, source: aya::maps::MapError) -> Self {
        KernelError::Map {
            map,
            source: Box::new(source),
        }
    }
}
