//! `tracer top`: a process on the whole screen.

use super::args::{Global, Top};
use anyhow::bail;

pub(super) fn run(args: &Top, global: &Global) -> anyhow::Result<()> {
    let _ = (&args.target, args.interval, args.sort, global);
    bail!("cannot show pid {}", args.target.pid)
}
