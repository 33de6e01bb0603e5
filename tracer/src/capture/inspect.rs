//! A look at a process without any probe: what its runtime knows of its heap, once or for a while.

use super::context::Context;
use super::events::{Events, Watch};
use super::heap::require_memory;
use super::{Event, Mode, Prepared, SessionError, Wanted};
use crate::aggregate::Totals;
use crate::collect::Tally;
use crate::kernel::Counters;
use crate::report::{EndedBy, Report, Target};
use std::time::Duration;

/// A look that is under way.
#[derive(Debug)]
pub struct Inspection {
    context: Context,
    /// `None` for a single look.
    events: Option<Events>,
}

impl Inspection {
    /// Looks at a process for the first time. With a `duration` the look goes on for so long, with a point of the course
    /// each `interval`.
    ///
    /// # Errors
    /// The process is gone, is no Go program of a supported version, or its memory may not be read.
    pub fn start(
        pid: i32,
        duration: Option<Duration>,
        interval: Duration,
    ) -> Result<Self, SessionError> {
        let prepared = Prepared::new(pid, Wanted::NOTHING)?;
        require_memory(&prepared.process, &prepared.binary, prepared.bias)?;
        let watch = duration.map(|_| Watch::new(&prepared.process)).transpose();
        let watch = watch.map_err(SessionError::Events)?;
        Ok(Inspection {
            context: Context::new(prepared, Mode::Heap, None),
            events: watch.map(|watch| watch.started(duration, interval)),
        })
    }

    /// The process and its binary.
    pub fn target(&self) -> &Target {
        &self.context.target
    }

    /// Why nothing is known of its heap; `None` if something is.
    pub fn unavailable(&self) -> Option<&str> {
        self.context.heap_unavailable()
    }

    /// Looks until the time is over, a signal comes or the process exits, and makes the report.
    ///
    /// # Errors
    /// Signals or timers cannot be waited for.
    pub async fn finish(mut self) -> Result<Report, SessionError> {
        let (ended_by, duration) = match self.events.take() {
            Some(events) => {
                let ended_by = self.watch(events).await;
                self.context.finish_heap();
                (ended_by, self.context.started.elapsed())
            }
            None => (EndedBy::Duration, Duration::ZERO),
        };
        self.mark(duration);
        let (totals, counters) = (Totals::default(), Counters::default());
        Ok(self.context.report(&totals, &counters, ended_by, duration))
    }

    async fn watch(&mut self, mut events: Events) -> EndedBy {
        loop {
            match events.next().await {
                Event::Tick => {
                    self.context.follow_heap();
                    self.mark(self.context.started.elapsed());
                }
                Event::Signal(_) => return EndedBy::Signal,
                Event::End(by) => return by,
            }
        }
    }

    fn mark(&mut self, since_start: Duration) {
        let gauges = self.context.read_gauges();
        self.context
            .mark(Tally::default(), false, since_start, gauges);
    }
}
