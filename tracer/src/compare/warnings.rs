//! What makes two captures less comparable than they look, in sentences.

use super::measure::{Measured, too_low, unplaced};
use super::part::is_blind;
use super::{Figure, Normalize};
use crate::report::{EndedBy, Mode, Report, State};
use crate::units;
use tracer_common::counter::Counter;
use tracer_common::family::Extra;

/// How the two are called.
const NAMES: [&str; 2] = ["BASE", "CANDIDATE"];
/// Lengths that differ by more than this factor are told.
const FACTOR: f64 = 1.5;
/// So do shares that differ by more than this.
const UNLIKE: f64 = 0.1;
/// A capture that is shorter by this factor may miss what takes time to be seen.
const MUCH_SHORTER: f64 = 3.0;

pub(super) fn warnings(reports: [&Report; 2], measured: [&Measured<'_>; 2]) -> Vec<String> {
    let [base, candidate] = reports;
    let mut warnings = Vec::new();
    let executables = reports.map(|report| report.target.exe.rsplit('/').next());
    if executables[0] != executables[1] {
        warnings.push("the programs have different names: is it the same one?".to_owned());
    }
    let modes = reports.map(|report| &report.window.mode);
    if modes[0] != modes[1] {
        warnings.push(format!(
            "the modes differ, {} and {}: what one has recorded the other may not have",
            modes[0], modes[1]
        ));
    }
    for (name, report) in NAMES.iter().zip(reports) {
        warnings.extend(of_one(report).map(|what| format!("{name} {what}")));
    }
    let left_out = reports.map(left_out_share);
    if (left_out[0] - left_out[1]).abs() > UNLIKE {
        let shares = left_out.map(|share| units::percent(Some(share * 100.0)));
        warnings.push(format!(
            "the shares of calls that were left out differ, {} and {}: was --min-size the same?",
            shares[0], shares[1]
        ));
    }
    warnings.extend(lengths(base, candidate, measured));
    warnings.extend(sections(base, candidate));
    warnings
}

/// The share of calls of allocation functions that allocate nothing, or less than was asked for.
fn left_out_share(report: &Report) -> f64 {
    let completeness = &report.completeness;
    let filtered = completeness.counter(Counter::Filtered).unwrap_or(0) as f64;
    filtered / (filtered + completeness.hits as f64).max(1.0)
}

fn of_one(report: &Report) -> impl Iterator<Item = String> {
    let completeness = &report.completeness;
    let missing = unplaced(report);
    let lost = (missing > 0).then(|| {
        let records = report.records();
        let (noun, hits) = records.map_or(("hits", 0), |records| (records.noun(), records.hits));
        let share = units::percent(units::share(missing, hits));
        format!(
            "lost {} events ({share} of its {noun}): its figures are too low",
            units::exact(missing)
        )
    });
    let coverage = completeness.coverage.filter(|share| *share < 1.0);
    let coverage = coverage.filter(|_| missing == 0).map(|share| {
        let share = units::percent(Some(share * 100.0));
        format!("covers {share} of the allocations of its program")
    });
    let blind = is_blind(report).then(|| {
        "had too few windows to tell what they stand for: its figures are too low by an unknown amount".to_owned()
    });
    let estimated =
        (!is_blind(report) && report.window.mode == Mode::Auto && report.totals.estimate.is_some())
            .then(|| "is partly an estimate, to stay within its overhead".to_owned());
    lost.into_iter()
        .chain(coverage)
        .chain(blind)
        .chain(estimated)
}

fn lengths(base: &Report, candidate: &Report, measured: [&Measured<'_>; 2]) -> Vec<String> {
    let mut warnings = Vec::new();
    let [before, after] = measured;
    let heap = [base, candidate].map(|report| report.window.mode == Mode::Heap);
    if heap != [false, false] {
        if before.normalize() == Normalize::Rate && heap == [true, true] {
            warnings.push(
                "captures of `tracer heap` have no rates: --normalize total compares what was allocated since \
                 the programs started"
                    .to_owned(),
            );
        }
        return warnings;
    }
    let [short, long] = {
        let (a, b) = (base.window.duration_ns, candidate.window.duration_ns);
        [a.min(b), a.max(b)]
    };
    if long as f64 > short as f64 * FACTOR {
        let lengths = [base, candidate].map(|report| units::duration(report.window.duration_ns));
        let advice = match before.normalize() {
            Normalize::Rate => "a load that changes with time changes rates",
            Normalize::Total => "totals grow with time, unless both did the same work",
        };
        warnings.push(format!(
            "the lengths differ, {} and {}: {advice}",
            lengths[0], lengths[1]
        ));
    }
    let short = |side: &Measured<'_>| !side.has_scatter(Figure::AllocBytes);
    if let Some(names) = which([short(before), short(after)]) {
        warnings.push(format!(
            "too few intervals in {names} to tell how much rates vary: whether they changed significantly is not known"
        ));
    }
    warnings
}

/// Those of the two of which something holds.
fn which(holds: [bool; 2]) -> Option<&'static str> {
    match holds {
        [true, true] => Some("both captures"),
        [true, false] => Some("BASE"),
        [false, true] => Some("CANDIDATE"),
        [false, false] => None,
    }
}

/// What one capture knows and the other does not.
fn sections(base: &Report, candidate: &Report) -> Vec<String> {
    let only = |wanted: [bool; 2]| {
        let unlike = unlike(base, candidate).into_iter();
        let only: Vec<&str> = unlike
            .filter(|(_, has)| *has == wanted)
            .map(|(what, _)| what)
            .collect();
        (!only.is_empty()).then(|| only.join(", "))
    };
    let in_base = only([true, false]);
    let in_candidate = only([false, true]);
    let told = |what: String, has: &str, has_not: &str| {
        format!("{has_not} has not recorded {what}, which {has} has")
    };
    in_base
        .map(|what| told(what, "BASE", "CANDIDATE"))
        .into_iter()
        .chain(in_candidate.map(|what| told(what, "CANDIDATE", "BASE")))
        .collect()
}

/// What a capture may have recorded, and which of the two has.
pub(super) fn unlike(base: &Report, candidate: &Report) -> [(&'static str, [bool; 2]); 3] {
    let both = [base, candidate];
    [
        ("maps", both.map(|report| report.maps.is_some())),
        ("page faults", both.map(|report| report.faults.is_some())),
        (
            "the garbage collector",
            both.map(|report| report.gc.is_some()),
        ),
    ]
}

/// Why the candidate may have findings of the base, or worse ones, without telling them.
pub(super) fn not_looked(base: &Report, candidate: &Report) -> Option<String> {
    let both = [base, candidate];
    let only_base = |holds: [bool; 2]| holds == [true, false];
    let unlike = unlike(base, candidate);
    if let Some((what, _)) = unlike.iter().find(|(_, has)| only_base(*has)) {
        return Some(format!("has not recorded {what}, BASE has"));
    }
    if let Some(why) = too_low(candidate, Figure::AllocBytes) {
        return Some(why);
    }
    let alive = |report: &Report| report.heap.as_ref().and_then(|heap| heap.live_bytes());
    if only_base(both.map(|report| alive(report).is_some())) {
        return Some("does not know what is alive, BASE does".to_owned());
    }
    if only_base(both.map(|report| report.sites.iter().any(|site| site.growth.is_some()))) {
        return Some("does not know how what is alive grows, BASE does".to_owned());
    }
    if only_base(both.map(|report| report.window.given_up(Extra::Faults).is_none())) {
        return Some("gave page faults up, BASE did not".to_owned());
    }
    // A program that ran to its end had no more to tell.
    let [long, short] = both.map(|report| report.window.duration_ns);
    let whole = candidate.window.state == State::Ended(EndedBy::TargetExit);
    (!whole && long as f64 > MUCH_SHORTER * short as f64).then(|| {
        let lengths = both.map(|report| units::duration(report.window.duration_ns));
        format!("is much shorter, {} and BASE {}", lengths[1], lengths[0])
    })
}
