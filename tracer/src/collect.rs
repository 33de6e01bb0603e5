//! The thread that takes records off the stream, so that nothing else can make the ring overflow.
//!
//! It drains, decodes and aggregates, and answers questions in between; it shares no lock with anybody.

mod tap;

pub use tap::{Batch, Missed, Single, Spout, Tap, tap};

use crate::aggregate::{Aggregator, Look, Sums, Totals, Watched, Weight};
use crate::decode::decode;
use crate::program::Mapped;
use crate::stream::Source;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracer_common::family::PerFamily;

/// How long the thread rests when the ring is empty. At two million events a second the default ring lasts 170 ms.
const REST: Duration = Duration::from_millis(5);

/// Handle of the collecting thread. Dropping it ends the thread.
#[derive(Debug)]
pub struct Collector {
    questions: Sender<Question>,
    thread: JoinHandle<Totals>,
}

/// The collecting thread is gone: it panicked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the collecting thread ended before the capture: this is a bug in tracer")]
pub struct CollectorDied;

enum Question {
    Tally(SyncSender<Tally>),
    Totals(SyncSender<Box<Totals>>),
    Weigh(Weight),
    SetExact(bool),
    SetWindows,
    Watched(usize, SyncSender<Vec<Watched>>),
    Look(Vec<Look>),
    Mapped(Vec<Mapped>),
    Finish,
}

/// How far the collector has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sums over all allocations, those in windows whose weight is not known yet excepted.
    pub sums: Sums,
    /// Records that arrived.
    pub arrived: PerFamily<u64>,
    /// Whether page faults wait to be placed by the target's mappings.
    pub unplaced_faults: bool,
    /// Whether some allocations are recorded in windows only, or have been.
    pub windows: bool,
}

impl Tally {
    /// How far these totals have come.
    pub fn of(totals: &Totals) -> Self {
        Tally {
            sums: totals.sums,
            arrived: totals.arrived,
            unplaced_faults: totals.faults.has_waiting(),
            windows: totals.windows,
        }
    }
}

/// Tells the collecting thread how to count, from another thread. Messages to a thread that has ended are lost.
#[derive(Clone, Debug)]
pub struct Remote(Sender<Question>);

impl Remote {
    /// See [`Aggregator::weigh`].
    pub fn weigh(&self, weight: Weight) {
        drop(self.0.send(Question::Weigh(weight)));
    }

    /// See [`Aggregator::set_exact`].
    pub fn set_exact(&self, exact: bool) {
        drop(self.0.send(Question::SetExact(exact)));
    }

    /// See [`Aggregator::set_windows`].
    pub fn set_windows(&self) {
        drop(self.0.send(Question::SetWindows));
    }
}

impl Collector {
    /// Starts to collect from `source`; `tap` gets a copy of each allocation.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        source: impl Source + 'static,
        aggregator: Aggregator,
        tap: Option<Tap>,
    ) -> io::Result<Self> {
        let (questions, inbox) = mpsc::channel();
        let mut intake = Intake { source, tap };
        let thread = thread::Builder::new()
            .name("collect".to_owned())
            .spawn(move || collect(&mut intake, aggregator, &inbox))?;
        Ok(Collector { questions, thread })
    }

    /// The sums so far, cheap.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn tally(&self) -> Result<Tally, CollectorDied> {
        self.ask(Question::Tally)
    }

    /// A way to steer it from another thread.
    pub fn remote(&self) -> Remote {
        Remote(self.questions.clone())
    }

    /// A copy of the totals so far.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn totals(&self) -> Result<Totals, CollectorDied> {
        self.ask(Question::Totals).map(|totals| *totals)
    }

    /// The maps with most entries, to be looked at from outside; at most `limit`.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn watched(&self, limit: usize) -> Result<Vec<Watched>, CollectorDied> {
        self.ask(|reply| Question::Watched(limit, reply))
    }

    /// Hands over what was read of maps from outside.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn look(&self, looks: Vec<Look>) -> Result<(), CollectorDied> {
        let sent = self.questions.send(Question::Look(looks));
        sent.map_err(|_closed| CollectorDied)
    }

    /// Hands over what the target's addresses are mapped to, in ascending order.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn set_mapped(&self, mapped: Vec<Mapped>) -> Result<(), CollectorDied> {
        let sent = self.questions.send(Question::Mapped(mapped));
        sent.map_err(|_closed| CollectorDied)
    }

    /// Takes what is left on the stream and ends.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn finish(self) -> Result<Totals, CollectorDied> {
        // If nobody listens any more, the join tells why.
        if self.questions.send(Question::Finish).is_err() {
            log::debug!("the collecting thread has ended already");
        }
        self.thread.join().map_err(|_panic| CollectorDied)
    }

    fn ask<T>(&self, question: impl FnOnce(SyncSender<T>) -> Question) -> Result<T, CollectorDied> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.questions
            .send(question(reply))
            .map_err(|_closed| CollectorDied)?;
        answer.recv().map_err(|_closed| CollectorDied)
    }
}

