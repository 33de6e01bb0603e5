//! `tracer doctor`: what this host, and a target, can do.

use super::args::{Doctor, Global};
use super::sinks::{StandardStream, print};
use super::terminal;
use crate::capture::{Prepared, Wanted};
use crate::kernel::{self, Verdict};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

pub(super) fn run(args: &Doctor, global: &Global) -> anyhow::Result<()> {
    let color = terminal::options(StandardStream::Out, global, 0).color;
    let mut text = String::new();
    for check in kernel::doctor() {
        let (mark, style, remedy) = match &check.verdict {
            Verdict::Ok => ("ok", AnsiColor::Green, String::new()),
            Verdict::Limited(remedy) => ("less", AnsiColor::Yellow, format!(": {remedy}")),
            Verdict::Fail(remedy) => ("FAIL", AnsiColor::Red, format!(": {remedy}")),
        };
        let style = if color {
            Style::new().fg_color(Some(style.into()))
        } else {
            Style::new()
        };
        writeln!(
            text,
            "{style}{mark:>4}{style:#}  {:<10} {}{remedy}",
            check.what, check.found
        )?;
    }
    print(&text)?;
    if let Some(pid) = args.pid {
        target(pid)?;
    }
    Ok(kernel::require()?)
}

fn target(pid: i32) -> anyhow::Result<()> {
    let prepared = Prepared::new(pid, Wanted::ALL)?;
    let target = prepared.target();
    let yes = |flag| if flag { "yes" } else { "no" };
    print(&format!(
        "\npid {}: {}\n{} {}, stripped: {}, position independent: {}, cgo: {}\n\n{}",
        target.pid,
        target.exe,
        target.go_version,
        target.arch,
        yes(target.stripped),
        yes(target.pie),
        yes(target.cgo),
        prepared.plan()
    ))
}
