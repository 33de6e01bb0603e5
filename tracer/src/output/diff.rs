//! Turns a [`Comparison`] of two captures into bytes, in the formats that show one.

mod html;
pub mod json;
mod stacks;

use std::io::{BufWriter, Write};

use super::{Format, Options, OutputError, text};
use crate::compare::{Comparison, Verdict};

/// Refuses a format in which there are no comparisons.
pub fn check(format: Format) -> Result<(), OutputError> {
    match format {
        Format::Text | Format::Json | Format::Html | Format::Svg | Format::Folded => Ok(()),
        Format::Ndjson => Err(OutputError::NoComparison { format: "ndjson" }),
        Format::Pprof => Err(OutputError::NoComparison { format: "pprof" }),
    }
}

/// Writes a comparison to `out`, with what became of the rules if the format shows that, and flushes it.
pub fn render(
    format: Format,
    comparison: &Comparison<'_>,
    verdicts: &[Verdict],
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    check(format)?;
    let mut out = BufWriter::new(out);
    match format {
        Format::Json => json::write(comparison, verdicts, &mut out)?,
        Format::Svg => stacks::write_svg(comparison, options.value, &mut out)?,
        Format::Folded => stacks::write_folded(comparison, options.value, &mut out)?,
        Format::Html => html::write(comparison, verdicts, options.value, &mut out)?,
        _ => text::write_comparison(comparison, &options.text, &mut out)?,
    }
    out.flush().map_err(OutputError::Write)
}

#[cfg(test)]
mod tests;
