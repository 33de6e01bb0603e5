//! Where in a capture the figures of a line of a Go program are.

use crate::{list, number};
use serde_json::Value;

/// The sites whose innermost frame is a function, named as the runtime names it.
pub fn sites_in<'a>(capture: &'a Value, function: &str) -> Vec<&'a Value> {
    let sites = list(capture, "sites").iter();
    sites
        .filter(|site| site["frames"][0]["function"] == function)
        .collect()
}

/// The sum of a figure over rows.
///
/// # Panics
/// A row has none.
pub fn sum(rows: &[&Value], path: &str) -> u64 {
    rows.iter().map(|row| number(row, path)).sum()
}

/// The line of a Go source that a function ends in a mark, in words.
///
/// # Panics
/// There is none.
pub fn marked_line(source: &str, function: &str, mark: &str) -> u64 {
    let start = format!("func {}(", function.trim_start_matches("main."));
    let lines = (1..).zip(source.lines());
    let mut lines = lines.skip_while(|(_, line)| !line.starts_with(&start));
    let found = lines.find(|(_, line)| line.ends_with(mark));
    found
        .map(|(number, _)| number)
        .unwrap_or_else(|| panic!("no line of {function} ends in {mark:?}"))
}

/// The names of the rules among `rules` that found something, each once.
pub fn rules_found<'a>(capture: &Value, rules: &[&'a str]) -> Vec<&'a str> {
    let findings = list(capture, "findings");
    let found = |rule: &&&str| findings.iter().any(|finding| finding["rule"] == ***rule);
    rules.iter().filter(found).copied().collect()
}

/// Fails unless two figures differ by no more than a share of the second, or by a few that no share can tell.
///
/// # Panics
/// They do.
pub fn assert_close(what: &str, found: u64, expected: u64, share: f64, few: u64) {
    let off = found.abs_diff(expected);
    assert!(
        off <= few || off as f64 <= share * expected as f64,
        "{what}: {found}, expected {expected}"
    );
}
