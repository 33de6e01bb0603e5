//! `tracer report`: a saved capture, shown again.

use super::args::{Global, Report};
use super::progress::Progress;
use super::sinks::{Sinks, StandardStream};
use crate::output::json;
use crate::report;
use anyhow::{Context as _, bail};
use std::fs::File;
use std::path::Path;

pub(super) fn run(args: &Report, global: &Global) -> anyhow::Result<()> {
    let report = read(&args.file)?;
    if let Some(lacking) = args.show.not_in(&report) {
        bail!(
            "cannot group by {lacking}: {} has none; record it with --mode sampled",
            args.file.display()
        );
    }
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    sinks.write(&report, global, &args.show, output.value)
}

/// Reads a saved capture.
///
/// # Errors
/// The file cannot be read, or is no capture.
pub(super) fn read(path: &Path) -> anyhow::Result<report::Report> {
    let shown = path.display();
    let file = File::open(path).with_context(|| {
        format!("cannot read {shown}: give a capture that `tracer record -o FILE.json` has written")
    })?;
    let metadata = file.metadata().ok();
    let bytes = metadata.filter(|metadata| metadata.is_file());
    let bytes = bytes.map(|metadata| metadata.len());
    if let Some(bytes) = bytes {
        json::check_size(bytes).with_context(|| format!("cannot use {shown}"))?;
    }
    let progress = Progress::of_bytes(format!("reading {shown}"), bytes);
    let reader = &mut progress.reader(file, format!("making sense of {shown}"));
    json::read(reader).with_context(|| format!("cannot use {shown}"))
}
