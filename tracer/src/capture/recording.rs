//! The probes of one target with those who work for them: the collecting thread, which takes records in, and the governor,
//! which takes probes out and in again.
//!
//! Hides locks and threads. Nothing here waits for time: whoever drives the capture says when.

use super::error::CaptureError;
use super::facts;
use super::host::Host;
use super::prepared::Prepared;
use super::readings::mapped;
use super::request::{ModeAsked, Request};
use crate::aggregate::{Changes, Counters, Look, Totals, Watched};
use crate::collect::{Collector, Spout, Tally, tap};
use crate::governor::{End, Governor, Terms};
use crate::kernel::{self, Anchors, Attached, HitCost, Settings};
use crate::program::{HeapCounter, Mapped};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Probes, attached.
#[derive(Debug)]
pub(super) struct Recording {
    /// Shared with the governor.
    attached: Arc<Mutex<Attached>>,
    governor: Option<Governor>,
    collector: Collector,
    hit_cost: Option<HitCost>,
    /// What the governor had done when it ended.
    governed: Option<End>,
    /// Whether page faults were recorded when recording stopped.
    had_faults: bool,
}

/// What is left of a recording.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) totals: Totals,
    pub(super) counters: Counters,
    /// Whether page faults were recorded until the end.
    pub(super) had_faults: bool,
    /// What the governor did; nothing if there was none.
    pub(super) governed: Option<End>,
    /// To be detached when the report has been shown.
    pub(super) attached: Option<Attached>,
}

impl Recording {
    /// Attaches the probes of the plan, which is told what the host does not allow. Nothing is recorded yet. Single
    /// allocations come out of the spout, if they are asked for.
    pub(super) fn attach(
        prepared: &mut Prepared,
        request: &Request,
        host: &mut Host,
    ) -> Result<(Self, Option<Spout>), CaptureError> {
        let anchors = Anchors::of(
            &prepared.process,
            &prepared.binary,
            prepared.bias,
            &prepared.plan,
        );
        let settings = Settings {
            min_size: request.min_size,
            stack_depth: request.stack_depth,
            timestamps: request.singles,
            ring_bytes: request.ring_bytes,
            rings: request.rings,
            verbose: request.verbose,
            anchors,
        };
        let known = host.hit_cost(&settings);
        let (attached, source) =
            kernel::attach(&prepared.process, &prepared.plan, &settings, known)?;
        host.keep_hit_cost(&settings, attached.hit_cost());
        prepared.plan.faults &= attached.has_faults();
        let (tap, spout) = request.singles.then(tap).unzip();
        let aggregator = facts::aggregator(prepared);
        let collector = host.collecting.add(source, aggregator, tap)?;
        if prepared.plan.faults {
            collector.set_mapped(mapped(prepared))?;
        }
        let recording = Recording {
            hit_cost: attached.hit_cost(),
            attached: Arc::new(Mutex::new(attached)),
            governor: None,
            collector,
            governed: None,
            had_faults: false,
        };
        Ok((recording, spout))
    }

    /// Begins to record, and to govern if `mode` has a budget.
    pub(super) fn start(
        &mut self,
        prepared: &Prepared,
        mode: ModeAsked,
    ) -> Result<(), CaptureError> {
        self.attached().start()?;
        if let ModeAsked::Auto { max_overhead } = mode {
            self.governor = self.govern(prepared, max_overhead)?;
        }
        Ok(())
    }

    /// Whether somebody keeps the budget.
    pub(super) fn is_governed(&self) -> bool {
        self.governor.is_some()
    }

    /// The governor; none if it cannot see what it needs, which is the case if the target is gone.
    fn govern(
        &self,
        prepared: &Prepared,
        max_overhead: f64,
    ) -> Result<Option<Governor>, CaptureError> {
        let Prepared {
            process,
            bias,
            plan,
            ..
        } = prepared;
        let heap = HeapCounter::start(process, *bias, plan.total_alloc);
        let (Some(hit_cost), Some(heap)) = (self.hit_cost, heap) else {
            log::warn!("cannot keep a budget here: tracing is exact, whatever it costs");
            return Ok(None);
        };
        let rows = plan.rows.iter();
        let terms = Terms {
            max_overhead,
            hit_cost,
            heap,
            probed: rows.map(|row| bias.to_runtime(row.site.address)).collect(),
            extras: prepared.plan.extras().collect(),
        };
        let attached = Arc::clone(&self.attached);
        Governor::start(process, attached, self.collector.remote(), terms)
            .map_err(CaptureError::Thread)
    }

