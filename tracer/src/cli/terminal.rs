//! What the output can show: colour and width.

use super::args::{Color, Global, Show};
use crate::output::text::TextOptions;
use std::io::{IsTerminal as _, stdout};

/// Columns of text that does not go to a terminal.
const DEFAULT_WIDTH: usize = 100;

/// Whether standard output is to have colours.
pub(super) fn stdout_color(global: &Global) -> bool {
    match global.color {
        Color::Always => true,
        Color::Never => false,
        // https://no-color.org: set and not empty.
        Color::Auto => {
            stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// How to lay out text on standard output.
pub(super) fn stdout_options(global: &Global, show: &Show) -> TextOptions {
    let width = terminal_size::terminal_size()
        .filter(|_| stdout().is_terminal())
        .map(|(width, _)| usize::from(width.0));
    TextOptions {
        width: width.unwrap_or(DEFAULT_WIDTH),
        color: stdout_color(global),
        limit: show.limit,
        ..TextOptions::default()
    }
}

/// How to lay out text in a file.
pub(super) fn file_options(show: &Show) -> TextOptions {
    TextOptions {
        width: DEFAULT_WIDTH,
        color: false,
        limit: show.limit,
        ..TextOptions::default()
    }
}
