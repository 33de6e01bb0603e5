//! Turns a [`Report`] into bytes, one file per format.
//!
//! Outputs write to the writer they are given and do nothing else: no files, no terminal detection, no clock. This module
//! hides which formats exist and how each one lays out its bytes.

pub mod diff;
pub mod flame;
pub mod folded;
#[cfg(test)]
mod golden;
pub mod html;
pub mod json;
#[cfg(test)]
mod loss;
pub mod ndjson;
pub mod pprof;
pub mod text;

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::report::{Grouped, Report, Value};
use crate::units;
use text::TextOptions;

/// A form in which a report can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, at a terminal or in a `.txt` file.
    Text,
    /// The full capture, which [`json::read`] reads back.
    Json,
    /// The lines of a stream: see [`ndjson`].
    Ndjson,
    /// One page with everything in it, for people.
    Html,
    /// A gzipped `profile.proto`, for `go tool pprof`.
    Pprof,
    /// A flame graph.
    Svg,
    /// Stacks and a value, one stack on a line.
    Folded,
}

/// File name endings of the formats that exist.
const ENDINGS: [(&str, Format); 7] = [
    (".txt", Format::Text),
    (".json", Format::Json),
    (".ndjson", Format::Ndjson),
    (".html", Format::Html),
    (".pb.gz", Format::Pprof),
    (".svg", Format::Svg),
    (".folded", Format::Folded),
];

impl Format {
    /// Whether it is no text, and would do a terminal no good.
    pub fn is_binary(self) -> bool {
        self == Format::Pprof
    }

    /// The format that the file name of `path` asks for.
    pub fn of_path(path: &Path) -> Result<Self, OutputError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ENDINGS
            .iter()
            .find(|(ending, _)| name.ends_with(ending))
            .map(|&(_, format)| format)
            .ok_or_else(|| OutputError::UnknownFormat {
                path: path.to_owned(),
            })
    }
}

/// How to render, where a format leaves a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Of [`Format::Text`].
    pub text: TextOptions,
    /// What flame graphs are made of.
    pub value: Value,
}

/// Writes `report`, by groups if there are any and the format shows groups, to `out` and flushes it.
pub fn render(
    format: Format,
    report: &Report,
    groups: Option<&Grouped>,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut out = BufWriter::new(out);
    match format {
        Format::Text => text::write(report, groups, &options.text, &mut out)?,
        Format::Json => json::write(report, groups, &mut out)?,
        Format::Ndjson => ndjson::write(report, groups, &mut out)?,
        Format::Html => html::write(report, options.value, &mut out)?,
        Format::Pprof => pprof::write(report, &mut out)?,
        Format::Svg => flame::write(report, options.value, &mut out)?,
        Format::Folded => folded::write(report, options.value, &mut out)?,
    }
    out.flush().map_err(OutputError::Write)
}

/// Why a report could not be written, or read back.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The file name does not say which format to write.
    #[error(
        "cannot tell an output format from the file name {path:?}: end it in .txt, .json, .ndjson, .html, .pb.gz, .svg or .folded"
    )]
    UnknownFormat {
        /// The path whose file name has no known ending.
        path: PathBuf,
    },
    /// The writer failed.
    #[error("cannot write the report")]
    Write(#[source] io::Error),
    /// The reader failed.
    #[error("cannot read the capture")]
    Read(#[source] io::Error),
    /// There are more bytes than a capture has.
    #[error(
        "cannot read the capture: it has {} or more, and no capture is so large",
        units::bytes(*.limit)
    )]
    TooLarge {
        /// Where reading ended.
        limit: u64,
    },
    /// The bytes are not JSON, or lack a part that the schema demands.
    #[error("cannot read the capture: it is not a whole {} document", json::SCHEMA)]
    Json(#[source] serde_json::Error),
    /// The document follows another schema.
    #[error(
        "cannot read the capture: its schema is {found}, and this version reads {}",
        json::SCHEMA
    )]
    Schema {
        /// What the document says of itself.
        found: String,
    },
    /// What flame graphs should be made of was not recorded.
    #[error("cannot make a flame graph of {value}: the capture has none; choose another --value")]
    NoValue {
        /// What was asked for.
        value: &'static str,
    },
    /// A comparison has no such form.
    #[error(
        "cannot write a comparison as {format}: choose text, json, html, svg or folded, in files .txt, .json, .html, .svg or .folded"
    )]
    NoComparison {
        /// What was asked for.
        format: &'static str,
    },
    /// Parts of the document contradict each other.
    #[error("cannot read the capture: {0}")]
    Inconsistent(String),
}

impl OutputError {
    /// Whether the reader of the output went away, which is a clean end and no failure.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_file_name_says_the_format() {
        let check = |path: &str, expect: Format| {
            assert_eq!(Format::of_path(Path::new(path)).unwrap(), expect, "{path}");
        };
        check("report.txt", Format::Text);
        check("/tmp/a.b/capture.json", Format::Json);
        check("capture.json.ndjson", Format::Ndjson);
        check("heap.pb.gz", Format::Pprof);
        check("a.folded", Format::Folded);
        check("a.svg", Format::Svg);
        check("a.html", Format::Html);
    }

    #[test]
    fn a_format_that_does_not_exist_is_refused_with_those_that_do() {
        for path in ["heap.pb", "a.gz", "a.htm", "json", "a.json/b", "..", ""] {
            let error = Format::of_path(Path::new(path)).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "cannot tell an output format from the file name {path:?}: end it in .txt, .json, .ndjson, .html, .pb.gz, .svg or .folded"
                )
            );
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_failures() {
        let report = fixture::report();
        for (_, format) in ENDINGS {
            let error =
                render(format, &report, None, &Options::default(), &mut Closed).unwrap_err();
            assert!(error.is_closed_pipe(), "{format:?}: {error:?}");
        }
        assert!(!OutputError::Write(io::ErrorKind::StorageFull.into()).is_closed_pipe());
    }
}
