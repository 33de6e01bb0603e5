//! A running capture of one target. Driven: it is told the time at each tick, and waits for nothing but answers of its own
//! threads.
//!
//! [`Ready::start`](super::Ready::start) makes it. A driver calls [`Capture::tick`] again and again, [`Capture::report`]
//! when somebody wants to see, and at the end [`Capture::stop`] and [`Capture::finish`].

use super::error::CaptureError;
use super::feed::Feed;
use super::heap::HeapWatch;
use super::names::Names;
use super::now::{Now, nanos};
use super::overhead::Spent;
use super::prepared::Prepared;
use super::readings::{Readings, agent_peak_memory, mapped};
use super::recording::{Recorded, Recording};
use super::request::ModeAsked;
use super::steps::mode_step;
use super::timeline::{Mark, Timeline};
use crate::aggregate::{Changes, Counters, Totals};
use crate::collect::Tally;
use crate::governor::End;
use crate::kernel::{Attached, HitCost};
use crate::live::{Detail, Pace, Places};
use crate::plan::{Coverage, HeapProbes};
use crate::report::{self, EndedBy, HeapFacts, Report, State, Target, Window};
use crate::symbolize::Symbolizer;
use std::time::Duration;
use tracer_common::family::{Extra, Family};

/// Maps whose length is read from outside at every tick; at the end it is read of all.
const WATCHED_MAPS: usize = 64;

/// One target that is recorded, or looked at.
#[derive(Debug)]
pub struct Capture {
    prepared: Prepared,
    mode: ModeAsked,
    /// `None` if the target is only looked at.
    recording: Option<Recording>,
    hit_cost: Option<HitCost>,
    feed: Option<Feed>,
    started: Now,
    /// As it was at the start: a process that has exited tells nothing.
    target: Target,
    readings: Readings,
    heap_watch: HeapWatch,
    names: Names,
    timeline: Timeline,
    /// What the governor has done; nothing while it was not asked.
    governed: End,
    /// Followed once somebody has asked for it.
    places: Option<Places>,
}

/// The end of a capture: the report is ready, the probes are silent but still attached.
#[derive(Debug)]
pub struct Ended {
    /// What was found.
    pub report: Report,
    /// To be detached when the report has been shown.
    pub attached: Option<Attached>,
}

impl Capture {
    /// A capture that records since `now`.
    pub(super) fn new(
        prepared: Prepared,
        mode: ModeAsked,
        recording: Option<Recording>,
        feed: Option<Feed>,
        symbolizer: Symbolizer,
        now: Now,
    ) -> Self {
        Capture {
            readings: Readings::start(&prepared),
            heap_watch: HeapWatch::start(&prepared, now),
            target: prepared.target(),
            names: Names::new(symbolizer),
            timeline: Timeline::new(prepared.allocations),
            governed: End::default(),
            places: None,
            hit_cost: recording.as_ref().and_then(Recording::hit_cost),
            started: now,
            prepared,
            mode,
            recording,
            feed,
        }
    }

    /// The traced process and its binary.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How much is recorded.
    pub fn mode(&self) -> ModeAsked {
        self.mode
    }

    /// Number of probes.
    pub fn probes(&self) -> usize {
        self.recording.as_ref().map_or(0, Recording::probes)
    }

    /// When recording began.
    pub fn started(&self) -> Now {
        self.started
    }

    /// Allocations one by one, once, if that was asked for; the reader needs a thread of its own.
    pub fn take_feed(&mut self) -> Option<Feed> {
        self.feed.take()
    }

    /// Why the runtime's own heap profile says nothing; `None` if it does.
    pub fn heap_unavailable(&self) -> Option<&str> {
        if self.heap_watch.was_read() {
            return None;
        }
        let reason = self.prepared.heap.reason.as_deref();
        Some(reason.unwrap_or("its heap profile could not be read"))
    }

    /// What the target does now, as of the last tick. Reads the kernel's counters and nothing else.
    pub fn pace(&self) -> Pace {
        let counters = self.recording.as_ref().map(Recording::counters);
        let counters = counters.and_then(Result::ok);
        Pace {
            lost: counters.map(|counters| counters.lost(Family::Alloc)),
            ..Pace::of(self.timeline.points())
        }
    }

    /// An interval is over: reads what the target shows of itself, and adds a point to the timeline.
    ///
    /// # Errors
    /// The collecting thread is gone.
    pub fn tick(&mut self, now: Now) -> Result<(), CaptureError> {
        let (tally, has_faults) = match &self.recording {
            Some(recording) => (recording.tally()?, recording.has_faults()),
            None => (Tally::default(), false),
        };
        self.mark(now, tally, has_faults);
        self.look_at_maps(now, Some(WATCHED_MAPS))?;
        if let Some(recording) = self.recording.as_ref().filter(|_| tally.unplaced_faults) {
            recording.set_mapped(mapped(&self.prepared))?;
        }
        // Last, because it may take a while.
        self.heap_watch.follow(now);
        Ok(())
    }

