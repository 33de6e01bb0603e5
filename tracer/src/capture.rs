//! Wires the stages of a capture together and owns its course: start, ticks, end. No domain logic.

mod context;
mod events;
mod feed;
mod gauges;
mod heap;
mod inspect;
mod live;
mod pace;
mod prepared;

pub use events::{Event, Signals};
pub use feed::{Feed, SingleSink};
pub use heap::HeapAsked;
pub use inspect::Inspection;
pub use live::LiveView;
pub use pace::Pace;
pub use prepared::{Prepared, Wanted};

use crate::collect::{Collector, CollectorDied, Tally};
use crate::governor::Governor;
use crate::kernel::{Attached, Counters, KernelError};
use crate::plan::PlanError;
use crate::program::TargetError;
use crate::report::{EndedBy, Report, Target};
use context::Context;
use events::Events;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracer_common::counter::{
    ASSIST_LOSSES, CRASH_LOSSES, Counter, FAULT_LOSSES, GC_LOSSES, HEAP_FREE_LOSSES,
    HEAP_SAMPLE_LOSSES, MAP_GROWTH_LOSSES, MAP_WRITE_LOSSES,
};

/// How long the end of a capture waits for programs that were in the middle of a hit when recording stopped.
const SETTLE: Duration = Duration::from_millis(250);

/// Maps whose length is read from outside at every tick; at the end it is read of all.
const WATCHED_MAPS: usize = 64;

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
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

impl Mode {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Exact => "exact",
            Mode::Auto { .. } => "auto",
            Mode::Sampled => "sampled",
            Mode::Heap => "heap",
        }
    }
}

/// What was asked of a capture.
#[derive(Clone, Debug)]
pub struct Request {
    /// How much is recorded.
    pub mode: Mode,
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
    /// Whether allocations can be had one by one, see [`Session::take_feed`].
    pub singles: bool,
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

/// A running capture.
#[derive(Debug)]
pub struct Session {
    context: Context,
    /// Shared with the governor, which takes probes out and in.
    attached: Arc<Mutex<Attached>>,
    governor: Option<Governor>,
    collector: Collector,
    events: Events,
    feed: Option<Feed>,
}

/// The end of a capture: the report is ready, the probes are silent but still attached.
#[derive(Debug)]
pub struct Ended {
    /// What was found.
    pub report: Report,
    /// To be detached when the report has been shown.
    pub attached: Option<Attached>,
}

impl Session {
    /// The traced process and its binary.
    pub fn target(&self) -> &Target {
        &self.context.target
    }

    /// How much is recorded.
    pub fn mode(&self) -> Mode {
        self.context.mode()
    }

    /// Number of probes.
    pub fn probes(&self) -> usize {
        lock(&self.attached).probes()
    }

    /// Start of recording in nanoseconds of Unix time.
    pub fn start_unix_ns(&self) -> u64 {
        self.context.start_unix_ns
    }

    /// Allocations one by one, once, if that was asked for; the reader needs a thread of its own.
    pub fn take_feed(&mut self) -> Option<Feed> {
        self.feed.take()
    }

    /// Time since recording began.
    pub fn elapsed(&self) -> Duration {
        self.context.started.elapsed()
    }

    /// What the target does now, as of the last tick. Reads the kernel's counters and nothing else.
    pub fn pace(&self) -> Pace {
        let lost = lock(&self.attached).counters().ok();
        Pace {
            lost: lost.map(|counters| counters.lost()),
            ..Pace::of(self.context.timeline())
        }
    }

    /// Waits for the next tick or the end. Each tick adds a point to the timeline.
    ///
    /// # Errors
    /// The collecting thread is gone.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        let event = self.events.next().await;
        if event == Event::Tick {
            let tally = self.collector.tally().await?;
            let has_faults = lock(&self.attached).has_faults();
            let since_start = self.context.started.elapsed();
            self.context.follow_heap();
            let gauges = self.context.read_gauges();
            self.context.mark(tally, has_faults, since_start, gauges);
            look_at_maps(&self.collector, &self.context, Some(WATCHED_MAPS)).await?;
            if tally.unplaced_faults {
                self.collector.set_mapped(self.context.mapped())?;
            }
        }
        Ok(event)
    }