fn collect(
    intake: &mut Intake<impl Source>,
    mut aggregator: Aggregator,
    inbox: &Receiver<Question>,
) -> Totals {
    loop {
        let drained = intake.drain(&mut aggregator);
        let question = if drained > 0 {
            inbox
                .try_recv()
                .map_err(|error| error == TryRecvError::Disconnected)
        } else {
            inbox
                .recv_timeout(REST)
                .map_err(|error| error == RecvTimeoutError::Disconnected)
        };
        match question {
            Ok(Question::Tally(reply)) => answer(reply, Tally::of(aggregator.totals())),
            Ok(Question::Totals(reply)) => answer(reply, Box::new(aggregator.totals().clone())),
            Ok(Question::Weigh(weight)) => {
                intake.drain_all(&mut aggregator);
                aggregator.weigh(&weight);
            }
            Ok(Question::SetExact(exact)) => aggregator.set_exact(exact),
            Ok(Question::SetWindows) => aggregator.set_windows(),
            Ok(Question::Watched(limit, reply)) => answer(reply, aggregator.watched(limit)),
            Ok(Question::Look(looks)) => looks.iter().for_each(|look| aggregator.look(look)),
            Ok(Question::Mapped(mapped)) => aggregator.set_mapped(mapped),
            Ok(Question::Finish) | Err(true) => break,
            Err(false) => {}
        }
    }
    intake.drain_all(&mut aggregator);
    aggregator.into_totals()
}

/// What the thread takes records from, and who gets copies.
struct Intake<S> {
    source: S,
    tap: Option<Tap>,
}

impl<S: Source> Intake<S> {
    fn drain_all(&mut self, aggregator: &mut Aggregator) {
        while self.drain(aggregator) > 0 {}
    }

    fn drain(&mut self, aggregator: &mut Aggregator) -> usize {
        let Some(tap) = &mut self.tap else {
            return self
                .source
                .drain(&mut |record| aggregator.apply(decode(record)));
        };
        let drained = self.source.drain(&mut |record| {
            let record = decode(record);
            aggregator.apply(record);
            tap.copy(&record, aggregator);
        });
        tap.flush();
        drained
    }
}

/// The asker may have stopped waiting, which is its right.
fn answer<T>(reply: SyncSender<T>, value: T) {
    drop(reply.send(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::encoded;
    use crate::stream::Replay;
    use tracer_common::family::Family;

    fn started(records: Vec<Vec<u8>>) -> Collector {
        Collector::start(Replay::new(records), Aggregator::for_tests(), None).unwrap()
    }

    #[test]
    fn finish_takes_everything_that_is_left() {
        let collector = started(
            (0..1000)
                .map(|stack| encoded::alloc(0, stack, 8, 0))
                .collect(),
        );
        assert_eq!(collector.finish().unwrap().sums.allocs, 1000);
    }

    #[test]
    fn totals_can_be_asked_for_while_it_runs() {
        let collector = started(vec![encoded::stack(1, &[7]), encoded::alloc(0, 1, 8, 0)]);
        while collector.tally().unwrap().arrived[Family::Alloc] == 0 {}
        let totals = collector.totals().unwrap();
        assert_eq!((totals.stacks.len(), totals.frames.len()), (1, 1));
        assert_eq!(collector.finish().unwrap().sums, totals.sums);
    }
}