    /// A report of what has been found so far.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub fn report(&mut self, now: Now) -> Result<Report, CaptureError> {
        let (totals, counters) = match &self.recording {
            Some(recording) => (recording.totals()?, recording.counters()?),
            None => (Totals::default(), Counters::default()),
        };
        Ok(self.so_far(now, &totals, &counters))
    }

    /// The same by places, without callers: in a time that goes by what has changed since the last one and by the number of
    /// places, however many stacks there are. The first one says how much is kept of each stack, for all.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub fn by_place(&mut self, now: Now, detail: Detail) -> Result<Report, CaptureError> {
        let (changes, counters) = match &self.recording {
            Some(recording) => (recording.changes()?, recording.counters()?),
            None => (Changes::default(), Counters::default()),
        };
        let mut places = self.places.take().unwrap_or_else(|| Places::new(detail));
        places.take(changes, |pcs| self.names.frames_to_place(pcs));
        let report = self.so_far(now, places.totals(), &counters);
        self.places = Some(places);
        Ok(report)
    }

    fn so_far(&mut self, now: Now, totals: &Totals, counters: &Counters) -> Report {
        if let Some(so_far) = self.recording.as_ref().and_then(Recording::governed) {
            self.governed = so_far;
        }
        let duration = now.since(self.started);
        self.build(totals, counters, State::Running, duration)
    }

    /// Stops recording. What was recorded may still be on its way: see [`Capture::is_settled`].
    ///
    /// # Errors
    /// The kernel's maps cannot be used.
    pub fn stop(&mut self) -> Result<(), CaptureError> {
        self.recording.as_mut().map_or(Ok(()), Recording::stop)
    }

    /// Whether all that was recorded has arrived. Whoever waits for it needs a limit: a program that was interrupted in the
    /// middle of a hit may go on much later.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub fn is_settled(&self) -> Result<bool, CaptureError> {
        self.recording
            .as_ref()
            .map_or(Ok(true), Recording::is_settled)
    }

    /// Takes in what is left and makes the report of a capture that was stopped at `now`. Detaching is left to the caller,
    /// who shows the report first.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's maps cannot be used.
    pub fn finish(mut self, now: Now, ended_by: EndedBy) -> Result<Ended, CaptureError> {
        self.places = None;
        let duration = now.since(self.started);
        if !duration.is_zero() {
            self.heap_watch.finish(now);
        }
        self.look_at_maps(now, None)?;
        let recorded = match self.recording.take() {
            Some(recording) => {
                recording.set_mapped(mapped(&self.prepared))?;
                recording.finish()?
            }
            None => Recorded::default(),
        };
        self.governed = recorded.governed.unwrap_or_default();
        self.mark(now, Tally::of(&recorded.totals), recorded.had_faults);
        Ok(Ended {
            report: self.build(
                &recorded.totals,
                &recorded.counters,
                State::Ended(ended_by),
                duration,
            ),
            attached: recorded.attached,
        })
    }

    /// Reads the length of the largest maps out of the target; of all, if nothing is recorded any more.
    fn look_at_maps(&self, now: Now, limit: Option<usize>) -> Result<(), CaptureError> {
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        let watched = recording.watched(limit.unwrap_or(usize::MAX))?;
        if !watched.is_empty() {
            recording.look(self.readings.look(&watched, now, limit.is_none()))?;
        }
        Ok(())
    }

    fn mark(&mut self, now: Now, tally: Tally, has_faults: bool) {
        let gauges = self.readings.gauges(&self.prepared);
        // Kept for when the target has exited.
        self.readings.target_cpu();
        self.timeline.mark(Mark {
            at: now.since(self.started),
            tally,
            has_faults,
            counted: self.readings.counted(),
            gauges,
        });
    }

    fn build(
        &mut self,
        totals: &Totals,
        counters: &Counters,
        state: State,
        duration: Duration,
    ) -> Report {
        let overhead = Spent {
            duration,
            counters,
            hit_cost: self.hit_cost,
            uncounted: self.governed.uncounted,
            by_target: self.readings.target_cpu(),
            by_agent: self.readings.agent_cpu(),
            agent_rss_bytes: agent_peak_memory(),
        }
        .overhead();
        let probed_share = self.probed_share(totals);
        let Prepared {
            plan,
            heap: outlook,
            allocations,
            ..
        } = &self.prepared;
        let history = self.heap_watch.history();
        let mut heap = self
            .heap_watch
            .hindsight(outlook, totals.arrived[Family::HeapSample]);
        if self.governed.has_given_up(Extra::Live) {
            heap = heap.given_up();
        }
        let steps = self.governed.steps.iter();
        report::build(report::Capture {
            target: self.target.clone(),
            window: Window {
                start_unix_ns: self.started.unix_ns(),
                duration_ns: nanos(duration),
                mode: self.mode.of_report(),
                mode_steps: steps.map(|step| mode_step(step, plan)).collect(),
                state,
            },
            totals,
            counters,
            probed_share,
            unseen: self.governed.unseen,
            map_plan: &plan.maps,
            faults: plan.faults,
            gc_plan: plan.gc.as_ref(),
            heap: HeapFacts {
                history: history.filter(|_| heap.was_on),
                scale_rate: heap.scale_rate,
                probes: heap.probes,
                profiler: heap.profiler,
                reason: heap.reason,
                allocations: *allocations,
            },
            memory: self.readings.resident(),
            start_monotonic_ns: self.started.monotonic_ns(),
            symbols: self.names.of(totals, history),
            timeline: self.timeline.points().to_vec(),
            overhead,
        })
    }

    /// How much of what the runtime allocates passes the probes: all of it where the version table knows the binary.
    fn probed_share(&self, totals: &Totals) -> Option<f64> {
        let Prepared {
            plan,
            heap,
            allocations,
            ..
        } = &self.prepared;
        if !allocations {
            // What spans hold when a cycle of the collector starts is given back without a refill.
            let is_of_spans = heap.probes == HeapProbes::Spans;
            return is_of_spans
                .then(|| self.readings.share_of_counted(totals.heap.bytes()))
                .flatten();
        }
        match plan.coverage {
            Coverage::Complete if !self.governed.unseen => Some(1.0),
            _ => self
                .readings
                .share_of_counted(totals.sums.known_alloc_bytes()?),
        }
    }
}
