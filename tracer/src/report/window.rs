//! When a capture was made, how much it recorded, and whether it is over: all of it closed sets, so that no reader of a
//! report compares words.
//!
//! The words for them stand here, once: people read them, and `output/json` writes them and finds them again. A capture
//! may come from a newer version: a word that this one does not know is kept as it is, in `Other`.

use std::fmt;
use tracer_common::family::Extra;

/// When and how the target was traced.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Start of recording, nanoseconds of Unix time.
    pub start_unix_ns: u64,
    /// Length of recording in nanoseconds; so far, if it is still running.
    pub duration_ns: u64,
    /// How much was asked for.
    pub mode: Mode,
    /// What was recorded when, oldest first; empty in captures of versions that knew one mode only.
    pub mode_steps: Vec<ModeStep>,
    /// Whether it is over, and why.
    pub state: State,
}

impl Window {
    /// When this was recorded no longer, nanoseconds since the start of recording; `None` if it was recorded to the end.
    pub fn given_up(&self, extra: Extra) -> Option<u64> {
        let given_up = |step: &&ModeStep| step.to == Step::Without(extra);
        self.mode_steps.iter().find(given_up).map(|step| step.at_ns)
    }

    /// Whether some functions were recorded in windows only.
    pub fn had_windows(&self) -> bool {
        self.mode_steps.iter().any(|step| step.to == Step::Windows)
    }
}

/// How much is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As many allocations as the budget allows: see [`Window::mode_steps`].
    Auto,
    /// Every allocation.
    Exact,
    /// Samples of the runtime's heap profiler, or of spans where it is off.
    Sampled,
    /// Nothing: the runtime's own heap profile is all there is.
    Heap,
    /// As a version called it that is newer than this one.
    Other(String),
}

impl Mode {
    /// All modes that this version knows.
    pub const KNOWN: [Mode; 4] = [Mode::Auto, Mode::Exact, Mode::Sampled, Mode::Heap];

    /// Name in captures, and for people.
    pub fn name(&self) -> &str {
        match self {
            Mode::Auto => "auto",
            Mode::Exact => "exact",
            Mode::Sampled => "sampled",
            Mode::Heap => "heap",
            Mode::Other(name) => name,
        }
    }

    /// Whether figures are made of samples, each taken by itself, and not of records of allocations.
    pub fn is_of_samples(&self) -> bool {
        matches!(self, Mode::Sampled | Mode::Heap)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A change of what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeStep {
    /// Nanoseconds since the start of recording.
    pub at_ns: u64,
    /// What is recorded from then on.
    pub to: Step,
    /// Why, and what that means here, for people.
    pub reason: String,
}

/// What is recorded from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Every allocation.
    Exact,
    /// Some allocations, at a distance of bytes.
    Sampling,
    /// Allocations of some functions in short windows only.
    Windows,
    /// Allocations as before, but this no longer.
    Without(Extra),
    /// As a version called it that is newer than this one.
    Other(String),
}

impl Step {
    /// All steps that this version knows.
    pub fn known() -> impl Iterator<Item = Step> {
        let of_allocations = [Step::Exact, Step::Sampling, Step::Windows];
        let extras = Extra::ALL.into_iter().map(Step::Without);
        of_allocations.into_iter().chain(extras)
    }

    /// Name in captures, and for people.
    pub fn name(&self) -> &str {
        match self {
            Step::Exact => "exact",
            Step::Sampling => "sampling",
            Step::Windows => "windows",
            Step::Without(Extra::MapWrites) => "no_map_writes",
            Step::Without(Extra::MapGrowths) => "no_map_growths",
            Step::Without(Extra::Faults) => "no_faults",
            Step::Without(Extra::Assists) => "no_assists",
            Step::Without(Extra::Live) => "no_live",
            Step::Other(name) => name,
        }
    }

    /// Whether it says how allocations are recorded, as far as this version knows.
    pub fn is_of_allocations(&self) -> bool {
        matches!(self, Step::Exact | Step::Sampling | Step::Windows)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a capture is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It goes on: figures are those so far.
    Running,
    /// It is over.
    Ended(EndedBy),
    /// It is over, for a reason that a version knows which is newer than this one: its word for it.
    Other(String),
}

impl State {
    /// What people should know of it; `None` if the capture took as long as it was asked to.
    pub fn words(&self) -> Option<String> {
        let words = match self {
            State::Running => "still running",
            State::Ended(EndedBy::Duration) => return None,
            State::Ended(EndedBy::Signal) => "ended by a signal",
            State::Ended(EndedBy::TargetExit) => "ended when the target exited",
            State::Ended(EndedBy::ClosedPipe) => "ended when the output was closed",
            State::Other(word) => return Some(format!("ended: {}", word.replace('_', " "))),
        };
        Some(words.to_owned())
    }
}

/// Why a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The asked-for duration was over.
    Duration,
    /// SIGINT or SIGTERM.
    Signal,
    /// The target exited.
    TargetExit,
    /// The reader of standard output went away.
    ClosedPipe,
}

impl EndedBy {
    /// All reasons.
    pub const ALL: [EndedBy; 4] = [
        EndedBy::Duration,
        EndedBy::Signal,
        EndedBy::TargetExit,
        EndedBy::ClosedPipe,
    ];
}
