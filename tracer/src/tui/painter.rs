//! The thread that writes to the terminal, so that a terminal that takes no output (Ctrl-S, a frozen connection) holds up
//! neither the capture nor its end.
//!
//! Hides the queue and how it is seen that the terminal takes nothing. Everything is written in order; who draws asks first
//! whether the last frame is out, so that one frame waits at most.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Bytes of one write, so that a slow terminal is told from one that takes nothing.
const PIECE: usize = 1 << 10;
/// How often it is looked whether everything is written.
const LOOK: Duration = Duration::from_millis(2);

/// A way to the thread. What is written here goes to it with the next flush.
#[derive(Debug)]
pub(super) struct Painter {
    frame: Vec<u8>,
    queue: Sender<Vec<u8>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Frames that are not written.
    waiting: AtomicUsize,
    /// Bytes that are.
    written: AtomicU64,
    /// What ended the thread.
    failure: OnceLock<io::Error>,
    is_free: Notify,
}

impl Painter {
    /// Starts the thread, which writes to `out`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, frames) = channel();
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || write_frames(out, &frames, &shared))?;
        Ok(Painter {
            frame: Vec::new(),
            queue,
            progress,
        })
    }

    /// Whether everything is written.
    pub(super) fn is_free(&self) -> bool {
        self.progress.waiting.load(Ordering::Acquire) == 0
    }

    /// Waits until everything may be written, or nothing can be written any more.
    pub(super) async fn free(&self) {
        while !self.is_free() && self.failure().is_none() {
            self.progress.is_free.notified().await;
        }
    }

    /// Waits until everything is written, as long as the terminal takes something within `patience`.
    ///
    /// # Errors
    /// Writing failed; [`io::ErrorKind::TimedOut`] if the terminal took nothing for too long.
    pub(super) fn finish(&self, patience: Duration) -> io::Result<()> {
        let written = || self.progress.written.load(Ordering::Acquire);
        let mut progress = (written(), Instant::now());
        while !self.is_free() {
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            let now = written();
            if now != progress.0 {
                progress = (now, Instant::now());
            } else if progress.1.elapsed() > patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Why nothing can be written any more.
    pub(super) fn failure(&self) -> Option<io::Error> {
        let failure = self.progress.failure.get()?;
        Some(match failure.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => failure.kind().into(),
        })
    }
}

impl Clone for Painter {
    fn clone(&self) -> Self {
        Painter {
            frame: Vec::new(),
            queue: self.queue.clone(),
            progress: Arc::clone(&self.progress),
        }
    }
}

impl Write for Painter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does not fail: [`Painter::failure`] tells.
    fn flush(&mut self) -> io::Result<()> {
        if !self.frame.is_empty() {
            self.progress.waiting.fetch_add(1, Ordering::AcqRel);
            // The thread has ended if writing failed, which is known.
            drop(self.queue.send(mem::take(&mut self.frame)));
        }
        Ok(())
    }
}

fn write_frames(mut out: impl Write, frames: &Receiver<Vec<u8>>, progress: &Progress) {
    let mut write = |frame: &[u8]| -> io::Result<()> {
        for piece in frame.chunks(PIECE) {
            out.write_all(piece)?;
            out.flush()?;
            let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            progress.written.fetch_add(bytes, Ordering::AcqRel);
        }
        Ok(())
    };
    for frame in frames {
        if let Err(error) = write(&frame) {
            // It is the only one.
            drop(progress.failure.set(error));
            progress.is_free.notify_one();
            return;
        }
        progress.waiting.fetch_sub(1, Ordering::AcqRel);
        progress.is_free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_terminal_that_takes_nothing_makes_no_one_wait() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut painter = Painter::start(writer).unwrap();
        painter.write_all(&vec![b'x'; 1 << 20]).unwrap();
        painter.flush().unwrap();
        assert!(!painter.is_free());
        let error = painter.finish(Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // It takes output again: everything comes.
        let mut frame = vec![0; 1 << 20];
        reader.read_exact(&mut frame).unwrap();
        painter.finish(LONG).unwrap();
        assert!(painter.is_free());
    }

    #[test]
    fn a_terminal_that_is_closed_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut painter = Painter::start(writer).unwrap();
        painter.write_all(b"x").unwrap();
        painter.flush().unwrap();
        let error = painter.finish(LONG).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(painter.failure().is_some());
    }
}
