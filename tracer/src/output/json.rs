//! The saved capture, schema `tracer.capture/1`: written in full, read back without loss.
//!
//! This module owns the public schema and hides it from the rest of the program, which knows only
//! [`Report`]. A figure that was not measured is `null`; fields that a reader does not know are to be ignored.

mod decode;
mod encode;
pub(super) mod heap;
pub(super) mod maps;
pub(super) mod pages;
pub(super) mod schema;
mod stack_types;
mod words;

use std::io::{Read, Write};

use serde::Deserialize;

use super::OutputError;
use crate::findings;
use crate::report::{Grouped, Report};

/// The schema that this version writes and reads.
pub const SCHEMA: &str = "tracer.capture/1";

/// Bytes of the largest capture that is read: several times what one of 100,000 sites takes.
/// Reading takes some five times as much memory, of a capture that was made up to take much some twenty times.
const MAX_BYTES: u64 = 1 << 30;

/// Writes the whole report as one JSON document on one line, with the groups if there are any.
pub fn write(
    report: &Report,
    groups: Option<&Grouped>,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let findings = findings::find(report);
    let capture = schema::Capture::from(report).with_groups(groups);
    write_line(&capture.with_findings(&findings), out)
}

/// Reads what [`write()`] wrote; the input is held in memory once, and at most [`MAX_BYTES`] of it.
///
/// Refuses other schemas and documents whose parts contradict each other, so that every index and id in the answer
/// resolves.
pub fn read(input: &mut dyn Read) -> Result<Report, OutputError> {
    let bytes = read_up_to(MAX_BYTES, input)?;
    check_schema(&bytes)?;
    let capture: schema::Capture<'_> = serde_json::from_slice(&bytes).map_err(OutputError::Json)?;
    decode::report(capture)
}

/// Refuses a file by its size alone, before any of it is read.
pub fn check_size(bytes: u64) -> Result<(), OutputError> {
    if bytes >= MAX_BYTES {
        return Err(OutputError::TooLarge { limit: MAX_BYTES });
    }
    Ok(())
}

/// What does not begin as a capture is not read any further: the caller sees that it is none.
fn read_up_to(limit: u64, input: &mut dyn Read) -> Result<Vec<u8>, OutputError> {
    const HEAD: u64 = 4096;

    let mut bytes = Vec::new();
    let head = input.take(limit.min(HEAD)).read_to_end(&mut bytes);
    head.map_err(OutputError::Read)?;
    let first = bytes.trim_ascii_start().first();
    if first.is_some_and(|first| *first != b'{') {
        return Ok(bytes);
    }
    let rest = limit.saturating_sub(bytes.len() as u64);
    let read = input.take(rest).read_to_end(&mut bytes);
    read.map_err(OutputError::Read)?;
    // One that fills the limit exactly has no end within it.
    if bytes.len() as u64 == limit {
        return Err(OutputError::TooLarge { limit });
    }
    Ok(bytes)
}

/// Looks at the schema before anything else, because every other part may differ in another schema. It looks at the
/// first document of the input only, so that a stream is refused by its name and not by its second line.
fn check_schema(bytes: &[u8]) -> Result<(), OutputError> {
    #[derive(Deserialize)]
    struct Probe {
        schema: Option<String>,
    }
    const SHOWN: usize = 60;

    let probe = serde_json::Deserializer::from_slice(bytes)
        .into_iter::<Probe>()
        .next();
    let found = match probe {
        Some(probe) => probe.map_err(OutputError::Json)?.schema,
        None => {
            return Err(OutputError::Schema {
                found: "missing (the input is empty)".into(),
            });
        }
    };
    match found {
        Some(schema) if schema == SCHEMA => Ok(()),
        Some(schema) => {
            let shown: String = schema.chars().take(SHOWN).collect();
            Err(OutputError::Schema {
                found: format!("{shown:?}"),
            })
        }
        None => Err(OutputError::Schema {
            found: "missing".into(),
        }),
    }
}

/// Writes `value` as compact JSON, and a line feed.
pub(super) fn write_line(
    value: &impl serde::Serialize,
    mut out: &mut dyn Write,
) -> Result<(), OutputError> {
    serde_json::to_writer(&mut out, value).map_err(|error| OutputError::Write(error.into()))?;
    out.write_all(b"\n").map_err(OutputError::Write)
}

#[cfg(test)]
mod tests;
