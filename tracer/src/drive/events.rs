//! The event loop: signals, time, the ends of targets, and what consumers follow. One for all targets of a driver.

use super::clock;
use super::consumer::{Consumer, Flow, Following, Moment};
use super::course::Course;
use super::exit::Exit;
use super::signals::Signals;
use crate::capture::{Capture, Ended, Now};
use crate::kernel::Attached;
use crate::report::EndedBy;
use nix::sys::signal::Signal;
use std::future::{pending, poll_fn};
use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the end of captures waits for programs that were in the middle of a hit when recording stopped.
const SETTLE: Duration = Duration::from_millis(250);

/// How often it is looked whether they have gone on.
const LOOK: Duration = Duration::from_millis(1);

/// A target on its way.
#[derive(Debug)]
pub(super) struct Driven {
    pub(super) capture: Capture,
    pub(super) exit: Exit,
}

/// Captures that go on, and who is interested.
pub(super) struct Captures<'a, 'c> {
    pub(super) targets: Vec<Driven>,
    /// Probes of captures that have ended.
    pub(super) silent: &'a mut Vec<Attached>,
    pub(super) consumers: &'a mut [&'c mut dyn Consumer],
}

/// What happens.
#[derive(Debug)]
enum Event {
    Signal(Signal),
    /// Of the target at this place.
    Exit(usize),
    Deadline,
    Tick,
    Followed(Flow),
}

impl Captures<'_, '_> {
    /// Follows the captures to their end, and then consumers that linger to theirs.
    pub(super) async fn run(
        mut self,
        course: Course,
        mut signals: Option<&mut Signals>,
    ) -> anyhow::Result<()> {
        for driven in &mut self.targets {
            for consumer in &mut *self.consumers {
                consumer.started(&mut driven.capture)?;
            }
        }
        if course.is_single_look() {
            return self.end_looks();
        }
        let (mut ticks, deadline) = (course.ticks(), course.deadline());
        while !self.targets.is_empty() || self.consumers.iter().any(|consumer| consumer.lingers()) {
            let (targets, consumers) = (&mut self.targets, &mut *self.consumers);
            let are_running = !targets.is_empty();
            let event = tokio::select! {
                biased;
                signal = next(signals.as_deref_mut()) => Event::Signal(signal),
                place = poll_fn(|context| exited(targets, context)) => Event::Exit(place),
                () = sleep_until(deadline), if are_running => Event::Deadline,
                _ = ticks.tick(), if are_running => Event::Tick,
                flow = followed(consumers) => Event::Followed(flow?),
            };
            if !self.handle(event).await? {
                break;
            }
        }
        Ok(())
    }

    /// Whether there is more to come.
    async fn handle(&mut self, event: Event) -> anyhow::Result<bool> {
        let by = match event {
            Event::Exit(place) => {
                let exited = vec![self.targets.swap_remove(place)];
                self.end(exited, EndedBy::TargetExit).await?;
                return Ok(true);
            }
            Event::Tick => match self.tick()? {
                Flow::GoOn => return Ok(true),
                Flow::End(by) => by,
            },
            Event::Signal(signal) => {
                let mut consumers = self.consumers.iter_mut();
                if consumers.any(|consumer| consumer.takes(signal)) {
                    return Ok(true);
                }
                EndedBy::Signal
            }
            Event::Followed(Flow::GoOn) => return Ok(true),
            Event::Followed(Flow::End(by)) => by,
            Event::Deadline => EndedBy::Duration,
        };
        let all = mem::take(&mut self.targets);
        let had_some = !all.is_empty();
        if had_some {
            self.end(all, by).await?;
        }
        Ok(had_some)
    }

    /// An interval is over.
    fn tick(&mut self) -> anyhow::Result<Flow> {
        let mut flow = Flow::GoOn;
        for Driven { capture, .. } in &mut self.targets {
            let now = clock::now();
            capture.tick(now)?;
            let mut moment = Moment::new(capture, now);
            for consumer in &mut *self.consumers {
                let wanted = consumer.moment(&mut moment)?;
                if flow == Flow::GoOn {
                    flow = wanted;
                }
            }
        }
        Ok(flow)
    }

    /// Ends captures together.
    async fn end(&mut self, mut targets: Vec<Driven>, by: EndedBy) -> anyhow::Result<()> {
        self.tell_of_end(by);
        for driven in &mut targets {
            driven.capture.stop()?;
        }
        let now = clock::now();
        let deadline = Instant::now() + SETTLE;
        for driven in &targets {
            while !driven.capture.is_settled()? && Instant::now() < deadline {
                sleep(LOOK).await;
            }
        }
        self.finish(targets, by, |_capture| now)
    }

    /// Ends captures that are over when they begin.
    fn end_looks(&mut self) -> anyhow::Result<()> {
        self.tell_of_end(EndedBy::Duration);
        let all = mem::take(&mut self.targets);
        self.finish(all, EndedBy::Duration, Capture::started)
    }

    fn tell_of_end(&mut self, by: EndedBy) {
        let consumers = self.consumers.iter_mut();
        consumers.for_each(|consumer| consumer.ending(by));
    }

    fn finish(
        &mut self,
        targets: Vec<Driven>,
        by: EndedBy,
        stopped: impl Fn(&Capture) -> Now,
    ) -> anyhow::Result<()> {
        for Driven { capture, .. } in targets {
            let now = stopped(&capture);
            let Ended { report, attached } = capture.finish(now, by)?;
            self.silent.extend(attached);
            for consumer in &mut *self.consumers {
                consumer.ended(&report)?;
            }
        }
        Ok(())
    }
}

/// The next signal; never, if none is watched.
async fn next(signals: Option<&mut Signals>) -> Signal {
    match signals {
        Some(signals) => signals.recv().await,
        None => pending().await,
    }
}

/// Which target has exited.
fn exited(targets: &mut [Driven], context: &mut Context<'_>) -> Poll<usize> {
    let place = targets
        .iter_mut()
        .position(|driven| driven.exit.poll(context).is_ready());
    place.map_or(Poll::Pending, Poll::Ready)
}

/// What a consumer makes of what it follows.
async fn followed(consumers: &mut [&mut dyn Consumer]) -> anyhow::Result<Flow> {
    let mut following: Vec<Following<'_>> = consumers
        .iter_mut()
        .map(|consumer| consumer.follow())
        .collect();
    poll_fn(|context| {
        let mut followed = following.iter_mut();
        let ready = followed.find_map(|future| match future.as_mut().poll(context) {
            Poll::Ready(flow) => Some(flow),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
