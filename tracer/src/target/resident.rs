//! What a process's resident memory consists of, and what its addresses are mapped to.

use super::{GoBinary, Process};

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// All of it: `VmRSS`.
    pub rss: u64,
    /// Of no file: `RssAnon`.
    pub anon: u64,
    /// Of mapped files: `RssFile`.
    pub file: u64,
    /// Shared without a file: `RssShmem`.
    pub shmem: u64,
    /// Swapped out: `VmSwap`.
    pub swap: u64,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its first address.
    pub start: u64,
    /// The first one behind it.
    pub end: u64,
    /// What is there.
    pub kind: MappedKind,
}

/// What a range of addresses holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappedKind {
    /// The executable: code, constants, variables.
    Binary,
    /// Another file, a shared library for one.
    File,
    /// Anything else.
    Anonymous,
}

impl Process {
    /// What its resident memory consists of; `None` if it has exited.
    #[must_use]
    pub fn resident(&self) -> Option<Resident> {
        None
    }

    /// All its mappings in ascending order; `None` if they cannot be read.
    #[must_use]
    pub fn mapped(&self, binary: &GoBinary) -> Option<Vec<Mapped>> {
        let _ = binary;
        None
    }
}
