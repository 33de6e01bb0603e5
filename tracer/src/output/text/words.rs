//! What the report for people says of a capture as a whole, for other formats that people read, so that all say the same
//! in the same words.
//!
//! Hides the lines that the words stand on in text.

use super::{
    faults, gc, header, heap,
    style::{BAD, CAUTION, GOOD},
};
use crate::report::{Mode, Report};
use anstyle::Style;
use tracer_common::family::Extra;

/// What a statement means for the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::output) enum Tone {
    Plain,
    /// Nothing is missing.
    Good,
    /// The figures hold, something else is missing.
    Caution,
    /// Figures are too low.
    Bad,
}

/// What something is, and statements about it.
pub(in crate::output) type Words = (&'static str, Vec<(String, Tone)>);

/// Everything that is known, a label each. Labels are those of the report for people.
pub(in crate::output) fn in_words(report: &Report) -> Vec<Words> {
    let totals = &report.totals;
    let window = &report.window;
    let mut words = Vec::new();
    let mut add = |label, items: Vec<(String, Style)>| {
        if !items.is_empty() {
            words.push((label, items.into_iter().map(toned).collect()));
        }
    };
    if window.mode == Mode::Heap {
        add("allocated", header::ever_allocated(totals));
    } else {
        add("allocated", header::allocated(totals, window.duration_ns));
        if totals.requested_bytes.is_some() {
            add("requested", header::requested(totals));
        }
        if let Some(estimate) = &totals.estimate {
            add("estimated", header::estimated(report, estimate));
        }
        add("complete", header::complete(report, usize::MAX));
        add("overhead", header::overhead(&report.overhead));
    }
    if let Some(heap) = &report.heap {
        add("alive", heap::alive(report, heap));
        let missing = heap::missing(heap).map(|text| (text, CAUTION));
        add("heap", missing.collect());
    }
    if let Some(faults) = &report.faults {
        add("faults", faults::in_words(faults, window));
    }
    if let Some(collector) = &report.gc {
        add("GC", gc::work(collector, window.duration_ns));
        for (label, sums) in [
            ("paused", collector.gc_pauses),
            ("also", collector.other_pauses),
        ] {
            if sums.count > 0 {
                add(label, gc::paused(collector, &sums, label == "also"));
            }
        }
        if collector.assists > 0 {
            let given_up = window.given_up(Extra::Assists);
            add("assists", gc::assists(collector, given_up));
        }
    }
    words
}

fn toned((text, style): (String, Style)) -> (String, Tone) {
    let tone = match style {
        GOOD => Tone::Good,
        CAUTION => Tone::Caution,
        BAD => Tone::Bad,
        _ => Tone::Plain,
    };
    (text, tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_loss_is_bad_and_what_is_whole_is_good() {
        let tone = |report: &Report| {
            let words = in_words(report);
            let complete = words.iter().find(|(label, _)| *label == "complete");
            complete.unwrap().1.first().unwrap().clone()
        };
        let mut report = fixture::report();
        let (text, whole) = tone(&report);
        assert_eq!(text, "delivered 6,434,607 of 6,434,607 hits, lost 0");
        assert_eq!(whole, Tone::Good);
        report.completeness.lost = vec![("ring_full".into(), 7)];
        assert_eq!(tone(&report).1, Tone::Bad);
    }
}
