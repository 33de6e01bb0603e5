//! Makes reports of a running capture: everything they need besides the collected numbers.

use super::gauges::Gauges;
use super::heap::HeapWatch;
use super::{Mode, Prepared};
use crate::aggregate::{Look, Sums, Totals, Watched};
use crate::collect::Tally;
use crate::governor::{self, End, Step};
use crate::kernel::{Counters, Extra, HitCost};
use crate::plan::{Coverage, HeapProbes, ProbePlan};
use crate::program::{CpuClock, HeapCounter, Mapped, Memory, Process, RuntimePc};
use crate::report::{
    self, Capture, EndedBy, HeapFacts, ModeStep, Overhead, Report, Target, TimelinePoint, Window,
};
use crate::symbolize::{Symbolizer, Symbols};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Points of the timeline that are kept: a capture may go on for months.
const MOST_POINTS: usize = 10_000;

/// What a report needs besides the collected numbers.
#[derive(Debug)]
pub(super) struct Context {
    prepared: Prepared,
    mode: Mode,
    hit_cost: Option<HitCost>,
    /// What the governor has done; nothing while it runs.
    governed: End,
    /// As it was at the start: a process that has exited tells nothing.
    pub(super) target: Target,
    heap_counter: Option<HeapCounter>,
    memory: Option<Arc<dyn Memory>>,
    gauges: Gauges,
    heap_watch: HeapWatch,
    cpu: Option<Cpu>,
    symbolizer: Symbolizer,
    symbols: Symbols,
    pub(super) started: Instant,
    pub(super) start_unix_ns: u64,
    pub(super) start_monotonic_ns: u64,
    agent_cpu_at_start: Duration,
    timeline: Vec<TimelinePoint>,
    sums_at_last_tick: Sums,
    faults_at_last_tick: u64,
    /// Bytes, as the runtime counts them.
    counted_at_last_tick: Option<u64>,
}

impl Context {
    /// The context of a capture that starts now.
    pub(super) fn new(prepared: Prepared, mode: Mode, hit_cost: Option<HitCost>) -> Self {
        let Prepared {
            process,
            binary,
            bias,
            plan,
            heap,
            ..
        } = &prepared;
        // Recording has begun: what takes time comes after the clocks and the counter.
        let (started, start_unix_ns) = (Instant::now(), unix_ns());
        let start_monotonic_ns = monotonic_ns();
        let heap_counter = HeapCounter::start(process, *bias, plan.total_alloc);
        let heap_watch = HeapWatch::start(process, binary, *bias, heap, monotonic_ns());
        Context {
            target: prepared.target(),
            heap_counter,
            memory: process.memory().ok(),
            gauges: Gauges::start(&prepared),
            cpu: Cpu::start(process),
            symbolizer: Symbolizer::new(Arc::clone(binary), *bias),
            symbols: Symbols::default(),
            started,
            start_unix_ns,
            start_monotonic_ns,
            heap_watch,
            agent_cpu_at_start: agent_cpu(),
            timeline: Vec::new(),
            sums_at_last_tick: Sums::default(),
            faults_at_last_tick: 0,
            counted_at_last_tick: Some(0),
            mode,
            hit_cost,
            governed: End::default(),
            prepared,
        }
    }

    /// How much is recorded.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// What the governor has done.
    pub(super) fn govern(&mut self, end: End) {
        self.governed = end;
    }

    /// A point for each tick so far.
    pub(super) fn timeline(&self) -> &[TimelinePoint] {
        &self.timeline
    }

    /// Reads the headers of maps; for the last time, when nothing is recorded any more.
    pub(super) fn look(&self, watched: &[Watched], last: bool) -> Vec<Look> {
        let maps: Vec<RuntimePc> = watched.iter().map(|map| RuntimePc(map.map)).collect();
        let memory = self.memory.as_ref();
        let words = memory.map_or_else(
            || vec![None; maps.len()],
            |memory| memory.words_at_each(&maps),
        );
        let time_ns = monotonic_ns();
        let look = |(map, words): (&Watched, Option<[u64; 3]>)| Look {
            id: map.id,
            time_ns,
            last,
            words,
        };
        watched.iter().zip(words).map(look).collect()
    }

    /// What the target's addresses are mapped to now; nothing if it has exited.
    pub(super) fn mapped(&self) -> Vec<Mapped> {
        let Prepared {
            process, binary, ..
        } = &self.prepared;
        process.mapped(binary).unwrap_or_default()
    }

    /// A point of the timeline with what the target shows of its memory now, and nothing else.
    pub(super) fn read_gauges(&mut self) -> TimelinePoint {
        self.gauges.point(&self.prepared)
    }

    /// Reads the runtime's own heap profile again, if that is worth it.
    pub(super) fn follow_heap(&mut self) {
        self.heap_watch.follow(monotonic_ns());
    }

    /// Reads it for the last time.
    pub(super) fn finish_heap(&mut self) {
        self.heap_watch.finish(monotonic_ns());
    }

