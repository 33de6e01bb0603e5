//! What is asked of a capture: how much is recorded, and how.

use crate::plan::Extras;
use crate::report;

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ModeAsked {
    /// Each allocation, whatever it costs the target.
    Exact,
    /// Each allocation as long as probes take no more than this share of the target's CPU time, 0 to 1; else as many as
    /// fit.
    Auto {
        /// The share.
        max_overhead: f64,
    },
    /// What the runtime's heap profiler samples, or spans where it is off.
    Sampled,
    /// Nothing is recorded: the runtime's own heap profile is read.
    Heap,
}

impl ModeAsked {
    /// As reports have it.
    pub fn of_report(self) -> report::Mode {
        match self {
            ModeAsked::Exact => report::Mode::Exact,
            ModeAsked::Auto { .. } => report::Mode::Auto,
            ModeAsked::Sampled => report::Mode::Sampled,
            ModeAsked::Heap => report::Mode::Heap,
        }
    }
}

/// What is to be recorded, from which the probes are planned.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Each allocation.
    pub allocations: bool,
    /// What else, but for the heap.
    pub extras: Extras,
    /// Of the heap.
    pub heap: HeapAsked,
}

impl Wanted {
    /// Everything that can be recorded.
    pub(crate) const ALL: Wanted = Wanted {
        allocations: true,
        extras: Extras::ALL,
        heap: HeapAsked::Live,
    };

    /// Nothing: the target is only looked at.
    pub const NOTHING: Wanted = Wanted {
        allocations: false,
        extras: Extras::NONE,
        heap: HeapAsked::Nothing,
    };
}

/// What is asked about the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapAsked {
    /// Nothing is to be probed for it.
    Nothing,
    /// What of the allocations that are recorded stays alive.
    Live,
    /// Samples instead of records of all allocations.
    Samples,
}

/// How the probes record.
#[derive(Clone, Debug)]
pub struct Request {
    /// How much is recorded.
    pub mode: ModeAsked,
    /// Allocations of fewer bytes are left out; 0 or 1 for none.
    pub min_size: u64,
    /// Most frames of a stack.
    pub stack_depth: u64,
    /// Bytes of all event rings, a power of two; `None` for what suits the host.
    pub ring_bytes: Option<u32>,
    /// Number of event rings, a power of two; `None` for what suits the host.
    pub rings: Option<u32>,
    /// Whether the kernel programs log.
    pub verbose: bool,
    /// Whether allocations can be had one by one, see [`Capture::take_feed`](super::Capture::take_feed).
    pub singles: bool,
}