    /// What a hit costs here; `None` if it could not be measured.
    pub(super) fn hit_cost(&self) -> Option<HitCost> {
        self.hit_cost
    }

    /// Number of probes.
    pub(super) fn probes(&self) -> usize {
        self.attached().probes()
    }

    /// Whether page faults are recorded now.
    pub(super) fn has_faults(&self) -> bool {
        self.attached().has_faults()
    }

    /// What the kernel half has counted.
    pub(super) fn counters(&self) -> Result<Counters, CaptureError> {
        Ok(self.attached().counters()?)
    }

    /// How much has arrived.
    pub(super) fn tally(&self) -> Result<Tally, CaptureError> {
        Ok(self.collector.tally()?)
    }

    /// A copy of all that has arrived.
    pub(super) fn totals(&self) -> Result<Totals, CaptureError> {
        Ok(self.collector.totals()?)
    }

    /// What happened since this was asked for last.
    pub(super) fn changes(&self) -> Result<Changes, CaptureError> {
        Ok(self.collector.changes()?)
    }

    /// What the governor has done so far; `None` if there is none, or the target is gone.
    pub(super) fn governed(&self) -> Option<End> {
        self.governor.as_ref()?.so_far()
    }

    /// The maps with most entries, at most `limit`: their headers are worth a look.
    pub(super) fn watched(&self, limit: usize) -> Result<Vec<Watched>, CaptureError> {
        Ok(self.collector.watched(limit)?)
    }

    /// Hands over what their headers say.
    pub(super) fn look(&self, looks: Vec<Look>) -> Result<(), CaptureError> {
        Ok(self.collector.look(looks)?)
    }

    /// Hands over what the target's addresses are mapped to.
    pub(super) fn set_mapped(&self, mapped: Vec<Mapped>) -> Result<(), CaptureError> {
        Ok(self.collector.set_mapped(mapped)?)
    }

    /// Stops recording. What was recorded may still be on its way.
    pub(super) fn stop(&mut self) -> Result<(), CaptureError> {
        self.had_faults = self.has_faults();
        // The governor, too, stops recording when it ends.
        let governed = self.governor.take().map(Governor::finish).transpose()?;
        self.governed = governed.flatten();
        Ok(self.attached().stop()?)
    }

    /// Whether every hit has arrived or is counted as lost: a program may have been in the middle of one, on another CPU,
    /// when recording was switched off.
    pub(super) fn is_settled(&self) -> Result<bool, CaptureError> {
        Ok(self.counters()?.are_settled(&self.tally()?.arrived))
    }

    /// Takes in the rest.
    pub(super) fn finish(self) -> Result<Recorded, CaptureError> {
        let Recording {
            attached,
            collector,
            governed,
            had_faults,
            ..
        } = self;
        let counters = lock(&attached).counters()?;
        let remote = collector.remote();
        let weights = governed.iter().flat_map(|end| &end.weights);
        weights.for_each(|weight| remote.weigh(*weight));
        let totals = collector.finish()?;
        // The governor's thread, the only other owner, has ended.
        let attached = Arc::into_inner(attached).map(|attached| {
            let inner = attached.into_inner();
            inner.unwrap_or_else(PoisonError::into_inner)
        });
        Ok(Recorded {
            totals,
            counters,
            had_faults,
            governed,
            attached,
        })
    }

    fn attached(&self) -> MutexGuard<'_, Attached> {
        lock(&self.attached)
    }
}

/// A panic of another thread leaves the probes as they are.
fn lock(attached: &Mutex<Attached>) -> MutexGuard<'_, Attached> {
    attached.lock().unwrap_or_else(PoisonError::into_inner)
}
