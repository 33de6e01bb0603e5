//! Fatal errors and panics with their stacks.

use super::Crash;
use crate::aggregate::Totals;
use crate::plan::MapPlan;
use crate::report::Frame;
use crate::symbolize::Symbols;

/// Most frames of a crash that are shown.
const MAX_FRAMES: usize = 32;

pub(in crate::report) fn build(
    totals: &Totals,
    symbols: &Symbols,
    plan: &MapPlan,
    start_ns: u64,
) -> Vec<Crash> {
    let crashes = totals.maps.crashes.iter().map(|crash| {
        let row = plan.crashes.get(usize::from(crash.row));
        let pcs = totals.frames.get(&crash.stack);
        let pcs = pcs.map(|frames| &*frames.pcs).unwrap_or_default();
        let frames = symbols
            .stack(pcs)
            .flatten()
            .skip_while(|frame| frame.is_runtime());
        Crash {
            function: row.map(|row| row.function.clone()).unwrap_or_default(),
            message: crash
                .message
                .as_deref()
                .map(|message| String::from_utf8_lossy(message).into_owned())
                .unwrap_or_default(),
            goroutine: crash.goroutine,
            frames: frames.take(MAX_FRAMES).map(Frame::from).collect(),
            t_ns: crash.time_ns.saturating_sub(start_ns),
            count: crash.count,
        }
    });
    crashes.collect()
}
