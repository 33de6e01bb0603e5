//! What the garbage collector did: cycles and pauses with their times since the start of recording, and what it cost.

use crate::aggregate::{self, GcTotals, Trigger};

/// The collector's work in a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gc {
    /// The first cycles that ended, oldest first.
    pub cycles: Vec<GcCycle>,
    /// All that ended: as `MemStats.NumGC` counts.
    pub cycles_total: u64,
    /// The first pauses of the world, oldest first.
    pub pauses: Vec<GcPause>,
    /// Pauses of the collector.
    pub gc_pauses: PauseFigures,
    /// Pauses for other reasons.
    pub other_pauses: PauseFigures,
    /// Mark assists.
    pub assists: u64,
    /// Their time, nanoseconds.
    pub assist_ns: u64,
    /// Calls of `runtime.GC`.
    pub calls: u64,
    /// Assists and calls beyond the bound on stacks: at no site.
    pub overflowed: u64,
    /// What the probes do not see, each in words.
    pub skipped: Vec<String>,
}

/// One cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcCycle {
    /// Start of its first pause; `None` if that was before the capture.
    pub start_ns: Option<u64>,
    /// End of its last pause, nanoseconds since the start of recording.
    pub end_ns: u64,
    /// `heap`, `time` or `call`: why it started.
    pub trigger: Option<String>,
    /// Bytes of the heap at its start.
    pub heap_before: Option<u64>,
    /// Bytes of the heap when all was marked.
    pub heap_peak: Option<u64>,
    /// Bytes found live.
    pub heap_after: Option<u64>,
    /// The size at which it should have been done.
    pub heap_goal: Option<u64>,
    /// CPU time of assists, nanoseconds, as the runtime counts it.
    pub assist_ns: Option<u64>,
    /// CPU time of dedicated and fractional mark workers.
    pub worker_ns: Option<u64>,
    /// CPU time of mark workers on idle processors.
    pub idle_ns: Option<u64>,
    /// Length of its pauses.
    pub stw_ns: Vec<u64>,
}

/// The world stood still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcPause {
    /// Nanoseconds since the start of recording.
    pub start_ns: u64,
    /// How long.
    pub duration_ns: u64,
    /// Why, as the runtime names it; `None` if it does not tell.
    pub reason: Option<String>,
    /// Whether as part of a cycle.
    pub gc: bool,
}

/// Sums over pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseFigures {
    /// How many.
    pub count: u64,
    /// How long together, nanoseconds.
    pub total_ns: u64,
    /// The longest.
    pub longest_ns: u64,
}

/// What a site pays for the collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcFigures {
    /// Mark assists.
    pub assists: u64,
    /// Their time, nanoseconds.
    pub assist_ns: u64,
    /// Calls of `runtime.GC`.
    pub calls: u64,
}

impl GcFigures {
    /// Adds the figures of `other`.
    pub(super) fn merge(&mut self, other: &GcFigures) {
        let GcFigures {
            assists,
            assist_ns,
            calls,
        } = *other;
        self.assists += assists;
        self.assist_ns = self.assist_ns.saturating_add(assist_ns);
        self.calls += calls;
    }
}

/// Names of `stwReason` (`src/runtime/proc.go`, 1.21 to 1.27), by number.
const REASONS: [&str; 17] = [
    "unknown",
    "GC mark termination",
    "GC sweep termination",
    "write heap dump",
    "goroutine profile",
    "goroutine profile cleanup",
    "all goroutines stack trace",
    "read mem stats",
    "AllThreadsSyscall",
    "GOMAXPROCS",
    "start trace",
    "stop trace",
    "CountPagesInUse (test)",
    "ReadMetricsSlow (test)",
    "ReadMemStatsSlow (test)",
    "PageCachePagesLeaked (test)",
    "ResetDebugLog (test)",
];

impl Gc {
    /// The figures of `totals`; `start_ns` is the start of recording on the monotonic clock.
    pub(super) fn of(totals: &GcTotals, skipped: &[String], start_ns: u64) -> Self {
        let cycles = totals.cycles.iter();
        let pauses = totals.pauses.iter();
        Gc {
            cycles: cycles.map(|cycle| GcCycle::of(cycle, start_ns)).collect(),
            cycles_total: totals.cycle_count,
            pauses: pauses.map(|pause| GcPause::of(pause, start_ns)).collect(),
            gc_pauses: totals.gc_pauses.into(),
            other_pauses: totals.other_pauses.into(),
            assists: totals.assist_sums.count,
            assist_ns: totals.assist_sums.ns,
            calls: totals.call_count,
            overflowed: totals.overflowed,
            skipped: skipped.to_vec(),
        }
    }

    /// Whether there were more cycles than are kept.
    pub fn is_cut(&self) -> bool {
        self.cycles_total > self.cycles.len() as u64
    }

    /// CPU time of all kept cycles that the program did not get: assists and mark workers, without idle ones. `None` if
    /// the runtime's figures of one are missing.
    pub fn cpu_ns(&self) -> Option<u64> {
        self.cycles.iter().try_fold(0_u64, |sum, cycle| {
            let of_cycle = cycle.assist_ns?.saturating_add(cycle.worker_ns?);
            Some(sum.saturating_add(of_cycle))
        })
    }
}

impl GcCycle {
    fn of(cycle: &aggregate::Cycle, start_ns: u64) -> Self {
        let since = |time: u64| time.saturating_sub(start_ns);
        GcCycle {
            start_ns: cycle.start_ns.map(since),
            end_ns: since(cycle.end_ns),
            trigger: cycle.trigger.map(|trigger| {
                match trigger {
                    Trigger::Heap => "heap",
                    Trigger::Time => "time",
                    Trigger::Call => "call",
                }
                .to_owned()
            }),
            heap_before: cycle.heap_before,
            heap_peak: cycle.heap_peak,
            heap_after: cycle.heap_after,
            heap_goal: cycle.heap_goal,
            assist_ns: cycle.assist_ns,
            worker_ns: cycle.worker_ns,
            idle_ns: cycle.idle_ns,
            stw_ns: cycle.stw_ns.clone(),
        }
    }
}

impl GcPause {
    fn of(pause: &aggregate::Pause, start_ns: u64) -> Self {
        let name = |reason: u64| {
            let known = usize::try_from(reason).ok().and_then(|at| REASONS.get(at));
            known.map_or_else(|| format!("reason {reason}"), |name| (*name).to_owned())
        };
        GcPause {
            start_ns: pause.start_ns.saturating_sub(start_ns),
            duration_ns: pause.duration_ns,
            reason: pause.reason.map(name),
            gc: pause.gc,
        }
    }
}

impl From<aggregate::PauseSums> for PauseFigures {
    fn from(sums: aggregate::PauseSums) -> Self {
        let aggregate::PauseSums {
            count,
            total_ns,
            longest_ns,
        } = sums;
        PauseFigures {
            count,
            total_ns,
            longest_ns,
        }
    }
}
