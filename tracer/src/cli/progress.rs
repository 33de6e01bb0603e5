//! What a person at a terminal sees of work that takes a while: one line on standard error that goes away. Hides when it
//! is shown at all: never where standard error is no terminal, and not for what is done at once.

use crate::drive::{Consumer, Flow, Moment};
use crate::report::EndedBy;
use crate::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _, Read, stderr};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What takes less shows nothing.
const SOON: Duration = Duration::from_millis(300);
/// Time between two steps of the spinner.
const STEP: Duration = Duration::from_millis(100);
/// Time between two states of a recording.
const STATE: Duration = Duration::from_millis(250);

/// The form of the line where the extent of work is not known.
const SPINNER: &str = "{spinner} {wide_msg}";

/// Work that is going on; its end removes the line.
#[derive(Debug)]
pub(super) struct Progress(Option<Shown>);

#[derive(Debug)]
struct Shown {
    bar: ProgressBar,
    /// The thread that shows the line when it is time, and what ends it.
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Work of unknown extent.
    pub(super) fn of(message: impl Into<String>) -> Self {
        Progress::with(SPINNER, None, message.into())
    }

    /// Work on so many bytes; none if that is not known.
    pub(super) fn of_bytes(message: impl Into<String>, bytes: Option<u64>) -> Self {
        let template = if bytes.is_some() {
            "{spinner} {msg} [{bar:20}] {binary_bytes} of {binary_total_bytes}"
        } else {
            "{spinner} {msg} {binary_bytes}"
        };
        Progress::with(template, bytes, message.into())
    }

    fn with(template: &str, length: Option<u64>, message: String) -> Self {
        if !is_shown() {
            return Progress(None);
        }
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        bar.set_style(style(template));
        bar.set_message(message);
        let (end, ended) = mpsc::channel::<()>();
        let later = bar.clone();
        let wait = move || {
            if ended.recv_timeout(SOON) == Err(RecvTimeoutError::Timeout) {
                later.set_draw_target(ProgressDrawTarget::stderr());
                later.enable_steady_tick(STEP);
            }
        };
        // Without the thread there is no line, and nothing else is lost.
        let thread = std::thread::Builder::new().name("progress".to_owned());
        let waiting = thread.spawn(wait).ok().map(|thread| (end, thread));
        Progress(Some(Shown { bar, waiting }))
    }

    /// Counts what is read, and says at the end what comes `then`.
    pub(super) fn reader<R: Read>(&self, reader: R, then: String) -> impl Read {
        Counted {
            reader,
            bar: self.0.as_ref().map(|shown| shown.bar.clone()),
            then,
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.waiting.take() {
            drop(end);
            // It cannot show the line any more once it has ended; if it panicked there is none.
            drop(thread.join());
        }
        self.bar.finish_and_clear();
    }
}

/// Does work that may take a while.
pub(super) fn during<T>(message: impl Into<String>, work: impl FnOnce() -> T) -> T {
    let progress = Progress::of(message);
    let done = work();
    drop(progress);
    done
}

/// Whether a person looks on who sees a line that changes.
fn is_shown() -> bool {
    let dumb = |term: std::ffi::OsString| term.is_empty() || term == "dumb";
    stderr().is_terminal() && !std::env::var_os("TERM").is_none_or(dumb)
}

/// The template is one of ours; should it have a mistake, the usual style is not worse.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_mistake| ProgressStyle::default_spinner())
}

struct Counted<R> {
    reader: R,
    bar: Option<ProgressBar>,
    then: String,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if let Some(bar) = &self.bar {
            bar.inc(read as u64);
            if read == 0 && !buffer.is_empty() {
                bar.set_style(style(SPINNER));
                bar.set_message(self.then.clone());
            }
        }
        Ok(read)
    }
}

/// A recording that is going on: how long it will be, what it sees, how to end it.
#[derive(Debug)]
pub(super) struct Recording {
    bar: Option<ProgressBar>,
    duration: Option<Duration>,
    shown: Option<Instant>,
}

impl Recording {
    pub(super) fn of(duration: Option<Duration>) -> Self {
        let bar = is_shown().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{wide_msg}"));
            bar
        });
        Recording {
            bar,
            duration,
            shown: None,
        }
    }
}

impl Consumer for Recording {
    /// Shows the state, unless that was just now.
    fn moment(&mut self, moment: &mut Moment<'_>) -> anyhow::Result<Flow> {
        let Some(bar) = &self.bar else {
            return Ok(Flow::GoOn);
        };
        if self.shown.is_none_or(|shown| shown.elapsed() >= STATE) {
            self.shown = Some(Instant::now());
            bar.set_message(state(moment.at(), self.duration, &moment.pace()));
            bar.tick();
        }
        Ok(Flow::GoOn)
    }

    fn ending(&mut self, _ended_by: EndedBy) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// The state of a recording in a line.
fn state(elapsed: Duration, duration: Option<Duration>, pace: &crate::live::Pace) -> String {
    let time = match duration {
        // Rounded up: at 0 it is over.
        Some(duration) => {
            let left = duration.saturating_sub(elapsed).as_secs_f64().ceil();
            format!("{} left", seconds(left))
        }
        None => seconds(elapsed.as_secs_f64().floor()),
    };
    let rates = [
        pace.alloc_bytes_per_s
            .map(|rate| units::byte_rate(Some(rate))),
        pace.allocs_per_s
            .map(|rate| format!("{} allocs", units::rate(Some(rate)))),
        pace.lost.map(|lost| format!("lost {}", units::exact(lost))),
        Some("Ctrl-C ends it".to_owned()),
    ];
    let parts: Vec<String> = rates.into_iter().flatten().collect();
    format!("recording, {time} · {}", parts.join(" · "))
}

/// Whole seconds as a clock shows them.
fn seconds(seconds: f64) -> String {
    // A capture of a length that does not fit has other problems.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, never negative, and saturating"
    )]
    let seconds = seconds as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Pace;

    #[test]
    fn the_state_of_a_recording_says_what_is_known() {
        let check = |elapsed, duration: Option<u64>, pace: &Pace, expected: &str| {
            let duration = duration.map(Duration::from_secs);
            assert_eq!(
                state(Duration::from_millis(elapsed), duration, pace),
                expected
            );
        };
        let pace = Pace {
            allocs_per_s: Some(402_345.0),
            alloc_bytes_per_s: Some(41e6),
            lost: Some(12_345),
        };
        check(
            2_750,
            Some(10),
            &pace,
            "recording, 8 s left · 39.1 MiB/s · 402k/s allocs · lost 12,345 · Ctrl-C ends it",
        );
        let pace = Pace::default();
        check(
            3_725_900,
            None,
            &pace,
            "recording, 1:02:05 · Ctrl-C ends it",
        );
        check(61_000, None, &pace, "recording, 1:01 · Ctrl-C ends it");
        check(
            11_000,
            Some(10),
            &pace,
            "recording, 0 s left · Ctrl-C ends it",
        );
    }

    #[test]
    fn where_nobody_looks_nothing_is_shown_and_bytes_pass() {
        let progress = Progress(None);
        let mut read = Vec::new();
        let mut reader = progress.reader(&b"bytes"[..], String::new());
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"bytes");
    }
}
