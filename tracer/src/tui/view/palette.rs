//! What each style means, with colours or without, and the only way for text into a frame.

use crate::output::text::line::harmless;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// One style per meaning.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Text without emphasis.
    pub(super) plain: Style,
    /// What the eye should find first.
    pub(super) strong: Style,
    /// What is there for reference.
    pub(super) faint: Style,
    /// Bars, curves and types.
    pub(super) bar: Style,
    /// Nothing is missing.
    pub(super) good: Style,
    /// To be noticed.
    pub(super) caution: Style,
    /// Something is lost, or dies.
    pub(super) bad: Style,
    /// What is selected.
    pub(super) selected: Style,
    /// Titles of columns.
    pub(super) title: Style,
}

impl Palette {
    /// Styles with colours, or with emphasis only.
    pub fn new(color: bool) -> Self {
        let plain = Style::new();
        let strong = plain.add_modifier(Modifier::BOLD);
        let faint = plain.add_modifier(Modifier::DIM);
        let colored = |style: Style, color_of: Color| {
            if color { style.fg(color_of) } else { style }
        };
        Palette {
            plain,
            strong,
            faint,
            bar: colored(plain, Color::Cyan),
            good: colored(plain, Color::Green),
            caution: colored(plain, Color::Yellow),
            bad: colored(strong, Color::Red),
            selected: plain.add_modifier(Modifier::REVERSED),
            title: plain.add_modifier(Modifier::UNDERLINED),
        }
    }
}

/// Text in a style, with what would steer the terminal replaced.
pub(super) fn span(text: &str, style: Style) -> Span<'static> {
    Span::styled(harmless(text), style)
}
