//! `tracer report`: a saved capture, shown again.

use super::args::{Global, Report};
use super::sinks::{Sinks, StandardStream};
use crate::output::json;
use anyhow::Context as _;
use std::fs::File;
use std::io::BufReader;

pub(super) fn run(args: &Report, global: &Global) -> anyhow::Result<()> {
    let path = args.file.display();
    let file = File::open(&args.file).with_context(|| {
        format!("cannot read {path}: give a capture that `tracer record -o FILE.json` has written")
    })?;
    let report =
        json::read(&mut BufReader::new(file)).with_context(|| format!("cannot use {path}"))?;
    Sinks::open(&args.output, StandardStream::Out, global, &args.show)?.write(&report)
}
