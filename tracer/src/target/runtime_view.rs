//! The Go runtime's own figures of memory and garbage collection, read from outside while the target runs.
//!
//! Hides which variables hold them, how they are found in a stripped binary, and their layouts.

use super::controller::ControllerState;
use super::{GoBinary, LoadBias, Process, VirtualAddress};

/// Where the runtime keeps its spans, so that a kernel program can tell what an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaLayout {
    /// Address of `runtime.mheap_.arenas`.
    pub arenas: VirtualAddress,
    /// Byte offset of `heapArena.spans`.
    pub arena_spans: u64,
    /// Byte offset of `mspan.state`.
    pub span_state: u64,
}

impl ArenaLayout {
    /// That of a binary; `None` if the variable cannot be found.
    pub fn of(binary: &GoBinary) -> Option<Self> {
        let _ = binary;
        None
    }
}

/// The runtime's figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeFigures {
    /// The pacer's state.
    pub controller: ControllerState,
    /// Finished cycles: `MemStats.NumGC`.
    pub cycles: Option<u32>,
    /// Those that the program asked for: `MemStats.NumForcedGC`.
    pub forced_cycles: Option<u32>,
    /// `MemStats.PauseTotalNs`.
    pub pause_total_ns: Option<u64>,
    /// Bytes of spans that are goroutines' stacks: `MemStats.StackInuse`.
    pub stacks: Option<u64>,
    /// Bytes of the runtime's own tables, work buffers and the bitmaps of the heap among them.
    pub metadata: Option<u64>,
}

/// A way to read them.
#[derive(Debug)]
pub struct RuntimeView {}

impl RuntimeView {
    /// Opens the memory of `process`; `None` if the pacer cannot be found or read.
    pub fn open(process: &Process, binary: &GoBinary, bias: LoadBias) -> Option<Self> {
        let _ = (process, binary, bias);
        None
    }

    /// The figures now; `None` if the process is gone.
    pub fn read(&self) -> Option<RuntimeFigures> {
        None
    }
}
