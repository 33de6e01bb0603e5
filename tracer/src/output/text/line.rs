//! One line of styled text that keeps to a width and carries no control characters but its own.
//!
//! Function names, paths and types come from the target and from files: an escape sequence in one of them must not
//! reach the terminal.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use super::style::{FAINT, PLAIN};

const ELLIPSIS: &str = "…";
const SEPARATOR: &str = " · ";

/// Spans of text, each in one style.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    spans: Vec<(String, Style)>,
    width: usize,
}

impl Line {
    /// A line that starts with `text`.
    pub(super) fn starting(text: &str, style: Style) -> Self {
        let mut line = Self::default();
        line.push(text, style);
        line
    }

    /// Appends `text`, with what would steer the terminal replaced.
    pub(super) fn push(&mut self, text: &str, style: Style) {
        let text = harmless(text);
        self.width += width(&text);
        self.spans.push((text, style));
    }

    /// Appends blanks up to `column`.
    pub(super) fn pad_to(&mut self, column: usize) {
        let blanks = column.saturating_sub(self.width);
        if blanks > 0 {
            self.push(&" ".repeat(blanks), PLAIN);
        }
    }

    /// Appends `text` such that it ends at `column`.
    pub(super) fn push_right(&mut self, text: &str, column: usize, style: Style) {
        self.pad_to(column.saturating_sub(width(text)));
        self.push(text, style);
    }

    /// The line, `column` columns further to the right.
    pub(super) fn indented(mut self, column: usize) -> Self {
        self.spans.insert(0, (" ".repeat(column), PLAIN));
        self.width += column;
        self
    }

    /// Columns taken so far.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Writes the line in at most `columns` columns, cutting off the rest.
    pub(super) fn write(&self, columns: usize, color: bool, out: &mut dyn Write) -> io::Result<()> {
        for (text, style) in &self.clipped(columns).spans {
            if color && !style.is_plain() {
                write!(out, "{style}{text}{style:#}")?;
            } else {
                out.write_all(text.as_bytes())?;
            }
        }
        out.write_all(b"\n")
    }

    fn clipped(&self, columns: usize) -> Cow<'_, Self> {
        if self.width <= columns {
            return Cow::Borrowed(self);
        }
        let mut room = columns.saturating_sub(width(ELLIPSIS));
        let mut line = Self::default();
        for (text, style) in &self.spans {
            let kept = head(text, room);
            line.push(kept, *style);
            if kept.len() < text.len() {
                break;
            }
            room = room.saturating_sub(width(text));
        }
        line.push(ELLIPSIS, PLAIN);
        Cow::Owned(line)
    }
}

/// Continues `line` with `items` from column `indent` on, in as many lines as they need. An item that is longer than a
/// line is continued in the next.
pub(super) fn wrap(
    mut line: Line,
    indent: usize,
    items: &[(String, Style)],
    columns: usize,
) -> Vec<Line> {
    let mut lines = Vec::new();
    line.pad_to(indent);
    for (i, (text, style)) in items.iter().enumerate() {
        if i > 0 && line.width() + width(SEPARATOR) + width(text) > columns {
            lines.push(std::mem::take(&mut line));
            line.pad_to(indent);
        } else if i > 0 {
            line.push(SEPARATOR, FAINT);
        }
        if line.width() + width(text) <= columns {
            line.push(text, *style);
        } else {
            let mut flowing = flow(line, indent, text, *style, columns);
            line = flowing.pop().unwrap_or_default();
            lines.append(&mut flowing);
        }
    }
    lines.push(line);
    lines
}

/// Continues `line` with the words of a text from column `indent` on, in as many lines as it needs.
pub(super) fn flow(
    mut line: Line,
    indent: usize,
    text: &str,
    style: Style,
    columns: usize,
) -> Vec<Line> {
    let mut lines = Vec::new();
    line.pad_to(indent);
    let mut first = true;
    for word in text.split(' ') {
        if !first && line.width() + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
            line.pad_to(indent);
            first = true;
        }
        if !first {
            line.push(" ", style);
        }
        line.push(word, style);
        first = false;
    }
    lines.push(line);
    lines
}

