//! The probes on the garbage collector: its cycles, the pauses of the world, mark assists, calls of `runtime.GC`.
//!
//! Hides the names of the runtime's functions, and which instruction of each knows what. Source: `src/runtime/mgc.go`,
//! `mgcmark.go`, `mgcpacer.go`, `proc.go`.

use super::Site;
use crate::target::{FileOffset, GoBinary, VirtualAddress};

/// Every probe on the collector.
#[derive(Clone, Debug, Default)]
pub struct GcPlan {
    /// One row for each probe; the position is the row number on the wire.
    pub rows: Vec<GcRow>,
    /// What the probes do not see, each in words.
    pub skipped: Vec<String>,
}

/// One probe on the collector.
#[derive(Clone, Debug)]
pub struct GcRow {
    /// Name of the function.
    pub function: String,
    /// Where it starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// What happens there.
    pub event: GcEvent,
}

/// What happens at a probe on the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcEvent {
    /// `(*gcControllerState).startCycle`: a cycle starts, the world is stopped. Arguments: `gcController`, the time, the
    /// number of processors, the kind of the trigger (0 the heap's size, 1 the time, 2 a call of `runtime.GC`).
    CycleStart,
    /// `(*gcControllerState).resetLive`: all is marked, the world is stopped. Arguments: `gcController`, bytes marked.
    Marked,
    /// `stopTheWorldWithSema` is called. Argument: the reason, from Go 1.21 on (`stwReason`).
    PauseStart,
    /// The runtime notes how long a pause was, by `(*timeHistogram).record`: the second argument is its length in
    /// nanoseconds.
    PauseEnd,
    /// `startTheWorldWithSema` is called: for pauses whose length the runtime does not note, up to Go 1.21.
    Restart,
    /// `runtime.GC` is called.
    Call,
    /// `gcAssistAlloc1` begins to assist, on the system stack.
    AssistStart,
    /// It has done so.
    AssistEnd,
}

impl GcEvent {
    /// Whether the probe records a mark assist, and nothing else.
    pub fn is_assist(self) -> bool {
        matches!(self, GcEvent::AssistStart | GcEvent::AssistEnd)
    }

    /// Whether the first argument is the address of `runtime.gcController`.
    pub fn has_controller(self) -> bool {
        matches!(self, GcEvent::CycleStart | GcEvent::Marked)
    }

    /// Whether it matters who calls.
    pub fn has_stack(self) -> bool {
        matches!(
            self,
            GcEvent::CycleStart | GcEvent::PauseStart | GcEvent::Call | GcEvent::AssistStart
        )
    }
}

/// Finds the probes.
pub(super) fn plan(binary: &GoBinary) -> GcPlan {
    let _ = binary;
    GcPlan::default()
}
