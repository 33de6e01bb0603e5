//! Wires the stages of a capture together and owns its course: start, ticks, end. No domain logic.

mod events;
mod heap_counter;
mod live;

pub use events::Event;
pub use live::LiveView;

use crate::aggregate::{Aggregator, CodeFacts, Rounding, Rules, Sums, Totals, TypeFacts};
use crate::collect::{Collector, CollectorDied};
use crate::kernel::{self, Attached, Counters, KernelError, Settings};
use crate::plan::{self, Coverage, PlanError, ProbePlan};
use crate::report::{self, Capture, EndedBy, Overhead, Report, Target, TimelinePoint, Window};
use crate::symbolize::{Symbolizer, Symbols, is_runtime, package};
use crate::target::{GoBinary, LoadBias, Process, RuntimePc, TargetError};
use events::{Events, Watch};
use heap_counter::HeapCounter;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracer_common::counter::Counter;

/// How long the end of a capture waits for programs that were in the middle of a hit when recording stopped.
const SETTLE: Duration = Duration::from_millis(250);

/// What was asked of a capture.
#[derive(Clone, Debug)]
pub struct Request {
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
    /// End after this time; `None` to go on until a signal or the target's exit.
    pub duration: Option<Duration>,
    /// Time between ticks.
    pub interval: Duration,
}

/// What can go wrong in a capture.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant is the stage it comes from, which says what it is"
)]
pub enum SessionError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Collector(#[from] CollectorDied),
    #[error("cannot wait for signals, timers and the end of the target")]
    Events(#[source] io::Error),
    #[error("cannot start the collecting thread")]
    Thread(#[source] io::Error),
}

/// What is known before anything is attached.
#[derive(Debug)]
pub struct Prepared {
    process: Process,
    binary: Arc<GoBinary>,
    bias: LoadBias,
    plan: ProbePlan,
}

/// A running capture.
#[derive(Debug)]
pub struct Session {
    context: Context,
    attached: Attached,
    collector: Collector,
    events: Events,
}

/// The end of a capture: the report is ready, the probes are silent but still attached.
#[derive(Debug)]
pub struct Ended {
    /// What was found.
    pub report: Report,
    /// To be detached when the report has been shown.
    pub attached: Attached,
}

/// What a report needs besides the collected numbers.
#[derive(Debug)]
struct Context {
    prepared: Prepared,
    /// As it was at the start: a process that has exited tells nothing.
    target: Target,
    heap_counter: Option<HeapCounter>,
    symbolizer: Symbolizer,
    symbols: Symbols,
    started: Instant,
    start_unix_ns: u64,
    agent_cpu_at_start: Duration,
    timeline: Vec<TimelinePoint>,
    sums_at_last_tick: Sums,
}

impl Prepared {
    /// Looks at the process and plans its probes. Needs the right to read the process, nothing else.
    ///
    /// # Errors
    /// The process is gone, is no Go program, or cannot be planned for.
    pub fn new(pid: i32) -> Result<Self, SessionError> {
        let process = Process::open(pid)?;
        let binary = Arc::new(process.binary()?);
        let bias = process.load_bias(&binary)?;
        let plan = plan::exact(&binary)?;
        Ok(Prepared {
            process,
            binary,
            bias,
            plan,
        })
    }

    /// The probes that would be attached.
    pub fn plan(&self) -> &ProbePlan {
        &self.plan
    }

    /// The traced process and its binary, for reports.
    pub fn target(&self) -> Target {
        let exe = self
            .process
            .exe_name()
            .map(|name| name.path.display().to_string())
            .unwrap_or_default();
        Target {
            pid: self.process.pid().unsigned_abs(),
            exe,
            build_id: self.binary.build_id().map(str::to_owned),
            go_version: self.binary.go_version().to_string(),
            arch: self.binary.arch().go_name().to_owned(),
            stripped: self.binary.is_stripped(),
            pie: self.binary.is_pie(),
            cgo: self.binary.is_cgo(),
            container: self.process.container_id(),
        }
    }

    /// Attaches the probes and starts to record.
    ///
    /// # Errors
    /// The kernel refuses, or the target exits meanwhile; nothing stays attached then.
    pub fn start(self, request: &Request) -> Result<Session, SessionError> {
        // Before the probes, so that an early Ctrl-C ends the capture in order.
        let watch = Watch::new(&self.process).map_err(SessionError::Events)?;
        let settings = Settings {
            min_size: request.min_size,
            stack_depth: request.stack_depth,
            timestamps: false,
            ring_bytes: request.ring_bytes,
            rings: request.rings,
            verbose: request.verbose,
            tiny: self.plan.tiny,
            mcache0: self
                .plan
                .mcache0
                .map(|address| self.bias.to_runtime(address)),
        };
        let (mut attached, source) = kernel::attach(&self.process, &self.plan, &settings)?;
        let collector =
            Collector::start(source, self.aggregator()).map_err(SessionError::Thread)?;
        attached.start()?;
        let context = Context {
            target: self.target(),
            heap_counter: HeapCounter::start(&self.process, self.bias, self.plan.total_alloc),
            symbolizer: Symbolizer::new(Arc::clone(&self.binary), self.bias),
            symbols: Symbols::default(),
            started: Instant::now(),
            start_unix_ns: unix_ns(),
            agent_cpu_at_start: agent_cpu(),
            timeline: Vec::new(),
            sums_at_last_tick: Sums::default(),
            prepared: self,
        };
        Ok(Session {
            context,
            attached,
            collector,
            events: watch.started(request.duration, request.interval),
        })
    }

    fn aggregator(&self) -> Aggregator {
        let facts = || {
            let binary = Arc::clone(&self.binary);
            Box::new(BinaryFacts {
                binary,
                bias: self.bias,
            })
        };
        let rules = Rules {
            rows: self.plan.rows.iter().map(|row| row.pointers).collect(),
            headers: self.plan.headers,
        };
        Aggregator::new(Rounding::new(rules, facts()), self.plan.yields, facts())
    }
}

impl Session {
    /// The traced process and its binary.
    pub fn target(&self) -> &Target {
        &self.context.target
    }

    /// Number of probes.
    pub fn probes(&self) -> usize {
        self.attached.probes()
    }

    /// Start of recording in nanoseconds of Unix time.
    pub fn start_unix_ns(&self) -> u64 {
        self.context.start_unix_ns
    }

    /// Waits for the next tick or the end. Each tick adds a point to the timeline.
    ///
    /// # Errors
    /// The collecting thread is gone.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        let event = self.events.next().await;
        if event == Event::Tick {
            self.context
                .mark(self.collector.sums().await?, self.context.started.elapsed());
        }
        Ok(event)
    }

    /// A report of what has been found so far.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub async fn report(&mut self) -> Result<Report, SessionError> {
        let totals = self.collector.totals().await?;
        let counters = self.attached.counters()?;
        let duration = self.context.started.elapsed();
        Ok(self
            .context
            .report(&totals, counters, EndedBy::Duration, duration))
    }

    /// Stops recording, takes in what is still on its way, and makes the report. Detaching is left to the caller, who
    /// shows the report first.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's maps cannot be used.
    pub async fn finish(self, ended_by: EndedBy) -> Result<Ended, SessionError> {
        let Session {
            mut context,
            mut attached,
            collector,
            ..
        } = self;
        attached.stop()?;
        let duration = context.started.elapsed();
        let counters = settle(&attached, &collector).await?;
        let totals = collector.finish()?;
        context.mark(totals.sums, duration);
        let report = context.report(&totals, counters, ended_by, duration);
        Ok(Ended { report, attached })
    }
}

