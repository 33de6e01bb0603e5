//! Stacks with a value, one stack on a line, outermost frame first: what makers of flame graphs take.
//!
//! Hides how names are written so that no name breaks the format, whatever the target calls its functions.

use super::OutputError;
use super::text::line::steers_terminal;
use crate::report::{Frame, Report, Value};
use std::collections::BTreeMap;
use std::io::Write;

/// What stands for a frame, or a whole stack, that is not known.
pub(super) const NOT_KNOWN: &str = "[stack not known]";
/// What stands for a function without a name.
const UNNAMED: &str = "[unknown]";
/// Most characters of a name: no person reads more, and a hostile target could make each as long as its memory.
const MAX_NAME: usize = 400;

/// Writes the stacks of `report` that have some of `value`, sorted. Inlined functions end in `_[i]`, as perf marks them.
pub fn write(report: &Report, value: Value, out: &mut dyn Write) -> Result<(), OutputError> {
    let stacks = report.stacks_by(value).ok_or(OutputError::NoValue {
        value: value.name(),
    })?;
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for (frames, weight) in stacks {
        let line = lines.entry(folded(&frames)).or_default();
        *line = line.saturating_add(weight);
    }
    for (stack, weight) in lines {
        writeln!(out, "{stack} {weight}").map_err(OutputError::Write)?;
    }
    Ok(())
}

/// The names of `frames`, which are innermost first, outermost first.
fn folded(frames: &[&Frame]) -> String {
    if frames.is_empty() {
        return NOT_KNOWN.to_owned();
    }
    let names = frames.iter().rev().map(|frame| marked(frame));
    names.collect::<Vec<_>>().join(";")
}

/// The name of a function, and a mark if it is inlined.
pub(super) fn marked(frame: &Frame) -> String {
    let mut name = name(&frame.function);
    if frame.inlined {
        name.push_str("_[i]");
    }
    name
}

/// A name that neither ends a frame, a stack or a line early, nor is taken for a value or a remark.
pub(super) fn name(function: &str) -> String {
    let mut name = String::with_capacity(function.len().min(MAX_NAME));
    for c in function.trim().chars().take(MAX_NAME) {
        match c {
            // As perf's stackcollapse has it.
            ';' => name.push(':'),
            // `# ` begins a remark.
            '#' if name.is_empty() => name.push('_'),
            // XML has no way to write the last two.
            c if steers_terminal(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                name.extend(c.escape_unicode());
            }
            c if c.is_whitespace() => name.push(' '),
            c => name.push(c),
        }
    }
    // The value follows the last space.
    if let Some((start, end)) = name.rsplit_once(' ')
        && end.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        return format!("{start}_{end}");
    }
    if name.is_empty() {
        return UNNAMED.to_owned();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn lines(report: &Report, value: Value) -> Vec<String> {
        let mut out = Vec::new();
        write(report, value, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_stack_is_a_line() {
        let serve = "net/http.(*conn).serve;net/http.HandlerFunc.ServeHTTP;main.(*Server).order";
        assert_eq!(
            lines(&fixture::report(), Value::Bytes),
            [
                "[stack not known] 640".to_owned(),
                "net/http.(*conn).serve;main.render;strings.(*Builder).WriteString_[i];strings.(*Builder).grow_[i] 60049152".to_owned(),
                format!("{serve};main.(*Cache).Put 871366656"),
                format!("{serve};main.render;strings.(*Builder).WriteString_[i];strings.(*Builder).grow_[i] 256000000"),
            ]
        );
    }

    #[test]
    fn the_lines_add_up_to_the_totals() {
        let mut report = fixture::report();
        report.totals.allocs += 1000;
        for value in [Value::Bytes, Value::Allocs] {
            let lines = lines(&report, value);
            let weights = lines.iter().map(|line| line.rsplit_once(' ').unwrap().1);
            let sum: u64 = weights.map(|weight| weight.parse::<u64>().unwrap()).sum();
            assert_eq!(Some(sum), value.of(&report.totals), "{value:?}");
        }
    }

    #[test]
    fn no_name_breaks_a_line() {
        let check = |function: &str, expect: &str| assert_eq!(name(function), expect);
        check(
            "main.F[go.shape.struct { A int; B int }]",
            "main.F[go.shape.struct { A int: B int }]",
        );
        check("a\nb\r 7", "a\\u{a}b\\u{d}_7");
        check("a 1.5", "a_1.5");
        check("a 1 2", "a 1_2");
        check(" \u{a0} ", "[unknown]");
        check("# remark", "_ remark");
        check("\u{202e}evil\u{1b}[2J", "\\u{202e}evil\\u{1b}[2J");
        check("main.数", "main.数");
        assert_eq!(name(&"x".repeat(100_000)).len(), 400);
    }

    #[test]
    fn a_hostile_capture_is_written() {
        for value in [Value::Bytes, Value::Allocs, Value::Live, Value::Faults] {
            let mut out = Vec::new();
            drop(write(&fixture::nasty(), value, &mut out));
        }
    }

    #[test]
    fn a_figure_that_is_not_known_is_refused() {
        let error = write(&fixture::report(), Value::Live, &mut Vec::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot make a flame graph of live bytes: the capture has none; choose another --value"
        );
    }
}
