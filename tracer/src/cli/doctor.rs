//! `tracer doctor`: what this host, and a target, can do.

use super::args::{DEFAULT_BUDGET, Doctor, Global, percent};
use super::sinks::{StandardStream, print};
use super::terminal;
use crate::capture::{Prepared, Wanted};
use crate::doctor::{self, Host, Target};
use crate::kernel;
use anyhow::{anyhow, bail};

pub(super) fn run(args: &Doctor, global: &Global) -> anyhow::Result<()> {
    let color = terminal::options(StandardStream::Out, global, 0).color;
    let host = Host::examine();
    let verdict = doctor::verdict(&host);
    print(&doctor::of_host(&host, color)?)?;
    // Whatever is wrong with the process, the verdict on the host comes.
    let target = args.pid.map_or(Ok(()), |pid| {
        of_target(pid, args.explain, verdict.can_trace)
    });
    print(&doctor::of_verdict(&verdict)?)?;
    target?;
    kernel::require()?;
    if !verdict.can_trace {
        bail!("this host cannot trace: see the lines above");
    }
    Ok(())
}

fn of_target(pid: i32, explain: bool, can_trace: bool) -> anyhow::Result<()> {
    let budget = percent(DEFAULT_BUDGET).map_err(|error| anyhow!("{error}"))?;
    // First, because it says why a process cannot be traced.
    let prepared = Prepared::new(pid, Wanted::ALL)?;
    let target = Target::examine(pid, can_trace)?;
    print(&doctor::of_target(&target, budget)?)?;
    if explain {
        print(&format!("\n{}", prepared.plan()))?;
    }
    Ok(())
}
