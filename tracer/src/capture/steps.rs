//! The governor's steps as a report has them.

use super::now::nanos;
use crate::governor::{self, Step};
use crate::plan::ProbePlan;
use crate::report::ModeStep;
use tracer_common::family::Extra;

pub(super) fn mode_step(step: &Step, plan: &ProbePlan) -> ModeStep {
    let what = match step.mode {
        governor::Mode::Without(Extra::MapWrites | Extra::MapGrowths) => "operations on maps",
        governor::Mode::Without(Extra::Faults) => "page faults",
        governor::Mode::Without(Extra::Assists) => "begins and ends of mark assists",
        governor::Mode::Without(Extra::Live) => "samples of the heap",
        _ => "allocations",
    };
    let why = format!(
        "recording {:.0} {what}/s takes {:.1} % of its CPU",
        step.hits_per_s,
        100.0 * step.share
    );
    let (mode, meaning) = match &step.mode {
        governor::Mode::Exact => ("exact", "each is recorded".to_owned()),
        governor::Mode::Sampling { distance_bytes } => (
            "sampling",
            format!("one in about {distance_bytes} bytes is recorded"),
        ),
        governor::Mode::Windows { rows } => {
            let rows = rows
                .iter()
                .filter_map(|row| plan.rows.get(usize::from(*row)));
            let names: Vec<String> = rows
                .map(|row| format!("windows for {}", row.function))
                .collect();
            ("windows", names.join("; "))
        }
        governor::Mode::Without(Extra::MapWrites) => (
            "no_map_writes",
            "of maps only growth is recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::MapGrowths) => (
            "no_map_growths",
            "growth of maps is not recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::Faults) => (
            "no_faults",
            "page faults are not recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::Assists) => (
            "no_assists",
            "mark assists are not recorded from here on".to_owned(),
        ),
        governor::Mode::Without(Extra::Live) => (
            "no_live",
            "what of the heap is alive is not recorded from here on".to_owned(),
        ),
    };
    ModeStep {
        at_ns: nanos(step.at),
        mode: mode.to_owned(),
        reason: format!("{why}; {meaning}"),
    }
}
