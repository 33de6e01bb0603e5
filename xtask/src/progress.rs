//! What a person sees while a task runs, on stderr: a spinner for each long step on a terminal, plain lines
//! elsewhere. The only module that prints.

use std::{
    io::{IsTerminal as _, stderr},
    time::{Duration, Instant},
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Prints one message.
#[expect(clippy::print_stderr, reason = "messages of a task go to stderr")]
pub(crate) fn say(message: &str) {
    eprintln!("{message}");
}

/// Shows that `work`, which prints nothing itself, is going on, and how long it took.
pub(crate) fn during<T>(message: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    shown(message, ProgressBar::new_spinner, |_| work())
}

/// The same for `work` that transfers `total` bytes, if that is known, and says how many it has so far.
pub(crate) fn transfer<T>(
    message: &str,
    total: Option<u64>,
    work: impl FnOnce(&dyn Fn(u64)) -> Result<T>,
) -> Result<T> {
    let bar = || {
        let form = match total {
            Some(_) => "{msg} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{msg} {bytes}, {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(form);
        let bar = ProgressBar::no_length()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        total.into_iter().for_each(|total| bar.set_length(total));
        bar
    };
    let size = total.map(|total| format!(" ({:.0} MB)", total as f64 / 1e6));
    let message = format!("{message}{}", size.unwrap_or_default());
    shown(&message, bar, |bar| {
        work(&|bytes| bar.iter().for_each(|bar| bar.set_position(bytes)))
    })
}

/// Runs `work` below what `bar` shows of it on a terminal, between two lines elsewhere.
fn shown<T>(
    message: &str,
    bar: impl FnOnce() -> ProgressBar,
    work: impl FnOnce(Option<&ProgressBar>) -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    let bar = stderr().is_terminal().then(bar);
    match &bar {
        Some(bar) => {
            bar.set_message(format!("{message} …"));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        None => say(&format!("{message} …")),
    }
    let result = work(bar.as_ref());
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let outcome = if result.is_ok() { "done" } else { "failed" };
    say(&format!("{message}: {outcome} in {}", seconds(started)));
    result
}

/// The time since `started`, for a closing line.
pub(crate) fn seconds(started: Instant) -> String {
    format!("{:.1} s", started.elapsed().as_secs_f64())
}
