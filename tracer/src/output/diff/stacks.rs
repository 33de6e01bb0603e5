//! The stacks of both captures with one figure, as flame graphs take them.
//!
//! Flame graphs show whole numbers: rates are shown as what the base would have been in the time that the candidate took.
//! Hides that lines and inlining, which differ between builds, are no part of what makes two stacks the same.

use super::super::folded::{NOT_KNOWN, name};
use super::super::{OutputError, flame};
use crate::compare::{Comparison, Normalize};
use crate::report::{Frame, Mode, Report, Value};
use crate::units;
use std::collections::BTreeMap;
use std::io::Write;

/// A stack, innermost frame first, with its figure before and after.
pub(super) type Both<'a> = (Vec<&'a Frame>, u64, u64);

/// Writes stacks, outermost frame first, with the figure of the base and of the candidate, as inferno's diff-folded does.
pub(super) fn write_folded(
    comparison: &Comparison<'_>,
    value: Value,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut lines: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (frames, base, candidate) in both(comparison, value)? {
        let names = frames.iter().rev().map(|frame| name(&frame.function));
        let names: Vec<String> = names.collect();
        let stack = if names.is_empty() {
            NOT_KNOWN.to_owned()
        } else {
            names.join(";")
        };
        let line = lines.entry(stack).or_default();
        line.0 = line.0.saturating_add(base);
        line.1 = line.1.saturating_add(candidate);
    }
    for (stack, (base, candidate)) in lines {
        writeln!(out, "{stack} {base} {candidate}").map_err(OutputError::Write)?;
    }
    Ok(())
}

/// Writes a differential flame graph.
pub(super) fn write_svg(
    comparison: &Comparison<'_>,
    value: Value,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let stacks = both(comparison, value)?;
    let title = flame::DiffTitle {
        text: title(comparison, value),
        value,
    };
    flame::write_diff(&title, stacks.into_iter(), out)
}

/// What stands for a stack that is not known.
pub(super) const UNKNOWN_STACK: &str = NOT_KNOWN;

/// `shop-api: change of allocated bytes, base as in 10.0 s`
fn title(comparison: &Comparison<'_>, value: Value) -> String {
    let target = &comparison.candidate.target;
    let exe = target.exe.rsplit('/').next().unwrap_or_default();
    let note = scaled_note(comparison, value);
    let note = note.map_or_else(String::new, |note| format!(", {note}"));
    format!("{}: change of {}{note}", name(exe), value.name())
}

/// How the base is shown, if not as it is.
pub(super) fn scaled_note(comparison: &Comparison<'_>, value: Value) -> Option<String> {
    let length = units::duration(comparison.candidate.window.duration_ns);
    (scale(comparison, value) != 1.0).then(|| format!("base scaled to {length}"))
}

/// What the figures of the base are multiplied by.
fn scale(comparison: &Comparison<'_>, value: Value) -> f64 {
    let [base, candidate] =
        [comparison.base, comparison.candidate].map(|report| report.window.duration_ns);
    let heap = |report: &Report| report.window.mode == Mode::Heap;
    let level = value == Value::Live || heap(comparison.base) || heap(comparison.candidate);
    match comparison.normalize {
        Normalize::Rate if !level && base > 0 && candidate > 0 => candidate as f64 / base as f64,
        _ => 1.0,
    }
}

/// Stacks of either capture, first all of the base with 0 in the candidate, then the other way round: whoever puts them
/// together adds up those that are the same.
pub(super) fn both<'a>(
    comparison: &Comparison<'a>,
    value: Value,
) -> Result<Vec<Both<'a>>, OutputError> {
    let stacks = |report: &'a Report| {
        report.stacks_by(value).ok_or(OutputError::NoValue {
            value: value.name(),
        })
    };
    let scale = scale(comparison, value);
    let scaled = |weight: u64| {
        if scale == 1.0 {
            weight
        } else {
            crate::aggregate::whole((weight as f64 * scale).round())
        }
    };
    let base = stacks(comparison.base)?.into_iter();
    let base = base.map(|(frames, weight)| (frames, scaled(weight), 0));
    let candidate = stacks(comparison.candidate)?.into_iter();
    let candidate = candidate.map(|(frames, weight)| (frames, 0, weight));
    Ok(base.chain(candidate).collect())
}
