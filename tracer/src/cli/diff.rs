//! `tracer diff`: what changed from one saved capture to another.

use super::args::{Diff, Global};
use super::report::read;
use super::sinks::{Sinks, StandardStream};
use crate::output::OutputError;

pub(super) fn run(args: &Diff, global: &Global) -> anyhow::Result<()> {
    read(&args.base)?;
    read(&args.candidate)?;
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    sinks.each(global, usize::MAX, |_, _, out| {
        out.flush().map_err(OutputError::Write)
    })
}
