//! Standard output, written by a thread of its own: a reader who is slow, or has stopped, holds up no capture.
//!
//! Hides the queue and its bound. Who writes asks first whether there is room, and leaves out what can be left out.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that may wait before there is no room for an interval.
const ROOM: u64 = 4 << 20;
/// The same for single allocations, which are many: intervals must not wait for them.
const ROOM_FOR_SINGLES: u64 = 2 << 20;
/// Bytes of one write, so that a reader who is slow is told from one who has stopped.
const PIECE: usize = 64 << 10;
/// How often it is looked whether the thread has ended.
const LOOK: Duration = Duration::from_millis(2);

/// The thread and the way to it.
#[derive(Debug)]
pub(super) struct Outlet {
    inlet: Inlet,
    thread: JoinHandle<io::Result<()>>,
}

/// A way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Inlet {
    queue: Sender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: AtomicU64,
    written: AtomicU64,
    failed: AtomicBool,
}

impl Outlet {
    /// Starts the thread, which writes to `out`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = channel();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let result = write_all(out, &messages, &shared);
                shared.failed.store(result.is_err(), Ordering::Release);
                result
            })?;
        let inlet = Inlet { queue, state };
        Ok(Outlet { inlet, thread })
    }

    /// A way to the thread for another one.
    pub(super) fn inlet(&self) -> Inlet {
        self.inlet.clone()
    }

    /// Waits until everything is written, which must be sent by now, as long as the reader takes something within
    /// `patience`.
    ///
    /// # Errors
    /// Writing failed; [`io::ErrorKind::TimedOut`] if the reader took nothing for too long.
    pub(super) fn finish(self, patience: Duration) -> io::Result<()> {
        let Outlet { inlet, thread } = self;
        let Inlet { queue, state } = inlet;
        drop(queue);
        let mut progress = (state.written.load(Ordering::Acquire), Instant::now());
        while !thread.is_finished() {
            let written = state.written.load(Ordering::Acquire);
            if written != progress.0 {
                progress = (written, Instant::now());
            } else if progress.1.elapsed() > patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(LOOK);
        }
        let ended = thread.join();
        ended.unwrap_or_else(|_panic| Err(io::Error::other("the thread that writes has panicked")))
    }
}

impl Inlet {
    /// Whether there is room for an interval.
    pub(super) fn has_room(&self) -> bool {
        self.has_less_than(ROOM)
    }

    /// Whether there is room for single allocations.
    pub(super) fn has_room_for_singles(&self) -> bool {
        self.has_less_than(ROOM_FOR_SINGLES)
    }

    fn has_less_than(&self, bytes: u64) -> bool {
        self.state.waiting.load(Ordering::Acquire) < bytes && !self.has_failed()
    }

    /// Whether nothing can be written any more; [`Outlet::finish`] tells why.
    pub(super) fn has_failed(&self) -> bool {
        self.state.failed.load(Ordering::Acquire)
    }

    /// Sends whole lines. Does not wait.
    pub(super) fn send(&self, lines: Vec<u8>) {
        let bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        self.state.waiting.fetch_add(bytes, Ordering::AcqRel);
        // The thread has ended if writing failed, which is known.
        drop(self.queue.send(lines));
    }
}

fn write_all(mut out: impl Write, messages: &Receiver<Vec<u8>>, state: &State) -> io::Result<()> {
    for lines in messages {
        for piece in lines.chunks(PIECE) {
            out.write_all(piece)?;
            let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            state.waiting.fetch_sub(bytes, Ordering::AcqRel);
            state.written.fetch_add(bytes, Ordering::AcqRel);
        }
        out.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Read as _};

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn everything_is_written_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::start(writer).unwrap();
        let inlet = outlet.inlet();
        for number in 0..1000 {
            inlet.send(format!("{number}\n").into_bytes());
        }
        drop(inlet);
        let read = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        outlet.finish(LONG).unwrap();
        let expect: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(read.join().unwrap(), expect);
    }

    #[test]
    fn a_reader_that_stops_makes_no_one_wait() {
        let (reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::start(writer).unwrap();
        let inlet = outlet.inlet();
        let mut sent = 0;
        while inlet.has_room() {
            inlet.send(vec![b'\n'; 1 << 20]);
            sent += 1;
        }
        assert!((4..8).contains(&sent), "{sent}");
        drop(inlet);
        let error = outlet.finish(Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(reader);
    }

    #[test]
    fn a_reader_that_goes_away_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::start(writer).unwrap();
        let inlet = outlet.inlet();
        inlet.send(b"one\n".to_vec());
        let mut lines = BufReader::new(reader).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "one");
        drop(lines);
        while !inlet.has_failed() {
            inlet.send(b"two\n".to_vec());
            thread::sleep(LOOK);
        }
        assert!(!inlet.has_room());
        drop(inlet);
        let error = outlet.finish(LONG).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
