//! Why a process or its executable cannot be a target: one variant per meaning, each with its remedy,
//! and the few kinds that a caller decides on.

use super::rights::{Need, Remedy, Rights};
use std::{io, path::PathBuf};

/// Why there is no target to work on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The process does not exist, or no longer.
    #[error(
        "no process has the id {pid}; it may have exited, or /proc may hide other users' processes: check with `ps -p {pid}` as root"
    )]
    Gone {
        /// The id that was asked for.
        pid: i32,
    },
    /// The process has exited; its parent has not collected it yet.
    #[error(
        "process {pid} has exited and is a zombie, which has no memory left to trace; pick a running process"
    )]
    Zombie {
        /// The process.
        pid: i32,
    },
    /// A kernel thread runs no executable.
    #[error(
        "process {pid} is a kernel thread and runs no program; pick the process of a Go program"
    )]
    KernelThread {
        /// The thread.
        pid: i32,
    },
    /// The kernel does not let us look.
    #[error("not allowed to {act} of process {pid}; {remedy}")]
    Permission {
        /// The process.
        pid: i32,
        /// What was tried, such as `read the memory map`.
        act: &'static str,
        /// What would help.
        remedy: Remedy,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something about the process could not be read for a reason of its own.
    #[error("cannot {act} of process {pid}")]
    Process {
        /// The process.
        pid: i32,
        /// What was tried.
        act: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The process runs another executable than the one that was read.
    #[error("process {pid} has executed another program since it was looked at; try again")]
    ExecutableChanged {
        /// The process.
        pid: i32,
    },
    /// The process does not map the executable where its program headers say.
    #[error(
        "process {pid} does not map the start of its executable, so its load address is unknown; the program loads itself in a way that is not supported"
    )]
    NotMapped {
        /// The process.
        pid: i32,
    },
    /// The executable cannot be opened.
    #[error("cannot open the executable {path}")]
    Open {
        /// The executable.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The executable is not one we can trace.
    #[error("cannot trace the executable {path}")]
    Binary {
        /// The executable.
        path: PathBuf,
        /// What is wrong with it.
        source: BinaryError,
    },
}

/// What is wrong with an executable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// Not an ELF file at all.
    #[error(
        "it is not an ELF executable; a script is traced through the Go process that it starts"
    )]
    NotElf,
    /// ELF, for a processor we do not know.
    #[error("it is built for {machine}; only 64-bit x86-64 and arm64 programs can be traced")]
    UnsupportedArch {
        /// What the ELF header says.
        machine: String,
    },
    /// No Go build information.
    #[error(
        "it holds no Go build information, so it is no Go program; pick the process of a Go program"
    )]
    NotGo,
    /// Built by a Go whose runtime we do not know.
    #[error("it was built with {version}; rebuild it with Go 1.19 or newer")]
    TooOld {
        /// The version, as far as it is known.
        version: String,
    },
    /// A version string that names no Go release.
    #[error("its Go version {version:?} names no release; rebuild it with a released Go toolchain")]
    UnknownVersion {
        /// The version string.
        version: String,
    },
    /// Neither an ELF symbol table nor Go's own function table.
    #[error(
        "it has neither a symbol table nor a readable Go function table (pclntab); rebuild it without a packer or obfuscator"
    )]
    NoSymbols,
    /// Bytes that contradict the format.
    #[error(
        "its {what} is malformed; the file may be damaged, packed or half-written: compare it with a fresh build"
    )]
    Malformed {
        /// What could not be read.
        what: &'static str,
    },
}

/// What a caller decides on: the exit code, and whether to advise `sudo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetErrorKind {
    /// The process does not exist (any more).
    Gone,
    /// It is not a Go program.
    NotGo,
    /// More privilege would help.
    Privilege,
    /// Anything else.
    Failed,
}

impl TargetError {
    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> TargetErrorKind {
        match self {
            Self::Gone { .. } | Self::Zombie { .. } => TargetErrorKind::Gone,
            Self::Permission { .. } => TargetErrorKind::Privilege,
            Self::Open { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => TargetErrorKind::Gone,
                io::ErrorKind::PermissionDenied => TargetErrorKind::Privilege,
                _ => TargetErrorKind::Failed,
            },
            Self::KernelThread { .. } => TargetErrorKind::NotGo,
            Self::Binary { source, .. } => match source {
                BinaryError::NotElf | BinaryError::NotGo => TargetErrorKind::NotGo,
                _ => TargetErrorKind::Failed,
            },
            Self::Process { .. } | Self::ExecutableChanged { .. } | Self::NotMapped { .. } => {
                TargetErrorKind::Failed
            }
        }
    }

    /// The error of doing `act`, which looks at process `pid`, by what the kernel said.
    pub(crate) fn from_io(pid: i32, act: &'static str, source: io::Error) -> Self {
        Self::needing(Need::Look, pid, act, source)
    }

    /// The same of something that needs more.
    pub(super) fn needing(need: Need, pid: i32, act: &'static str, source: io::Error) -> Self {
        // A read from the /proc directory of a process that has ended gives ESRCH.
        const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Gone { pid },
            _ if source.raw_os_error() == Some(ESRCH) => Self::Gone { pid },
            io::ErrorKind::PermissionDenied => Self::Permission {
                pid,
                act,
                remedy: Rights::now().remedy(need),
                source,
            },
            _ => Self::Process { pid, act, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_the_cause() {
        let from = |errno: i32| {
            TargetError::from_io(1, "read the status", io::Error::from_raw_os_error(errno)).kind()
        };
        assert_eq!(from(2), TargetErrorKind::Gone); // ENOENT
        assert_eq!(from(3), TargetErrorKind::Gone); // ESRCH
        assert_eq!(from(1), TargetErrorKind::Privilege); // EPERM
        assert_eq!(from(13), TargetErrorKind::Privilege); // EACCES
        assert_eq!(from(5), TargetErrorKind::Failed); // EIO
        let binary = |source| {
            TargetError::Binary {
                path: "x".into(),
                source,
            }
            .kind()
        };
        assert_eq!(binary(BinaryError::NotElf), TargetErrorKind::NotGo);
        assert_eq!(binary(BinaryError::NoSymbols), TargetErrorKind::Failed);
    }

    #[test]
    fn messages_name_the_object_and_the_remedy() {
        let error = TargetError::Permission {
            pid: 7,
            act: "read the memory map",
            remedy: Remedy::Ptrace,
            source: io::Error::from_raw_os_error(13),
        };
        assert_eq!(
            error.to_string(),
            "not allowed to read the memory map of process 7; run as root, or with the capability CAP_SYS_PTRACE"
        );
    }
}
