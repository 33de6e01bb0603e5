//! The thread that takes records off the streams, so that nothing else can make a ring overflow: one for all captures.
//!
//! It drains, decodes and aggregates, each stream into totals of its own, and answers questions in between; it shares no
//! lock with anybody.

mod tap;

pub use tap::{Batch, Missed, Single, Spout, Tap, tap};

use crate::aggregate::{Aggregator, Changes, Look, Sums, Totals, Watched, Weight};
use crate::decode::decode;
use crate::program::Mapped;
use crate::stream::Source;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError};
use std::thread;
use std::time::Duration;
use tracer_common::family::PerFamily;

/// How long the thread rests when the ring is empty. At two million events a second the default ring lasts 170 ms.
const REST: Duration = Duration::from_millis(5);

/// The collecting thread. It ends when this and every [`Collector`] are gone.
#[derive(Clone, Debug)]
pub struct Collecting {
    messages: Sender<Message>,
    next: Arc<AtomicU64>,
}

/// Collects from one stream. Dropping it ends that.
#[derive(Debug)]
pub struct Collector(Remote);

/// The collecting thread is gone: it panicked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the collecting thread ended before the capture: this is a bug in tracer")]
pub struct CollectorDied;

enum Message {
    /// Another stream.
    Add(Box<Intake>),
    /// To the stream of this number.
    To(u64, Question),
}

enum Question {
    Tally(SyncSender<Tally>),
    Totals(SyncSender<Box<Totals>>),
    Changes(SyncSender<Box<Changes>>),
    Weigh(Weight),
    SetExact(bool),
    SetWindows,
    Watched(usize, SyncSender<Vec<Watched>>),
    Look(Vec<Look>),
    Mapped(Vec<Mapped>),
    /// Nobody is interested any more.
    Leave,
    Finish(SyncSender<Box<Totals>>),
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

/// Tells the collecting thread how to count one stream, from another thread. Messages to a thread that has ended are lost.
#[derive(Clone, Debug)]
pub struct Remote {
    messages: Sender<Message>,
    number: u64,
}

impl Remote {
    /// See [`Aggregator::weigh`].
    pub fn weigh(&self, weight: Weight) {
        self.tell(Question::Weigh(weight));
    }

    /// See [`Aggregator::set_exact`].
    pub fn set_exact(&self, exact: bool) {
        self.tell(Question::SetExact(exact));
    }

    /// See [`Aggregator::set_windows`].
    pub fn set_windows(&self) {
        self.tell(Question::SetWindows);
    }

    fn tell(&self, question: Question) {
        self.send(question).unwrap_or_default();
    }

    fn send(&self, question: Question) -> Result<(), CollectorDied> {
        let sent = self.messages.send(Message::To(self.number, question));
        sent.map_err(|_closed| CollectorDied)
    }
}

impl Collecting {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start() -> io::Result<Self> {
        let (messages, inbox) = mpsc::channel();
        thread::Builder::new()
            .name("collect".to_owned())
            .spawn(move || collect(&inbox))?;
        Ok(Collecting {
            messages,
            next: Arc::default(),
        })
    }

    /// Collects from `source`, too; `tap` gets a copy of each allocation.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn add(
        &self,
        source: impl Source + 'static,
        aggregator: Aggregator,
        tap: Option<Tap>,
    ) -> Result<Collector, CollectorDied> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let intake = Intake {
            number,
            source: Box::new(source),
            tap,
            aggregator,
        };
        let sent = self.messages.send(Message::Add(Box::new(intake)));
        sent.map_err(|_closed| CollectorDied)?;
        let messages = self.messages.clone();
        Ok(Collector(Remote { messages, number }))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.tell(Question::Leave);
    }
}

impl Collector {
    /// The sums so far, cheap.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn tally(&self) -> Result<Tally, CollectorDied> {
        self.ask(Question::Tally)
    }

    /// A way to steer it from another thread.
    pub fn remote(&self) -> Remote {
        self.0.clone()
    }

    /// A copy of the totals so far.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn totals(&self) -> Result<Totals, CollectorDied> {
        self.ask(Question::Totals).map(|totals| *totals)
    }

    /// What happened since this was asked for last.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn changes(&self) -> Result<Changes, CollectorDied> {
        self.ask(Question::Changes).map(|changes| *changes)
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
        self.0.send(Question::Look(looks))
    }

    /// Hands over what the target's addresses are mapped to, in ascending order.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn set_mapped(&self, mapped: Vec<Mapped>) -> Result<(), CollectorDied> {
        self.0.send(Question::Mapped(mapped))
    }

    /// Takes what is left on the stream and ends.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn finish(self) -> Result<Totals, CollectorDied> {
        self.ask(Question::Finish).map(|totals| *totals)
    }

    fn ask<T>(&self, question: impl FnOnce(SyncSender<T>) -> Question) -> Result<T, CollectorDied> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.0.send(question(reply))?;
        answer.recv().map_err(|_closed| CollectorDied)
    }
}

