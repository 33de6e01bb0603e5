//! Page faults: how many, of what kind, and what for.

use crate::aggregate::{FaultSums, MemoryUse};
use crate::program::Access;
use crate::symbolize::Symbols;

/// Page faults of a site, or of the whole capture. Each is minor or major; each is a read, a write, or of unknown kind;
/// each is of one kind of memory, when the capture is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultFigures {
    /// Those that needed no device: `ru_minflt`, but for pages that the kernel makes present by itself (`MAP_POPULATE`).
    pub minor: u64,
    /// Those that did: `ru_majflt`.
    pub major: u64,
    /// Those of an instruction that reads.
    pub reads: u64,
    /// Those of an instruction that writes.
    pub writes: u64,
    /// Those that the kernel took, in a system call; or the instruction does both, or is not known.
    pub unknown_access: u64,
    /// By what the memory is used for.
    pub by_memory: FaultsByMemory,
    /// Those whose stack never arrived or is beyond a bound: of the whole capture, at no site.
    pub at_no_site: u64,
}

/// Page faults by what the memory is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultsByMemory {
    /// Objects of the Go heap.
    pub heap: u64,
    /// Stacks of goroutines, and work buffers of the collector.
    pub stack: u64,
    /// The executable: code, constants, variables.
    pub binary: u64,
    /// Another mapped file.
    pub file: u64,
    /// Anything else: the runtime's own tables, C's heap, stacks of threads.
    pub other: u64,
}

impl FaultsByMemory {
    /// How many there are of each.
    pub fn of_each(&self) -> [(FaultMemory, u64); 5] {
        let FaultsByMemory {
            heap,
            stack,
            binary,
            file,
            other,
        } = *self;
        [
            (FaultMemory::Heap, heap),
            (FaultMemory::Stack, stack),
            (FaultMemory::Binary, binary),
            (FaultMemory::File, file),
            (FaultMemory::Other, other),
        ]
    }
}

/// What memory is used for, of which a page was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultMemory {
    /// See [`FaultsByMemory::heap`].
    Heap,
    /// See [`FaultsByMemory::stack`].
    Stack,
    /// See [`FaultsByMemory::binary`].
    Binary,
    /// See [`FaultsByMemory::file`].
    File,
    /// See [`FaultsByMemory::other`].
    Other,
}

impl FaultMemory {
    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            FaultMemory::Heap => "heap",
            FaultMemory::Stack => "stack",
            FaultMemory::Binary => "binary",
            FaultMemory::File => "file",
            FaultMemory::Other => "other",
        }
    }
}

impl FaultFigures {
    /// Faults of both kinds.
    pub fn all(&self) -> u64 {
        self.minor.saturating_add(self.major)
    }

    /// Figures of what the stack `pcs` did.
    pub(super) fn of_stack(sums: &FaultSums, pcs: &[u64], symbols: &Symbols) -> Self {
        let by_instruction = sums.all().saturating_sub(sums.in_kernel);
        let access = pcs.first().and_then(|pc| symbols.access(*pc));
        let (reads, writes) = match access {
            Some(Access::Read) => (by_instruction, 0),
            Some(Access::Write) => (0, by_instruction),
            Some(Access::Both) | None => (0, 0),
        };
        FaultFigures {
            minor: sums.minor,
            major: sums.major,
            reads,
            writes,
            unknown_access: sums.all() - reads - writes,
            by_memory: by_memory(sums),
            at_no_site: 0,
        }
    }

    /// Adds the figures of `other`.
    pub(super) fn merge(&mut self, other: &FaultFigures) {
        let FaultFigures {
            minor,
            major,
            reads,
            writes,
            unknown_access,
            by_memory,
            at_no_site,
        } = *other;
        self.at_no_site += at_no_site;
        self.minor += minor;
        self.major += major;
        self.reads += reads;
        self.writes += writes;
        self.unknown_access += unknown_access;
        self.by_memory.heap += by_memory.heap;
        self.by_memory.stack += by_memory.stack;
        self.by_memory.binary += by_memory.binary;
        self.by_memory.file += by_memory.file;
        self.by_memory.other += by_memory.other;
    }
}

fn by_memory(sums: &FaultSums) -> FaultsByMemory {
    let of = |memory: MemoryUse| sums.by_use.get(memory as usize).copied().unwrap_or(0);
    FaultsByMemory {
        heap: of(MemoryUse::Heap),
        stack: of(MemoryUse::Stack),
        binary: of(MemoryUse::Binary),
        file: of(MemoryUse::File),
        other: of(MemoryUse::Other),
    }
}
