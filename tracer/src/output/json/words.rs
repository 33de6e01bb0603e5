//! The words that captures have for closed sets of a report. A word of a newer version is read as what it is to this one,
//! something else, and written again as it was.

use crate::report::{EndedBy, HeapSource, Mode, PartKind, State, Step};
use std::borrow::Cow;

pub(super) fn mode(word: Cow<'_, str>) -> Mode {
    let known = Mode::KNOWN.into_iter().find(|mode| mode.name() == word);
    known.unwrap_or_else(|| Mode::Other(word.into_owned()))
}

pub(super) fn step(word: Cow<'_, str>) -> Step {
    let known = Step::known().find(|step| step.name() == word);
    known.unwrap_or_else(|| Step::Other(word.into_owned()))
}

/// `ended_by` of a state. Versions that know no running captures refuse a word of their own for it: to these it is one that
/// took as long as it was asked to, and `running` says the rest.
pub(super) fn ended_by(state: &State) -> &str {
    match state {
        State::Running => ended_by_name(EndedBy::Duration),
        State::Ended(by) => ended_by_name(*by),
        State::Other(word) => word,
    }
}

pub(super) fn state(ended_by: Cow<'_, str>, running: bool) -> State {
    if running {
        return State::Running;
    }
    let known = EndedBy::ALL
        .into_iter()
        .find(|by| ended_by_name(*by) == ended_by);
    known.map_or_else(|| State::Other(ended_by.into_owned()), State::Ended)
}

fn ended_by_name(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Duration => "duration",
        EndedBy::Signal => "signal",
        EndedBy::TargetExit => "target_exit",
        EndedBy::ClosedPipe => "closed_pipe",
    }
}

pub(super) fn heap_source(source: &HeapSource) -> &str {
    match source {
        HeapSource::Profiler => "profiler",
        HeapSource::Spans => "spans",
        HeapSource::Other(word) => word,
    }
}

pub(super) fn heap_source_of(word: Cow<'_, str>) -> HeapSource {
    let known = [HeapSource::Profiler, HeapSource::Spans];
    let known = known.into_iter().find(|source| heap_source(source) == word);
    known.unwrap_or_else(|| HeapSource::Other(word.into_owned()))
}

pub(super) fn memory_part(word: &str) -> PartKind {
    let known = PartKind::ALL.into_iter().find(|kind| kind.name() == word);
    known.unwrap_or(PartKind::Unknown)
}