/// The thread's work, until nobody can send a message any more.
fn collect(inbox: &Receiver<Message>) {
    let mut intakes: Vec<Box<Intake>> = Vec::new();
    loop {
        let drained: usize = intakes.iter_mut().map(|intake| intake.drain()).sum();
        let message = match (drained, intakes.is_empty()) {
            (0, true) => inbox.recv().map_err(|_closed| true),
            (0, false) => inbox
                .recv_timeout(REST)
                .map_err(|error| error == RecvTimeoutError::Disconnected),
            _ => inbox
                .try_recv()
                .map_err(|error| error == TryRecvError::Disconnected),
        };
        match message {
            Ok(Message::Add(intake)) => intakes.push(intake),
            Ok(Message::To(number, question)) => {
                let mut places = intakes.iter();
                if let Some(place) = places.position(|intake| intake.number == number) {
                    let asked = intakes.swap_remove(place);
                    intakes.extend(asked.answer(question));
                }
            }
            Err(true) => break,
            Err(false) => {}
        }
    }
}

/// What the thread takes records from, what it makes of them, and who gets copies.
struct Intake {
    number: u64,
    source: Box<dyn Source>,
    tap: Option<Tap>,
    aggregator: Aggregator,
}

impl Intake {
    /// Does what it is asked for, and goes on unless that was the end.
    fn answer(mut self: Box<Self>, question: Question) -> Option<Box<Self>> {
        let aggregator = &mut self.aggregator;
        match question {
            Question::Tally(reply) => answer(&reply, Tally::of(aggregator.totals())),
            Question::Totals(reply) => answer(&reply, Box::new(aggregator.totals().clone())),
            Question::Changes(reply) => answer(&reply, Box::new(aggregator.changes())),
            Question::Weigh(weight) => {
                self.drain_all();
                self.aggregator.weigh(&weight);
            }
            Question::SetExact(exact) => aggregator.set_exact(exact),
            Question::SetWindows => aggregator.set_windows(),
            Question::Watched(limit, reply) => answer(&reply, aggregator.watched(limit)),
            Question::Look(looks) => looks.iter().for_each(|look| aggregator.look(look)),
            Question::Mapped(mapped) => aggregator.set_mapped(mapped),
            Question::Leave => return None,
            Question::Finish(reply) => {
                self.drain_all();
                answer(&reply, Box::new(self.aggregator.into_totals()));
                return None;
            }
        }
        Some(self)
    }

    fn drain_all(&mut self) {
        while self.drain() > 0 {}
    }

    fn drain(&mut self) -> usize {
        let Intake {
            source,
            tap,
            aggregator,
            ..
        } = self;
        let Some(tap) = tap else {
            return source.drain(&mut |record| aggregator.apply(decode(record)));
        };
        let drained = source.drain(&mut |record| {
            let record = decode(record);
            aggregator.apply(record);
            tap.copy(&record, aggregator);
        });
        tap.flush();
        drained
    }
}

/// The asker may have stopped waiting, which is its right.
fn answer<T>(reply: &SyncSender<T>, value: T) {
    drop(reply.send(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::encoded;
    use crate::stream::Replay;
    use tracer_common::family::Family;

    fn started(records: Vec<Vec<u8>>) -> Collector {
        of(&Collecting::start().unwrap(), records)
    }

    fn of(thread: &Collecting, records: Vec<Vec<u8>>) -> Collector {
        let source = Replay::new(records);
        thread.add(source, Aggregator::for_tests(), None).unwrap()
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

    #[test]
    fn streams_of_one_thread_are_counted_apart() {
        let thread = Collecting::start().unwrap();
        let stream = |allocs: u64| {
            let records = (0..allocs).map(|stack| encoded::alloc(0, stack, 8, 0));
            of(&thread, records.collect())
        };
        let (one, other, dropped) = (stream(10), stream(300), stream(7));
        drop(dropped);
        assert_eq!(one.finish().unwrap().sums.allocs, 10);
        assert_eq!(other.finish().unwrap().sums.allocs, 300);
    }
}
