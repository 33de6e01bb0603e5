//! Which keys there are: all of them in the help, the most useful ones below everything.

use super::palette::{Palette, span};
use super::shapes::width_of;
use crate::output::text::line::{cut_start, width};
use crate::tui::state::State;
use ratatui::text::Line;

/// Columns of the keys in the help.
const KEYS: usize = 22;

const HELP: [(&str, &str); 17] = [
    ("Tab, ←, →, 1 to 4", "sites, types, maps, findings"),
    ("↑, ↓, j, k", "select"),
    ("PgUp, PgDn, Home, End", "select further away"),
    ("Enter", "everything about what is selected"),
    ("Esc", "go back; show what the filter hides"),
    ("s, S", "sort by the next column, by the one before"),
    ("/", "filter by a part of a name, a file or a type"),
    ("r", "rates of the last interval, or sums since the start"),
    ("p, Space", "freeze the screen; recording goes on"),
    ("w", "keep the capture as ./tracer-PID-TIME.json"),
    ("?, h", "this help"),
    ("q, Ctrl-C", "end"),
    ("", ""),
    (
        "live",
        "bytes alive by the runtime's heap profile, if it is on",
    ),
    (
        "growth",
        "how fast they grow, where that is more than noise",
    ),
    ("lost", "allocations that could not be recorded"),
    ("-", "not measured"),
];

/// What is shown instead of the list.
pub(super) fn lines(palette: &Palette) -> Vec<Line<'static>> {
    let line = |(keys, meaning): &(&str, &str)| {
        Line::from(vec![
            span(&format!(" {keys:KEYS$}"), palette.strong),
            span(meaning, palette.plain),
        ])
    };
    HELP.iter().map(line).collect()
}

/// The last line: a message, the filter while it is typed, else what can be done here.
pub(super) fn footer(state: &State, palette: &Palette, columns: usize) -> Line<'static> {
    if let Some(message) = state.message() {
        let style = if message.is_error {
            palette.bad
        } else {
            palette.good
        };
        return span(&message.text, style).into();
    }
    let (filter, is_typing) = state.filter();
    if is_typing {
        let end = format!(
            "  {} of {} · Enter keeps it, Esc clears it",
            state.rows().len(),
            state.rows_without_filter()
        );
        let room = columns.saturating_sub(2 + width(&end)).max(columns / 3);
        return Line::from(vec![
            span("/", palette.strong),
            span(&cut_start(filter, room), palette.strong),
            span(" ", palette.selected),
            span(&end, palette.faint),
        ]);
    }
    let keys: &[(&str, &str)] = if state.is_help() {
        &[("Esc", "back"), ("↑↓", "scroll"), ("q", "quit")]
    } else if state.opened().is_some() {
        &[
            ("Esc", "back"),
            ("↑↓", "scroll"),
            ("p", "freeze"),
            ("w", "keep"),
            ("?", "help"),
            ("q", "quit"),
        ]
    } else {
        &[
            ("?", "help"),
            ("q", "quit"),
            ("Enter", "open"),
            ("Tab", "next list"),
            ("s", "sort"),
            ("/", "filter"),
            ("r", "rates/sums"),
            ("p", "freeze"),
            ("w", "keep"),
        ]
    };
    let mut line = Vec::new();
    for (key, act) in keys {
        let hint = [
            span(&format!(" {key}"), palette.strong),
            span(&format!(" {act} "), palette.faint),
        ];
        if width_of(&line) + width_of(&hint) > columns {
            break;
        }
        line.extend(hint);
    }
    line.into()
}