    /// Adds a point to the timeline, from what the target showed then. `has_faults` tells whether page faults are still
    /// recorded.
    pub(super) fn mark(
        &mut self,
        tally: Tally,
        has_faults: bool,
        since_start: Duration,
        gauges: TimelinePoint,
    ) {
        let Tally {
            sums,
            windows,
            faults,
            ..
        } = tally;
        let counted = self.heap_counter.as_ref().and_then(HeapCounter::growth);
        let before = std::mem::replace(&mut self.counted_at_last_tick, counted);
        // Nothing tells what an interval has allocated but the runtime's own count.
        let uncertain = windows || !self.prepared.allocations;
        let interval = sums.since(&self.sums_at_last_tick);
        // What was shown stays shown: bytes may be corrected downwards, an interval is never negative.
        self.sums_at_last_tick = Sums {
            alloc_bytes: sums.alloc_bytes.max(self.sums_at_last_tick.alloc_bytes),
            ..sums
        };
        if let Some(cpu) = &mut self.cpu {
            cpu.used();
        }
        let faults_before = std::mem::replace(&mut self.faults_at_last_tick, faults);
        if self.timeline.len() >= MOST_POINTS {
            self.timeline = report::thinned(&self.timeline, MOST_POINTS / 2);
        }
        self.timeline.push(TimelinePoint {
            t_ns: nanos(since_start),
            allocs: (!uncertain).then_some(interval.allocs),
            alloc_bytes: if uncertain {
                counted
                    .zip(before)
                    .map(|(now, before)| now.saturating_sub(before))
            } else {
                interval.known_alloc_bytes()
            },
            faults: has_faults.then_some(faults.saturating_sub(faults_before)),
            ..gauges
        });
    }

    pub(super) fn report(
        &mut self,
        totals: &Totals,
        counters: &Counters,
        ended_by: EndedBy,
        duration: Duration,
    ) -> Report {
        let overhead = self.overhead(counters, duration);
        let pcs = totals.frames.values().map(|frames| &*frames.pcs);
        let types = totals
            .stacks
            .values()
            .flat_map(|stack| stack.types.iter().map(|row| row.type_pointer));
        self.symbols.extend(&mut self.symbolizer, pcs, types);
        let map_types = totals.maps.rows.iter().map(|row| row.map_type);
        self.symbols
            .extend_map_types(&mut self.symbolizer, map_types);
        let faulting = totals.faults.stacks.keys();
        let faulting = faulting.filter_map(|stack| totals.frames.get(stack)?.pcs.first());
        self.symbols
            .extend_accesses(&self.symbolizer, faulting.copied());
        self.name_heap(totals);
        let samples = totals.heap.samples;
        let mut heap = self.heap_watch.hindsight(&self.prepared.heap, samples);
        if self.governed.has_given_up(Extra::Live) {
            heap = heap.given_up();
        }
        report::build(Capture {
            target: self.target.clone(),
            window: Window {
                start_unix_ns: self.start_unix_ns,
                duration_ns: nanos(duration),
                mode: self.mode.name().to_owned(),
                mode_steps: self.mode_steps(),
                ended_by,
            },
            totals,
            counters,
            probed_share: self.probed_share(totals),
            unseen: self.governed.unseen,
            map_plan: &self.prepared.plan.maps,
            faults: self.prepared.plan.faults,
            gc_plan: self.prepared.plan.gc.as_ref(),
            heap: HeapFacts {
                history: self.heap_watch.history().filter(|_| heap.was_on),
                scale_rate: heap.scale_rate,
                probes: heap.probes,
                profiler: heap.profiler,
                reason: heap.reason,
                allocations: self.prepared.allocations,
            },
            memory: self.gauges.memory(),
            start_monotonic_ns: self.start_monotonic_ns,
            symbols: &self.symbols,
            timeline: self.timeline.clone(),
            overhead,
        })
    }

    /// Why the runtime's own heap profile says nothing; `None` if it does.
    pub(super) fn heap_unavailable(&self) -> Option<&str> {
        if self.heap_watch.was_read() {
            return None;
        }
        let reason = self.prepared.heap.reason.as_deref();
        Some(reason.unwrap_or("its heap profile could not be read"))
    }

    /// Names what is known of the heap, and who made the goroutines.
    fn name_heap(&mut self, totals: &Totals) {
        let history = self.heap_watch.history();
        let buckets = || {
            let buckets = history.into_iter().flat_map(|history| history.buckets());
            buckets.map(|bucket| &*bucket.pcs)
        };
        let sampled = totals.heap.stacks.keys();
        let sampled = sampled.filter_map(|id| Some(&*totals.frames.get(id)?.pcs));
        let none = std::iter::empty;
        self.symbols.extend(&mut self.symbolizer, buckets(), none());
        self.symbols
            .extend_allocated(&mut self.symbolizer, buckets().chain(sampled));
        let creations: Vec<[u64; 1]> = totals
            .frames
            .values()
            .filter_map(|frames| Some([frames.creation()?]))
            .collect();
        self.symbols.extend(
            &mut self.symbolizer,
            creations.iter().map(|pc| &pc[..]),
            none(),
        );
    }

