//! What is read of the target from outside while it runs, and of the agent itself: clocks of CPU time, the runtime's own
//! counts, headers of maps, gauges of memory.
//!
//! Hides that a process which has exited tells nothing: what was read last stays.

use super::gauges::Gauges;
use super::now::Now;
use super::prepared::Prepared;
use crate::aggregate::{Look, Watched};
use crate::program::{CpuClock, HeapCounter, Mapped, Memory, Process, RuntimePc};
use crate::report::{self, TimelinePoint};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::time::Duration;

/// Everything that is read of one target.
#[derive(Debug)]
pub(super) struct Readings {
    heap_counter: Option<HeapCounter>,
    memory: Option<Arc<dyn Memory>>,
    gauges: Gauges,
    target_cpu: Option<TargetCpu>,
    agent_cpu_at_start: Duration,
}

impl Readings {
    /// Begins to count when recording does.
    pub(super) fn start(prepared: &Prepared) -> Self {
        let Prepared {
            process,
            bias,
            plan,
            ..
        } = prepared;
        Readings {
            heap_counter: HeapCounter::start(process, *bias, plan.total_alloc),
            memory: process.memory().ok(),
            gauges: Gauges::start(prepared),
            target_cpu: TargetCpu::start(process),
            agent_cpu_at_start: agent_cpu(),
        }
    }

    /// A point of the timeline with what the target shows of its memory now, and nothing else.
    pub(super) fn gauges(&mut self, prepared: &Prepared) -> TimelinePoint {
        self.gauges.point(prepared)
    }

    /// What resident memory consisted of when it was read last.
    pub(super) fn resident(&self) -> Option<report::Memory> {
        self.gauges.memory()
    }

    /// Bytes that the runtime has counted since the start.
    pub(super) fn counted(&self) -> Option<u64> {
        self.heap_counter.as_ref()?.growth()
    }

    /// Share of what the runtime has counted since the start that `bytes` are, 0 to 1.
    pub(super) fn share_of_counted(&self, bytes: u64) -> Option<f64> {
        self.heap_counter.as_ref()?.share_of(bytes)
    }

    /// Reads the headers of maps; for the last time, when nothing is recorded any more.
    pub(super) fn look(&self, watched: &[Watched], now: Now, last: bool) -> Vec<Look> {
        let maps: Vec<RuntimePc> = watched.iter().map(|map| RuntimePc(map.map)).collect();
        let memory = self.memory.as_ref();
        let words = memory.map_or_else(
            || vec![None; maps.len()],
            |memory| memory.words_at_each(&maps),
        );
        let look = |(map, words): (&Watched, Option<[u64; 3]>)| Look {
            id: map.id,
            time_ns: now.monotonic_ns(),
            last,
            words,
        };
        watched.iter().zip(words).map(look).collect()
    }

    /// CPU time that the target has used since the start.
    pub(super) fn target_cpu(&mut self) -> Option<Duration> {
        self.target_cpu.as_mut().map(TargetCpu::used)
    }

    /// CPU time that the agent has used since the start, for all it does.
    pub(super) fn agent_cpu(&self) -> Duration {
        agent_cpu().saturating_sub(self.agent_cpu_at_start)
    }
}

/// What the target's addresses are mapped to now; nothing if it has exited.
pub(super) fn mapped(prepared: &Prepared) -> Vec<Mapped> {
    let mapped = prepared.process.mapped(&prepared.binary);
    mapped.unwrap_or_default()
}

/// CPU time of the target since the start of recording.
#[derive(Debug)]
struct TargetCpu {
    clock: CpuClock,
    start: Duration,
    used: Duration,
}

impl TargetCpu {
    fn start(process: &Process) -> Option<Self> {
        let clock = CpuClock::of(process)?;
        Some(TargetCpu {
            clock,
            start: clock.now()?,
            used: Duration::ZERO,
        })
    }

    fn used(&mut self) -> Duration {
        if let Some(now) = self.clock.now() {
            self.used = now.saturating_sub(self.start);
        }
        self.used
    }
}

/// CPU time of this process so far.
fn agent_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// CPU time of this thread so far.
pub(super) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Peak resident memory of this process in bytes.
pub(super) fn agent_peak_memory() -> Option<u64> {
    let status = procfs::process::Process::myself().ok()?.status().ok()?;
    status.vmhwm.map(|kib| kib * 1024)
}