    /// A report of what has been found so far.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub async fn report(&mut self) -> Result<Report, SessionError> {
        let totals = self.collector.totals().await?;
        let counters = lock(&self.attached).counters()?;
        let duration = self.context.started.elapsed();
        if let Some(governor) = &self.governor
            && let Some(so_far) = governor.so_far().await
        {
            self.context.govern(so_far);
        }
        Ok(self
            .context
            .report(&totals, &counters, EndedBy::Duration, duration))
    }

    /// Stops recording, takes in what is still on its way, and makes the report. Detaching is left to the caller, who
    /// shows the report first.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's maps cannot be used.
    pub async fn finish(self, ended_by: EndedBy) -> Result<Ended, SessionError> {
        let Session {
            mut context,
            attached,
            governor,
            collector,
            ..
        } = self;
        // The governor, too, stops recording when it ends.
        let has_faults = lock(&attached).has_faults();
        let governed = governor.map(Governor::finish).transpose()?.flatten();
        lock(&attached).stop()?;
        let duration = context.started.elapsed();
        let gauges = context.read_gauges();
        context.finish_heap();
        let counters = settle(&attached, &collector).await?;
        look_at_maps(&collector, &context, None).await?;
        collector.set_mapped(context.mapped())?;
        let end = governed.unwrap_or_default();
        let remote = collector.remote();
        end.weights.iter().for_each(|weight| remote.weigh(*weight));
        let totals = collector.finish()?;
        context.mark(Tally::of(&totals), has_faults, duration, gauges);
        context.govern(end);
        let report = context.report(&totals, &counters, ended_by, duration);
        // The governor's thread, the only other owner, has ended.
        let attached = Arc::into_inner(attached).map(|attached| {
            attached
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
        });
        Ok(Ended { report, attached })
    }
}

/// A panic of another thread leaves the probes as they are.
fn lock(attached: &Mutex<Attached>) -> std::sync::MutexGuard<'_, Attached> {
    attached.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the length of the largest maps out of the target; of all, if nothing is recorded any more.
async fn look_at_maps(
    collector: &Collector,
    context: &Context,
    limit: Option<usize>,
) -> Result<(), SessionError> {
    let watched = collector.watched(limit.unwrap_or(usize::MAX)).await?;
    if !watched.is_empty() {
        collector.look(context.look(&watched, limit.is_none()))?;
    }
    Ok(())
}

/// Whether every record of each kind has arrived or is counted as lost.
fn has_everything(tally: &Tally, counters: &Counters) -> bool {
    let sum = |causes: &[Counter]| causes.iter().map(|cause| counters.get(*cause)).sum();
    let families: [(u64, u64, u64); 12] = [
        (counters.expected(), tally.delivered, counters.lost()),
        (
            counters.get(Counter::Resumes),
            tally.resumes,
            sum(&[Counter::ResumeRingFull]),
        ),
        (
            counters.get(Counter::StackDefinitions),
            tally.definitions,
            sum(&[Counter::StackRingFull]),
        ),
        (
            counters.get(Counter::MapWrites),
            tally.map_writes,
            sum(&MAP_WRITE_LOSSES),
        ),
        (
            counters.get(Counter::MapGrowths),
            tally.map_growths,
            sum(&MAP_GROWTH_LOSSES),
        ),
        (
            counters.get(Counter::Crashes),
            tally.crashes,
            sum(&CRASH_LOSSES),
        ),
        (
            counters.get(Counter::Faults),
            tally.faults,
            sum(&FAULT_LOSSES),
        ),
        (
            counters.get(Counter::GcEvents),
            tally.gc_events,
            sum(&GC_LOSSES),
        ),
        (
            counters.get(Counter::Assists),
            tally.assists,
            sum(&ASSIST_LOSSES),
        ),
        (
            counters.get(Counter::HeapSamples),
            tally.heap_samples,
            sum(&HEAP_SAMPLE_LOSSES),
        ),
        (
            counters.get(Counter::HeapFrees),
            tally.heap_frees,
            sum(&HEAP_FREE_LOSSES),
        ),
        (
            counters.get(Counter::LabelSets),
            tally.label_sets,
            sum(&[Counter::LabelSetsRingFull]),
        ),
    ];
    families
        .iter()
        .all(|(sent, arrived, lost)| *sent == arrived + lost)
}

/// Waits until every hit has arrived or is counted as lost: a program may have been in the middle of one, on another
/// CPU, when recording was switched off.
async fn settle(
    attached: &Mutex<Attached>,
    collector: &Collector,
) -> Result<Counters, SessionError> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let counters = lock(attached).counters()?;
        let tally = collector.tally().await?;
        if has_everything(&tally, &counters) || Instant::now() >= deadline {
            return Ok(counters);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
