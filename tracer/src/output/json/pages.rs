//! Page faults, the garbage collector and resident memory in captures: the schema's objects, and both ways between them
//! and a report.

use super::schema::OrderedMap;
use super::words;
use crate::report;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Each is minor or major; each a read, a write, or neither is known; each of one kind of memory.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::output) struct Faults {
    minor: u64,
    major: u64,
    reads: u64,
    writes: u64,
    /// Taken in a system call, or by an instruction that does both or is not known.
    unknown_access: u64,
    by_memory: ByMemory,
    /// Of the whole capture: those whose stack is not known.
    #[serde(default)]
    at_no_site: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct ByMemory {
    heap: u64,
    stack: u64,
    binary: u64,
    file: u64,
    other: u64,
}

impl From<report::FaultFigures> for Faults {
    fn from(figures: report::FaultFigures) -> Self {
        let report::FaultsByMemory {
            heap,
            stack,
            binary,
            file,
            other,
        } = figures.by_memory;
        Self {
            minor: figures.minor,
            major: figures.major,
            reads: figures.reads,
            writes: figures.writes,
            unknown_access: figures.unknown_access,
            by_memory: ByMemory {
                heap,
                stack,
                binary,
                file,
                other,
            },
            at_no_site: figures.at_no_site,
        }
    }
}

impl From<Faults> for report::FaultFigures {
    fn from(faults: Faults) -> Self {
        let ByMemory {
            heap,
            stack,
            binary,
            file,
            other,
        } = faults.by_memory;
        Self {
            minor: faults.minor,
            major: faults.major,
            reads: faults.reads,
            writes: faults.writes,
            unknown_access: faults.unknown_access,
            by_memory: report::FaultsByMemory {
                heap,
                stack,
                binary,
                file,
                other,
            },
            at_no_site: faults.at_no_site,
        }
    }
}

/// Times are nanoseconds since the start of recording.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Gc<'a> {
    /// The first ones that ended.
    cycles: Vec<Cycle<'a>>,
    /// All that ended.
    cycles_total: u64,
    /// The first ones.
    pauses: Vec<Pause<'a>>,
    /// Pauses of the collector.
    pause_count: u64,
    pause_total_ns: u64,
    pause_longest_ns: u64,
    /// Pauses for other reasons.
    other_pause_count: u64,
    other_pause_ns: u64,
    other_pause_longest_ns: u64,
    assists: u64,
    assist_ns: u64,
    /// Of `runtime.GC`.
    calls: u64,
    /// Assists and calls at no site.
    #[serde(default)]
    overflowed: u64,
    /// What no probe sees.
    skipped: Vec<Cow<'a, str>>,
}

/// Fields that are `null` lie before the capture, or could not be read.
#[derive(Serialize, Deserialize)]
struct Cycle<'a> {
    start_ns: Option<u64>,
    end_ns: u64,
    /// `heap`, `time` or `call`.
    trigger: Option<Cow<'a, str>>,
    heap_before: Option<u64>,
    heap_peak: Option<u64>,
    heap_after: Option<u64>,
    heap_goal: Option<u64>,
    /// CPU time, like the two that follow.
    assist_ns: Option<u64>,
    worker_ns: Option<u64>,
    idle_ns: Option<u64>,
    stw_ns: Cow<'a, [u64]>,
}

#[derive(Serialize, Deserialize)]
struct Pause<'a> {
    start_ns: u64,
    duration_ns: u64,
    reason: Option<Cow<'a, str>>,
    /// Whether as part of a cycle.
    gc: bool,
}

impl<'a> From<&'a report::Gc> for Gc<'a> {
    fn from(gc: &'a report::Gc) -> Self {
        Self {
            cycles: gc.cycles.iter().map(Into::into).collect(),
            cycles_total: gc.cycles_total,
            pauses: gc.pauses.iter().map(Into::into).collect(),
            pause_count: gc.gc_pauses.count,
            pause_total_ns: gc.gc_pauses.total_ns,
            pause_longest_ns: gc.gc_pauses.longest_ns,
            other_pause_count: gc.other_pauses.count,
            other_pause_ns: gc.other_pauses.total_ns,
            other_pause_longest_ns: gc.other_pauses.longest_ns,
            assists: gc.assists,
            assist_ns: gc.assist_ns,
            calls: gc.calls,
            overflowed: gc.overflowed,
            skipped: gc.skipped.iter().map(|text| text.as_str().into()).collect(),
        }
    }
}

