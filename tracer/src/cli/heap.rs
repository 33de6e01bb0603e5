//! `tracer heap`: what is alive on a process's heap, without a probe.

use super::args::{self, Global};
use super::config;
use super::driving::{self, Files};
use super::progress::Progress;
use super::sinks::{Sinks, StandardStream};
use crate::capture::{Capture, Prepared, Wanted};
use crate::drive::{Consumer, Driver};
use crate::report::Report;
use anyhow::bail;
use std::time::Duration;

pub(super) fn run(args: &args::Heap, global: &Global) -> anyhow::Result<()> {
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    let prepared = Prepared::new(args.pid, Wanted::NOTHING)?;
    let mut driver = Driver::new(config::looking(args))?;
    driver.start(vec![prepared], &config::look())?;
    let mut looking = Looking {
        duration: args.duration,
        progress: None,
    };
    let mut files = Files::new(sinks, global, &args.show, output.value);
    driving::drive(driver, &mut [&mut looking, &mut files])
}

/// Says that it is looked, if there is something to see.
struct Looking {
    duration: Option<Duration>,
    progress: Option<Progress>,
}

impl Consumer for Looking {
    fn started(&mut self, capture: &mut Capture) -> anyhow::Result<()> {
        if let Some(reason) = capture.heap_unavailable() {
            let target = capture.target();
            bail!(
                "cannot read the heap of {} (pid {}): {reason}; `tracer record --mode sampled` shows what allocates",
                target.exe,
                target.pid
            );
        }
        self.progress = Some(Progress::of(match self.duration {
            Some(duration) => format!(
                "looking at the heap for {}, Ctrl-C ends it",
                humantime::format_duration(duration)
            ),
            None => "reading the heap profile".to_owned(),
        }));
        Ok(())
    }

    fn ended(&mut self, _report: &Report) -> anyhow::Result<()> {
        self.progress = None;
        Ok(())
    }
}
