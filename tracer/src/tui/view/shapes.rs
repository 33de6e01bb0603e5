//! Pieces of lines: items that fit, flowing text, bars.

use super::palette::span;
use crate::output::text::line::width;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

const SEPARATOR: &str = " · ";

/// Text and how it looks.
pub(super) type Item = (String, Style);

/// As many items as fit, one after another.
pub(super) fn fitting(items: &[Item], separator: Style, columns: usize) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut room = columns;
    for (text, style) in items.iter().filter(|(text, _)| !text.is_empty()) {
        let gap = if spans.is_empty() {
            0
        } else {
            width(SEPARATOR)
        };
        let Some(left) = room.checked_sub(gap + width(text)) else {
            continue;
        };
        if gap > 0 {
            spans.push(span(SEPARATOR, separator));
        }
        spans.push(span(text, *style));
        room = left;
    }
    spans
}

/// The words of a text, in as many lines as they need.
pub(super) fn flow(text: &str, indent: usize, style: Style, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let start = " ".repeat(indent);
    let mut line = start.clone();
    for word in text.split(' ') {
        let is_first = line.len() == indent;
        if !is_first && width(&line) + 1 + width(word) > columns {
            lines.push(span(&line, style).into());
            line.clone_from(&start);
        } else if !is_first {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(span(&line, style).into());
    lines
}

/// A bar of at most `cells` cells, as long as `part` is to `whole`.
pub(super) fn bar(part: u64, whole: u64, cells: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if whole == 0 || part == 0 {
        return String::new();
    }
    let all = cells as u128 * 8;
    // At least an eighth: it is not nothing.
    let eighths = (u128::from(part.min(whole)) * all / u128::from(whole)).max(1);
    let mut bar = "█".repeat(usize::try_from(eighths / 8).unwrap_or(cells));
    let rest = usize::try_from(eighths % 8).unwrap_or(0);
    if let Some(end) = EIGHTHS.get(rest).filter(|_| rest > 0) {
        bar.push(*end);
    }
    bar
}

/// Columns that spans take.
pub(super) fn width_of(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|part| width(&part.content)).sum()
}
