//! What a person sees while a task runs, on stderr: a spinner for each long step on a terminal, plain lines
//! elsewhere. The only module that prints.

use std::{
    io::{IsTerminal as _, stderr},
    time::{Duration, Instant},
};

use anyhow::Result;
use indicatif::ProgressBar;

/// Prints one message.
#[expect(clippy::print_stderr, reason = "messages of a task go to stderr")]
pub(crate) fn say(message: &str) {
    eprintln!("{message}");
}

/// Shows that `work`, which prints nothing itself, is going on, and how long it took.
pub(crate) fn during<T>(message: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let spinner = stderr().is_terminal().then(ProgressBar::new_spinner);
    match &spinner {
        Some(spinner) => {
            spinner.set_message(format!("{message} …"));
            spinner.enable_steady_tick(Duration::from_millis(100));
        }
        None => say(&format!("{message} …")),
    }
    let result = work();
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    let outcome = if result.is_ok() { "done" } else { "failed" };
    say(&format!("{message}: {outcome} in {}", seconds(started)));
    result
}

/// The time since `started`, for a closing line.
pub(crate) fn seconds(started: Instant) -> String {
    format!("{:.1} s", started.elapsed().as_secs_f64())
}
