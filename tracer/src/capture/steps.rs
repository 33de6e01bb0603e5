//! The governor's steps as a report has them.

use super::now::nanos;
use crate::governor::{self, Step};
use crate::plan::ProbePlan;
use crate::report::{self, ModeStep};
use tracer_common::family::Extra;

pub(super) fn mode_step(step: &Step, plan: &ProbePlan) -> ModeStep {
    let what = match step.level {
        governor::Level::Without(Extra::MapWrites | Extra::MapGrowths) => "operations on maps",
        governor::Level::Without(Extra::Faults) => "page faults",
        governor::Level::Without(Extra::Assists) => "begins and ends of mark assists",
        governor::Level::Without(Extra::Live) => "samples of the heap",
        _ => "allocations",
    };
    let why = format!(
        "recording {:.0} {what}/s takes {:.1} % of its CPU",
        step.hits_per_s,
        100.0 * step.share
    );
    let (to, meaning) = match &step.level {
        governor::Level::Exact => (report::Step::Exact, "each is recorded".to_owned()),
        governor::Level::Sampling { distance_bytes } => (
            report::Step::Sampling,
            format!("one in about {distance_bytes} bytes is recorded"),
        ),
        governor::Level::Windows { rows } => {
            let rows = rows
                .iter()
                .filter_map(|row| plan.rows.get(usize::from(*row)));
            let names: Vec<String> = rows
                .map(|row| format!("windows for {}", row.function))
                .collect();
            (report::Step::Windows, names.join("; "))
        }
        governor::Level::Without(extra) => {
            let meaning = match extra {
                Extra::MapWrites => "of maps only growth is recorded from here on",
                Extra::MapGrowths => "growth of maps is not recorded from here on",
                Extra::Faults => "page faults are not recorded from here on",
                Extra::Assists => "mark assists are not recorded from here on",
                Extra::Live => "what of the heap is alive is not recorded from here on",
            };
            (report::Step::Without(*extra), meaning.to_owned())
        }
    };
    ModeStep {
        at_ns: nanos(step.at),
        to,
        reason: format!("{why}; {meaning}"),
    }
}
