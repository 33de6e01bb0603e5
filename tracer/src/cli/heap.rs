//! `tracer heap`: what is alive on a process's heap, without a probe.

use super::args::{self, Global};
use super::attach::on_runtime;
use super::progress::Progress;
use super::sinks::{Sinks, StandardStream};
use crate::capture::Inspection;
use anyhow::bail;

pub(super) fn run(args: &args::Heap, global: &Global) -> anyhow::Result<()> {
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    on_runtime(async {
        let inspection = Inspection::start(args.pid, args.duration, args.interval)?;
        if let Some(reason) = inspection.unavailable() {
            let target = inspection.target();
            bail!(
                "cannot read the heap of {} (pid {}): {reason}; `tracer record --mode sampled` shows what allocates",
                target.exe,
                target.pid
            );
        }
        let looking = Progress::of(match args.duration {
            Some(duration) => format!(
                "looking at the heap for {}, Ctrl-C ends it",
                humantime::format_duration(duration)
            ),
            None => "reading the heap profile".to_owned(),
        });
        let report = inspection.finish().await?;
        drop(looking);
        sinks.write(&report, global, &args.show, output.value)
    })
}
