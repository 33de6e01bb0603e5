//! What the agent may do with other processes, and which right is missing where the kernel refuses.
//!
//! A remedy that has been followed already helps nobody: advice depends on the rights that the agent has.

use rustix::thread::{CapabilitySet, capabilities};
use std::{fmt, fs};

/// What the kernel asks rights for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To look at a process: its executable, its memory map.
    Look,
    /// To open a file that only its owner may read.
    File,
    /// To read a process's memory.
    Memory,
}

/// The rights that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// `CAP_SYS_PTRACE`: to look at every process and its memory.
    pub ptrace: bool,
    /// `CAP_DAC_READ_SEARCH` or `CAP_DAC_OVERRIDE`: to open every file for reading.
    pub read_files: bool,
    /// Whether capabilities hold in a user namespace only, not on the host.
    pub in_user_namespace: bool,
    /// Whether the host lets nobody read the memory of processes (`kernel.yama.ptrace_scope` is 3).
    pub is_memory_locked: bool,
}

impl Rights {
    /// Those of the calling thread, now.
    #[must_use]
    pub fn now() -> Self {
        let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        // Outside of all namespaces each user is itself: "0 0 4294967295".
        let users = file("/proc/self/uid_map");
        Rights {
            ptrace: effective.contains(CapabilitySet::SYS_PTRACE),
            read_files: effective
                .intersects(CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE),
            in_user_namespace: !users.split_whitespace().eq(["0", "0", "4294967295"]),
            is_memory_locked: file("/proc/sys/kernel/yama/ptrace_scope").trim() == "3",
        }
    }

    /// What would help where the kernel has refused `need` in spite of these rights.
    #[must_use]
    pub fn remedy(self, need: Need) -> Remedy {
        if need == Need::Memory && self.is_memory_locked {
            return Remedy::Yama;
        }
        match need {
            _ if !self.ptrace => Remedy::Ptrace,
            Need::File | Need::Memory if !self.read_files => Remedy::ReadFiles,
            _ if self.in_user_namespace => Remedy::Host,
            _ => Remedy::SecurityModule,
        }
    }
}

/// What would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The capability `CAP_SYS_PTRACE`.
    Ptrace,
    /// The capability `CAP_DAC_READ_SEARCH`.
    ReadFiles,
    /// To run outside of the user namespace.
    Host,
    /// Another setting of the host, for which it has to be started again.
    Yama,
    /// A look at the rules of the host's security module: the capabilities are there.
    SecurityModule,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Remedy::Ptrace => "run as root, or with the capability CAP_SYS_PTRACE",
            Remedy::ReadFiles => {
                "run as root, or add the capability CAP_DAC_READ_SEARCH: the file belongs to another user"
            }
            Remedy::Host => {
                "tracer has the capabilities, but in a user namespace only: run it on the host"
            }
            Remedy::Yama => {
                "this host forbids it to everybody: set kernel.yama.ptrace_scope to 2 or less and restart the host"
            }
            Remedy::SecurityModule => {
                "tracer has the capabilities, so a security module or a seccomp filter forbids it: look for tracer in the host's audit log"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rights = Rights {
        ptrace: true,
        read_files: true,
        in_user_namespace: false,
        is_memory_locked: false,
    };

    #[test]
    fn no_remedy_is_one_that_was_followed() {
        let check = |rights: Rights, expected: [Remedy; 3]| {
            let found = [Need::Look, Need::File, Need::Memory].map(|need| rights.remedy(need));
            assert_eq!(found, expected, "{rights:?}");
        };
        let without_ptrace = Rights {
            ptrace: false,
            ..ALL
        };
        check(without_ptrace, [Remedy::Ptrace; 3]);
        let without_files = Rights {
            read_files: false,
            ..ALL
        };
        let (files, module) = (Remedy::ReadFiles, Remedy::SecurityModule);
        check(without_files, [module, files, files]);
        check(ALL, [module; 3]);
        let in_namespace = Rights {
            in_user_namespace: true,
            ..ALL
        };
        check(in_namespace, [Remedy::Host; 3]);
        let locked = Rights {
            is_memory_locked: true,
            ..ALL
        };
        check(locked, [module, module, Remedy::Yama]);
    }
}
