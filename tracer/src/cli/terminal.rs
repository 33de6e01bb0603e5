//! What the output can show: colour and width.

use super::args::{Color, Global};
use super::sinks::StandardStream;
use crate::output::text::TextOptions;
use anstream::{AutoStream, ColorChoice};
use std::io::{stderr, stdout};
use terminal_size::terminal_size_of;

/// Columns of text that does not go to a terminal.
const DEFAULT_WIDTH: usize = 100;

/// How to lay out text of at most so many rows on a standard stream.
pub(super) fn options(stream: StandardStream, global: &Global, limit: usize) -> TextOptions {
    let (usual, size) = match stream {
        StandardStream::Out => (AutoStream::choice(&stdout()), terminal_size_of(stdout())),
        StandardStream::Err => (AutoStream::choice(&stderr()), terminal_size_of(stderr())),
    };
    let color = match global.color {
        _ if global.no_color => false,
        Color::Always => true,
        Color::Never => false,
        // On a terminal that can, with what NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
        Color::Auto => usual != ColorChoice::Never,
    };
    TextOptions {
        width: size.map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0)),
        color,
        limit,
        ..TextOptions::default()
    }
}

/// How to lay out text in a file.
pub(super) fn file_options(limit: usize) -> TextOptions {
    TextOptions {
        width: DEFAULT_WIDTH,
        color: false,
        limit,
        ..TextOptions::default()
    }
}
