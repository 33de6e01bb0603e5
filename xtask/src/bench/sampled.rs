//! What mode sampled costs a program that does nothing but allocate, against the same program without a tracer: once
//! where the runtime's heap profiler is on, once where it is off. The difference is small: more rounds than elsewhere.

use anyhow::Result;
use serde::Serialize;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    observer::Observer,
    overhead::{Rounds, RowFigures, compare, figures, measure},
    rows::{DEFAULT_PROFILE, Figure, NOTHING, Ratio, Row},
    stats::Summary,
    table::{self, Table},
};

const AGENT: Observer = Observer::Agent(&["--mode", "sampled"]);

const SAMPLES: Row = Row {
    id: "sampled",
    label: "tracer --mode sampled, the profiler on",
    target: DEFAULT_PROFILE.target,
    observer: AGENT,
};
const SPANS: Row = Row {
    id: "sampled_spans",
    label: "tracer --mode sampled, the profiler off: whole spans",
    target: &[],
    observer: AGENT,
};
const ROWS: [Row; 4] = [NOTHING, DEFAULT_PROFILE, SAMPLES, SPANS];

/// Each row with the tracer, and the same program without it.
const PAIRS: [(Row, Row); 2] = [(SAMPLES, DEFAULT_PROFILE), (SPANS, NOTHING)];

/// What it may cost, by CPU time: that tells one per cent on a machine that is not idle, too.
const LIMIT: Limit = Limit::AtMost(1.01);
/// Times the rounds of other sections.
const ROUNDS: usize = 3;

#[derive(Debug, Serialize)]
struct Pair {
    id: &'static str,
    what: &'static str,
    slow_down: Option<Summary>,
    /// The same by CPU time.
    cpu_time: Option<Summary>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let rounds = measure(bench, bench.version, &ROWS, ROUNDS * bench.rounds)?;
    let rows = figures(&ROWS, &rounds);
    let pairs: Vec<Pair> = PAIRS.iter().map(|pair| Pair::of(pair, &rounds)).collect();
    let budgets = pairs.iter().filter_map(|pair| {
        let what = format!("CPU time of the target: {}", pair.what);
        Budget::of(what, LIMIT, pair.cpu_time, "×")
    });
    Ok(Outcome {
        budgets: budgets.collect(),
        tables: vec![table(bench, &pairs, &rows)],
        data: serde_json::json!({"go": bench.version, "pairs": pairs, "rows": rows}),
    })
}

impl Pair {
    fn of((row, base): &(Row, Row), rounds: &Rounds) -> Self {
        let ratio = |figure| Ratio {
            what: row.label,
            figure,
            of: (row.id, base.id),
            limit: LIMIT,
        };
        Self {
            id: row.id,
            what: row.label,
            slow_down: compare(&ROWS, rounds, &ratio(Figure::SlowDown)),
            cpu_time: compare(&ROWS, rounds, &ratio(Figure::CpuTime)),
        }
    }
}

fn table(bench: &Bench, pairs: &[Pair], figures: &[RowFigures]) -> Table {
    let rows = pairs.iter().map(|pair| {
        let figures = figures.iter().find(|row| row.id == pair.id);
        vec![
            pair.what.to_owned(),
            precise(pair.slow_down),
            precise(pair.cpu_time),
            table::optional(
                figures.and_then(|row| row.agent_peak_bytes),
                table::megabytes,
            ),
            table::optional(figures.and_then(|row| row.lost), table::count),
        ]
    });
    Table {
        title: "Mode sampled on a program that does nothing but allocate, against no tracer"
            .to_owned(),
        header: vec!["", "slow-down ×", "CPU time ×", "agent peak", "lost"],
        rows: rows.collect(),
        notes: vec![format!(
            "`churn`, built with Go {}. Median (min–max) of {} interleaved rounds of {:.0} s; each ratio is taken within \
             a round.",
            bench.version,
            ROUNDS * bench.rounds,
            bench.window.as_secs_f64()
        )],
    }
}

/// With the digits that tell a tenth of a per cent.
fn precise(summary: Option<Summary>) -> String {
    table::optional(summary, |it| {
        format!("{:.3} ({:.3}–{:.3})", it.median, it.min, it.max)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{churn::Pace, overhead::Measurement};
    use super::*;

    fn at(iterations_per_s: f64, cpu_ns_per_iteration: f64) -> Option<Measurement> {
        Some(Measurement {
            pace: Pace {
                iterations_per_s,
                cpu_ns_per_iteration,
            },
            capture: None,
        })
    }

    #[test]
    fn a_row_is_compared_with_the_same_program_without_the_tracer() {
        let round = vec![
            at(1000.0, 100.0),
            at(800.0, 120.0),
            at(400.0, 132.0),
            at(500.0, 150.0),
        ];
        let rounds = vec![round];
        let pairs: Vec<Pair> = PAIRS.iter().map(|pair| Pair::of(pair, &rounds)).collect();
        let medians = |pair: &Pair| [pair.slow_down, pair.cpu_time].map(|it| it.unwrap().median);
        assert_eq!(medians(&pairs[0]), [2.0, 1.1]);
        assert_eq!(medians(&pairs[1]), [2.0, 1.5]);
        assert_eq!(precise(None), "-");
        assert_eq!(precise(pairs[0].slow_down), "2.000 (2.000–2.000)");
    }
}