    /// What tracing cost; the rate of hits is left to the report.
    fn overhead(&mut self, counters: &Counters, duration: Duration) -> Overhead {
        let agent_cpu = agent_cpu().saturating_sub(self.agent_cpu_at_start);
        let percent = |part: Duration, whole: Duration| {
            (!whole.is_zero()).then(|| 100.0 * part.as_secs_f64() / whole.as_secs_f64())
        };
        let in_probes = self.hit_cost.map(|cost| {
            let recorded = counters.expected() as f64 * cost.recorded_ns;
            let others = cost.of_others(counters.other_hits(), &counters.extra_hits());
            let counted = recorded + others + counters.silent() as f64 * cost.silent_ns;
            Duration::from_secs_f64(counted / 1e9) + self.governed.uncounted
        });
        let of_target = self.cpu.as_mut().map(Cpu::used);
        Overhead {
            ns_per_hit: self.hit_cost.map(|cost| cost.recorded_ns),
            hits_per_s: 0.0,
            target_cpu_pct: in_probes.and_then(|time| percent(time, duration)),
            target_share_pct: in_probes
                .zip(of_target)
                .and_then(|(time, all)| percent(time, all)),
            target_used_pct: of_target.and_then(|all| percent(all, duration)),
            agent_cpu_pct: percent(agent_cpu, duration),
            agent_rss_bytes: peak_memory(),
        }
    }

    /// The governor's steps in words.
    fn mode_steps(&self) -> Vec<ModeStep> {
        let plan = &self.prepared.plan;
        self.governed
            .steps
            .iter()
            .map(|step| mode_step(step, plan))
            .collect()
    }

    /// How much of what the runtime allocates passes the probes: all of it where the version table knows the binary.
    fn probed_share(&self, totals: &Totals) -> Option<f64> {
        if !self.prepared.allocations {
            // What spans hold when a cycle of the collector starts is given back without a refill.
            let spans = self.prepared.heap.probes == HeapProbes::Spans;
            let counter = self.heap_counter.as_ref().filter(|_| spans)?;
            return counter.share_of(totals.heap.bytes());
        }
        match self.prepared.plan.coverage {
            Coverage::Complete if !self.governed.unseen => Some(1.0),
            _ => self
                .heap_counter
                .as_ref()?
                .share_of(totals.sums.known_alloc_bytes()?),
        }
    }
}

/// CPU time of the target since the start of recording.
#[derive(Debug)]
struct Cpu {
    clock: CpuClock,
    start: Duration,
    /// As it was last read: a process that has exited tells nothing.
    used: Duration,
}

impl Cpu {
    fn start(process: &Process) -> Option<Self> {
        let clock = CpuClock::of(process)?;
        Some(Cpu {
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

fn mode_step(step: &Step, plan: &ProbePlan) -> ModeStep {
    let what = match step.mode {
        governor::Mode::Without(Extra::MapWrites | Extra::MapGrowths) => "operations on maps",
        governor::Mode::Without(Extra::Faults) => "page faults",
        governor::Mode::Without(Extra::Assists) => "begins and ends of mark assists",
        governor::Mode::Without(Extra::Live) => "samples of the heap",
        _ => "allocations",
    };
    let why = format!(
        "recording {:.0} {what}/s takes {:.1} % of its CPU",
        step.hits_per_s,
        100.0 * step.share
    );
    let (mode, meaning) = match &step.mode {
        governor::Mode::Exact => ("exact", "each is recorded".to_owned()),
        governor::Mode::Sampling { distance_bytes } => (
            "sampling",
            format!("one in about {distance_bytes} bytes is recorded"),
        ),
        governor::Mode::Windows { rows } => {
            let rows = rows
                .iter()
                .filter_map(|row| plan.rows.get(usize::from(*row)));
            let names: Vec<String> = rows
                .map(|row| format!("windows for {}", row.function))
                .collect();
            ("windows", names.join("; "))
        }
        governor::Mode::Without(Extra::MapWrites) => (
            "no_map_writes",
            "of maps only growth is recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::MapGrowths) => (
            "no_map_growths",
            "growth of maps is not recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::Faults) => (
            "no_faults",
            "page faults are not recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::Assists) => (
            "no_assists",
            "mark assists are not recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::Live) => (
            "no_live",
            "what of the heap is alive is not recorded from here on".to_owned(),
        ),
    };
    ModeStep {
        at_ns: nanos(step.at),
        mode: mode.to_owned(),
        reason: format!("{why}; {meaning}"),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn unix_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, nanos)
}

/// The clock that the kernel programs read.
pub(super) fn monotonic_ns() -> u64 {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).map_or(0, nanos)
}

/// CPU time of this process so far.
fn agent_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Peak resident memory of this process in bytes.
fn peak_memory() -> Option<u64> {
    let status = procfs::process::Process::myself().ok()?.status().ok()?;
    status.vmhwm.map(|kib| kib * 1024)
}