/// `text` with what would steer the terminal replaced.
pub(crate) fn harmless(text: &str) -> String {
    let replaced = |c| {
        if steers_terminal(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(replaced).collect()
}

/// Columns that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// `text` in at most `columns` columns, its end cut off if need be.
pub(crate) fn cut_end(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let kept = head(text, columns.saturating_sub(width(ELLIPSIS)));
    format!("{}{ELLIPSIS}", kept.trim_end_matches(ELLIPSIS)).into()
}

/// `text` in at most `columns` columns, its start cut off if need be.
pub(crate) fn cut_start(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let mut room = columns.saturating_sub(width(ELLIPSIS));
    let kept = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| take(&mut room, *c));
    let from = kept.last().map_or(text.len(), |(at, _)| at);
    format!("{ELLIPSIS}{}", text.get(from..).unwrap_or_default()).into()
}

/// The longest start of `text` that fits.
fn head(text: &str, columns: usize) -> &str {
    let mut room = columns;
    let to = text
        .char_indices()
        .find(|(_, c)| !take(&mut room, *c))
        .map_or(text.len(), |(at, _)| at);
    text.get(..to).unwrap_or_default()
}

/// Takes the columns of `c` off `room`, or says that they are not there.
fn take(room: &mut usize, c: char) -> bool {
    room.checked_sub(char_width(c))
        .map(|left| *room = left)
        .is_some()
}

fn char_width(c: char) -> usize {
    // What steers the terminal is shown as a character of one column.
    if steers_terminal(c) {
        1
    } else {
        c.width().unwrap_or(1)
    }
}

/// `text` with such characters spelled out.
pub(in crate::output) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers_terminal) {
        return text.into();
    }
    let escaped = text.chars().map(|c| {
        if steers_terminal(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    });
    escaped.collect()
}

/// Whether `c` is a control character, or one that reorders or hides its neighbours.
pub(in crate::output) fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::style::{GOOD, STRONG};

    fn written(line: &Line, columns: usize, color: bool) -> String {
        let mut out = Vec::new();
        line.write(columns, color, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn items_that_are_longer_than_a_line_go_on_in_the_next() {
        let items = ["short", "heap 94.9 %, stack 0.6 %", "end"];
        let items = items.map(|item| (item.to_owned(), PLAIN));
        let lines = wrap(Line::starting("x", PLAIN), 2, &items, 20);
        let lines: Vec<String> = lines.iter().map(|line| written(line, 20, false)).collect();
        assert_eq!(
            lines,
            ["x short\n", "  heap 94.9 %, stack\n", "  0.6 % · end\n"]
        );
    }

    #[test]
    fn a_line_is_cut_at_its_width_and_not_before() {
        let mut line = Line::default();
        line.push("main.", PLAIN);
        line.push("数据", STRONG);
        assert_eq!(line.width(), 9);
        assert_eq!(written(&line, 9, false), "main.数据\n");
        assert_eq!(written(&line, 8, false), "main.数…\n");
        assert_eq!(written(&line, 7, false), "main.…\n");
        assert_eq!(written(&line, 6, false), "main.…\n");
        assert_eq!(written(&line, 3, false), "ma…\n");
    }

    #[test]
    fn escapes_come_from_styles_alone() {
        let mut line = Line::default();
        line.push("\u{1b}[2J\u{202e}evil\r\n", GOOD);
        let replaced = "\u{fffd}[2J\u{fffd}evil\u{fffd}\u{fffd}";
        assert_eq!(written(&line, 80, false), format!("{replaced}\n"));
        assert_eq!(
            written(&line, 80, true),
            format!("\u{1b}[32m{replaced}\u{1b}[0m\n")
        );
    }

    #[test]
    fn cutting_keeps_the_end_that_matters() {
        assert_eq!(cut_end("abcdef", 6), "abcdef");
        assert_eq!(cut_end("abcdef", 4), "abc…");
        assert_eq!(cut_start("abcdef", 4), "…def");
        assert_eq!(cut_start("数据", 3), "…据");
        assert_eq!(cut_start("数据", 2), "…");
        assert_eq!(cut_start("abc", 0), "…");
    }

    #[test]
    fn items_that_do_not_fit_go_on_below_their_label() {
        let items: Vec<_> = ["one", "two", "three"]
            .map(|item| (item.to_owned(), PLAIN))
            .into();
        let lines = wrap(Line::starting("label", PLAIN), 7, &items, 16);
        let text: Vec<_> = lines.iter().map(|line| written(line, 16, false)).collect();
        assert_eq!(text, ["label  one · two\n", "       three\n"]);
    }
}