impl From<Gc<'_>> for report::Gc {
    fn from(gc: Gc<'_>) -> Self {
        Self {
            cycles: gc.cycles.into_iter().map(Into::into).collect(),
            cycles_total: gc.cycles_total,
            pauses: gc.pauses.into_iter().map(Into::into).collect(),
            gc_pauses: report::PauseFigures {
                count: gc.pause_count,
                total_ns: gc.pause_total_ns,
                longest_ns: gc.pause_longest_ns,
            },
            other_pauses: report::PauseFigures {
                count: gc.other_pause_count,
                total_ns: gc.other_pause_ns,
                longest_ns: gc.other_pause_longest_ns,
            },
            assists: gc.assists,
            assist_ns: gc.assist_ns,
            calls: gc.calls,
            overflowed: gc.overflowed,
            skipped: gc.skipped.into_iter().map(Cow::into_owned).collect(),
        }
    }
}

impl<'a> From<&'a report::GcCycle> for Cycle<'a> {
    fn from(cycle: &'a report::GcCycle) -> Self {
        Self {
            start_ns: cycle.start_ns,
            end_ns: cycle.end_ns,
            trigger: cycle.trigger.as_deref().map(Into::into),
            heap_before: cycle.heap_before,
            heap_peak: cycle.heap_peak,
            heap_after: cycle.heap_after,
            heap_goal: cycle.heap_goal,
            assist_ns: cycle.assist_ns,
            worker_ns: cycle.worker_ns,
            idle_ns: cycle.idle_ns,
            stw_ns: cycle.stw_ns.as_slice().into(),
        }
    }
}

impl From<Cycle<'_>> for report::GcCycle {
    fn from(cycle: Cycle<'_>) -> Self {
        Self {
            start_ns: cycle.start_ns,
            end_ns: cycle.end_ns,
            trigger: cycle.trigger.map(Cow::into_owned),
            heap_before: cycle.heap_before,
            heap_peak: cycle.heap_peak,
            heap_after: cycle.heap_after,
            heap_goal: cycle.heap_goal,
            assist_ns: cycle.assist_ns,
            worker_ns: cycle.worker_ns,
            idle_ns: cycle.idle_ns,
            stw_ns: cycle.stw_ns.into_owned(),
        }
    }
}

impl<'a> From<&'a report::GcPause> for Pause<'a> {
    fn from(pause: &'a report::GcPause) -> Self {
        Self {
            start_ns: pause.start_ns,
            duration_ns: pause.duration_ns,
            reason: pause.reason.as_deref().map(Into::into),
            gc: pause.gc,
        }
    }
}

impl From<Pause<'_>> for report::GcPause {
    fn from(pause: Pause<'_>) -> Self {
        Self {
            start_ns: pause.start_ns,
            duration_ns: pause.duration_ns,
            reason: pause.reason.map(Cow::into_owned),
            gc: pause.gc,
        }
    }
}

/// At the end of the capture, in bytes.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Memory<'a> {
    rss_bytes: u64,
    anon_bytes: u64,
    file_bytes: u64,
    swap_bytes: u64,
    /// Largest first; parts that this version does not know are left out when read.
    parts: OrderedMap<Cow<'a, str>, u64>,
    /// Counted among the parts, and not resident.
    untouched_bytes: Option<u64>,
    /// `GOGC` and `GOMEMLIMIT`.
    gc_percent: Option<i32>,
    go_limit_bytes: Option<u64>,
    /// The largest part.
    #[serde(skip_deserializing)]
    reason: Option<&'static str>,
}

impl From<&report::Memory> for Memory<'_> {
    fn from(memory: &report::Memory) -> Self {
        let parts = memory.parts.iter();
        Self {
            rss_bytes: memory.rss_bytes,
            anon_bytes: memory.anon_bytes,
            file_bytes: memory.file_bytes,
            swap_bytes: memory.swap_bytes,
            parts: OrderedMap(
                parts
                    .map(|part| (part.kind.name().into(), part.bytes))
                    .collect(),
            ),
            untouched_bytes: memory.untouched_bytes,
            gc_percent: memory.gc_percent,
            go_limit_bytes: memory.go_limit_bytes,
            reason: memory.reason().map(|part| part.kind.name()),
        }
    }
}

impl From<Memory<'_>> for report::Memory {
    fn from(memory: Memory<'_>) -> Self {
        Self {
            rss_bytes: memory.rss_bytes,
            anon_bytes: memory.anon_bytes,
            file_bytes: memory.file_bytes,
            swap_bytes: memory.swap_bytes,
            parts: parts(memory.parts),
            untouched_bytes: memory.untouched_bytes,
            gc_percent: memory.gc_percent,
            go_limit_bytes: memory.go_limit_bytes,
        }
    }
}

/// In the order of the capture, largest first; all that are not known by name are one.
fn parts(parts: OrderedMap<Cow<'_, str>, u64>) -> Vec<report::MemoryPart> {
    let mut known: Vec<report::MemoryPart> = Vec::new();
    for (name, bytes) in parts.0 {
        let kind = words::memory_part(&name);
        match known.iter_mut().find(|part| part.kind == kind) {
            Some(part) => part.bytes = part.bytes.saturating_add(bytes),
            None => known.push(report::MemoryPart { kind, bytes }),
        }
    }
    known
}
