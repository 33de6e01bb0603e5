//! Exact mode against the exact profiler that Go has built in, by Go version: the comparison that decides which of the
//! two to use. More pairs of fewer rows than in the table of overheads.

use anyhow::Result;
use serde::Serialize;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn,
    overhead::{compare, figures, measure},
    rows::{EXACT, EXACT_PROFILE, Figure, NOTHING, Ratio, Row},
    stats::Summary,
    table::{self, Table},
};

const ROWS: [Row; 3] = [NOTHING, EXACT_PROFILE, EXACT];

/// Before and after the compiler began to call size-specialised allocators.
const VERSIONS: [&str; 2] = ["1.25", "1.27"];

const RATIO: Ratio = Ratio {
    what: "slow-down: exact over Go's own exact profiler",
    figure: Figure::SlowDown,
    of: (EXACT.id, EXACT_PROFILE.id),
    limit: Limit::AtMost(0.8),
};

/// The same by what an allocation takes more of the target's CPU time, which nothing else on the machine changes.
const CPU_RATIO: Ratio = Ratio {
    what: "CPU time added to an allocation: exact over Go's own exact profiler",
    figure: Figure::AddedTime,
    ..RATIO
};

#[derive(Debug, Serialize)]
struct Version {
    go: &'static str,
    profile_slow_down: Option<Summary>,
    exact_slow_down: Option<Summary>,
    ratio: Option<Summary>,
    added_cpu_ratio: Option<Summary>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let versions: Vec<Version> = VERSIONS
        .iter()
        .map(|release| pairs(bench, churn::version(release)?))
        .collect::<Result<_>>()?;
    let budgets = versions.iter().filter_map(|version| {
        let what = format!("{}, Go {}", RATIO.what, version.go);
        Budget::of(what, RATIO.limit, version.ratio, "×")
    });
    Ok(Outcome {
        budgets: budgets.collect(),
        data: serde_json::to_value(&versions)?,
        tables: vec![table(&versions)],
    })
}

fn pairs(bench: &Bench, go: &'static str) -> Result<Version> {
    let rounds = measure(bench, go, &ROWS, bench.rounds)?;
    let rows = figures(&ROWS, &rounds);
    let slow_down = |row: &Row| rows.iter().find(|found| found.id == row.id)?.slow_down;
    Ok(Version {
        go,
        profile_slow_down: slow_down(&EXACT_PROFILE),
        exact_slow_down: slow_down(&EXACT),
        ratio: compare(&ROWS, &rounds, &RATIO),
        added_cpu_ratio: compare(&ROWS, &rounds, &CPU_RATIO),
    })
}

fn table(versions: &[Version]) -> Table {
    let rows = versions.iter().map(|version| {
        vec![
            format!("Go {}", version.go),
            table::range(version.profile_slow_down),
            table::range(version.exact_slow_down),
            table::range(version.ratio),
            table::range(version.added_cpu_ratio),
            table::optional(version.ratio, |ratio| ratio.count.to_string()),
        ]
    });
    Table {
        title: "Exact mode against Go's own exact profiler (MemProfileRate=1), in pairs".to_owned(),
        header: vec![
            "",
            "profiler, slow-down ×",
            "tracer, slow-down ×",
            "tracer / profiler",
            "the same by CPU time added",
            "pairs",
        ],
        rows: rows.collect(),
        notes: Vec::new(),
    }
}