/// Waits until every hit has arrived or is counted as lost: a program may have been in the middle of one, on another
/// CPU, when recording was switched off.
async fn settle(attached: &Attached, collector: &Collector) -> Result<Counters, SessionError> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let counters = attached.counters()?;
        let delivered = collector.sums().await?.allocs;
        if counters.get(Counter::Hits) == delivered + counters.lost() || Instant::now() >= deadline
        {
            return Ok(counters);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Context {
    /// Adds a point to the timeline.
    fn mark(&mut self, sums: Sums, since_start: Duration) {
        let interval = sums.since(&self.sums_at_last_tick);
        // What was shown stays shown: bytes may be corrected downwards, an interval is never negative.
        self.sums_at_last_tick = Sums {
            alloc_bytes: sums.alloc_bytes.max(self.sums_at_last_tick.alloc_bytes),
            ..sums
        };
        self.timeline.push(TimelinePoint {
            t_ns: nanos(since_start),
            allocs: interval.allocs,
            alloc_bytes: interval.known_alloc_bytes(),
            rss_bytes: self.prepared.process.rss_bytes(),
        });
    }

    fn report(
        &mut self,
        totals: &Totals,
        counters: Counters,
        ended_by: EndedBy,
        duration: Duration,
    ) -> Report {
        let agent_cpu = agent_cpu().saturating_sub(self.agent_cpu_at_start);
        let overhead = Overhead {
            agent_cpu_pct: (!duration.is_zero())
                .then(|| 100.0 * agent_cpu.as_secs_f64() / duration.as_secs_f64()),
            agent_rss_bytes: peak_memory(),
            ..Overhead::default()
        };
        let pcs = totals.frames.values().map(|frames| &*frames.pcs);
        let types = totals
            .stacks
            .values()
            .flat_map(|stack| stack.types.iter().map(|row| row.type_pointer));
        self.symbols.extend(&mut self.symbolizer, pcs, types);
        report::build(Capture {
            target: self.target.clone(),
            window: Window {
                start_unix_ns: self.start_unix_ns,
                duration_ns: nanos(duration),
                mode: "exact".to_owned(),
                ended_by,
            },
            totals,
            counters,
            probed_share: self.probed_share(totals),
            symbols: &self.symbols,
            timeline: self.timeline.clone(),
            overhead,
        })
    }

    /// How much of what the runtime allocates passes the probes: all of it where the version table knows the binary.
    fn probed_share(&self, totals: &Totals) -> Option<f64> {
        match self.prepared.plan.coverage {
            Coverage::Complete => Some(1.0),
            Coverage::NewerThanTable | Coverage::UnknownFunctions(_) => self
                .heap_counter
                .as_ref()?
                .share_of(totals.sums.known_alloc_bytes()?),
        }
    }
}

/// What aggregation asks of the binary.
struct BinaryFacts {
    binary: Arc<GoBinary>,
    bias: LoadBias,
}

impl TypeFacts for BinaryFacts {
    fn has_pointers(&self, type_pointer: u64) -> Option<bool> {
        let address = self.bias.to_link_time(RuntimePc(type_pointer));
        Some(self.binary.types().read(address).ok()?.pointer_bytes != 0)
    }
}

impl CodeFacts for BinaryFacts {
    fn is_runtime(&self, pc: u64) -> bool {
        let address = self.bias.to_link_time(RuntimePc(pc));
        let function = self.binary.function_at(address);
        function.is_some_and(|function| is_runtime(&package(function.name)))
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
