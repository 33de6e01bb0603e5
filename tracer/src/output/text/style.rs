//! What each colour means: one name per meaning, so that the same thing looks the same everywhere.

use anstyle::{AnsiColor, Style};

/// Text without emphasis.
pub(super) const PLAIN: Style = Style::new();
/// What the eye should find first: functions, the name of the program.
pub(super) const STRONG: Style = Style::new().bold();
/// What is there for reference: paths, labels, callers.
pub(super) const FAINT: Style = Style::new().dimmed();
/// Bars and curves.
pub(super) const BAR: Style = AnsiColor::Cyan.on_default();
/// Nothing is missing.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Something has no name or place; the figures hold.
pub(super) const CAUTION: Style = AnsiColor::Yellow.on_default();
/// Figures are too low.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
