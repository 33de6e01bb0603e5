//! What the output can show: colour and width.

use super::args::{Color, Global, Show};
use super::sinks::StandardStream;
use crate::output::text::TextOptions;
use std::io::{IsTerminal as _, stderr, stdout};
use terminal_size::terminal_size_of;

/// Columns of text that does not go to a terminal.
const DEFAULT_WIDTH: usize = 100;

/// Whether a standard stream is to have colours.
pub(super) fn color(stream: StandardStream, global: &Global) -> bool {
    match global.color {
        Color::Always => true,
        Color::Never => false,
        // https://no-color.org: set and not empty.
        Color::Auto => {
            is_terminal(stream) && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// How to lay out text on a standard stream.
pub(super) fn options(stream: StandardStream, global: &Global, show: &Show) -> TextOptions {
    let size = match stream {
        StandardStream::Out => terminal_size_of(stdout()),
        StandardStream::Err => terminal_size_of(stderr()),
    };
    TextOptions {
        width: size.map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0)),
        color: color(stream, global),
        limit: show.limit,
        ..TextOptions::default()
    }
}

fn is_terminal(stream: StandardStream) -> bool {
    match stream {
        StandardStream::Out => stdout().is_terminal(),
        StandardStream::Err => stderr().is_terminal(),
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
