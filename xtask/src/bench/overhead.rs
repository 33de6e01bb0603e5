//! What each row costs the target and the agent. Rounds are interleaved: each measures every row once, in turn forwards
//! and backwards, so that what drifts on the machine meets all rows alike, and figures are compared within a round.

use std::{path::Path, thread, time::Duration};

use anyhow::{Result, ensure};
use serde::Serialize;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn::{ALLOCATIONS, Churn, Pace},
    observer::{Capture, Observer},
    process::wait_for_detaches,
    rows::{EXACT, Figure, NOTHING, RATIOS, ROWS, Ratio, Row},
    stats::Summary,
    table::{self, Table},
};
use crate::progress;

/// How long a target is left alone, watched, before it is measured.
const SETTLE: Duration = Duration::from_millis(300);

/// One run of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measurement {
    pub(super) pace: Pace,
    pub(super) capture: Option<Capture>,
}

/// The runs of all rows, by round. `None` where a row cannot run here.
pub(super) type Rounds = Vec<Vec<Option<Measurement>>>;

/// All rounds of one row. `None` is not measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RowFigures {
    pub(super) id: &'static str,
    label: &'static str,
    allocations_per_s: Option<Summary>,
    pub(super) slow_down: Option<Summary>,
    added_ns_per_allocation: Option<Summary>,
    agent_cpu_ns_per_event: Option<Summary>,
    agent_peak_bytes: Option<u64>,
    lost: Option<u64>,
    events_per_s: Option<Summary>,
}

#[derive(Debug, Clone, Serialize)]
struct RatioFigures {
    what: &'static str,
    ratio: Option<Summary>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    // What has to be installed is, before anything is measured.
    if let Err(missing) = bench.bpftrace() {
        progress::say(missing);
    }
    let rounds = measure(bench, bench.version, &ROWS, bench.rounds)?;
    let rows = figures(&ROWS, &rounds);
    let ratios: Vec<RatioFigures> = RATIOS
        .iter()
        .map(|ratio| RatioFigures {
            what: ratio.what,
            ratio: compare(&ROWS, &rounds, ratio),
        })
        .collect();
    let budgets = RATIOS
        .iter()
        .zip(&ratios)
        .filter_map(|(ratio, figures)| Budget::of(ratio.what, ratio.limit, figures.ratio, "×"));
    Ok(Outcome {
        budgets: budgets.chain(agent_budget(&rows)).collect(),
        data: serde_json::json!({"go": bench.version, "rows": rows, "ratios": ratios}),
        tables: vec![overhead_table(bench, &rows), ratio_table(&ratios)],
    })
}

/// What the agent may take for an event.
fn agent_budget(rows: &[RowFigures]) -> Option<Budget> {
    let exact = rows.iter().find(|row| row.id == EXACT.id)?;
    Budget::of(
        "agent CPU per event, decoding and adding up",
        Limit::AtMost(100.0),
        exact.agent_cpu_ns_per_event,
        "ns",
    )
}

/// Runs every row once in each round.
pub(super) fn measure(
    bench: &Bench,
    version: &'static str,
    rows: &[Row],
    rounds: usize,
) -> Result<Rounds> {
    let program = super::churn::build(version)?;
    let mut all = Vec::new();
    for round in 1..=rounds {
        let mut measured = vec![None; rows.len()];
        let mut order: Vec<_> = rows.iter().zip(&mut measured).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for (row, run) in order {
            if row.observer == Observer::Bpftrace && bench.bpftrace().is_err() {
                continue;
            }
            let message = format!("Go {version}, round {round} of {rounds}: {}", row.label);
            *run = Some(progress::during(&message, || once(bench, &program, row))?);
        }
        all.push(measured);
    }
    Ok(all)
}

/// A fresh target, watched, measured, and left alone again.
fn once(bench: &Bench, program: &Path, row: &Row) -> Result<Measurement> {
    let churn = Churn::start(program, row.target)?;
    let attached = row
        .observer
        .attach(bench, churn.pid(), program, bench.window)?;
    thread::sleep(SETTLE);
    let pace = churn.pace(bench.window)?;
    ensure!(
        !attached.is_over(),
        "the machine is too busy: measuring took longer than the observer was there"
    );
    let capture = attached.finish()?;
    drop(churn);
    wait_for_detaches()?;
    Ok(Measurement { pace, capture })
}

fn position(rows: &[Row], id: &str) -> Option<usize> {
    rows.iter().position(|row| row.id == id)
}

/// The figure of row `id` in one round, against nothing attached in the same round.
fn figure(rows: &[Row], round: &[Option<Measurement>], id: &str, figure: Figure) -> Option<f64> {
    let pace = |id| {
        let measured = (*round.get(position(rows, id)?)?)?;
        Some(measured.pace)
    };
    let (alone, watched) = (pace(NOTHING.id)?, pace(id)?);
    Some(match figure {
        Figure::SlowDown => alone.iterations_per_s / watched.iterations_per_s,
        Figure::AddedTime => {
            (watched.cpu_ns_per_iteration - alone.cpu_ns_per_iteration) / ALLOCATIONS
        }
    })
}

/// The ratio of two rows, within each round.
pub(super) fn compare(rows: &[Row], rounds: &Rounds, ratio: &Ratio) -> Option<Summary> {
    Summary::of_ratios(rounds.iter().map(|round| {
        (
            figure(rows, round, ratio.of.0, ratio.figure),
            figure(rows, round, ratio.of.1, ratio.figure),
        )
    }))
}

pub(super) fn figures(rows: &[Row], rounds: &Rounds) -> Vec<RowFigures> {
    rows.iter()
        .enumerate()
        .map(|(place, row)| row_figures(rows, rounds, place, row))
        .collect()
}

fn row_figures(rows: &[Row], rounds: &Rounds, place: usize, row: &Row) -> RowFigures {
    let runs = || rounds.iter().filter_map(|round| *round.get(place)?);
    let captures = || runs().filter_map(|run| run.capture);
    let against_nothing = |kind| {
        let of_rounds = rounds
            .iter()
            .filter_map(|round| figure(rows, round, row.id, kind));
        Summary::of(of_rounds)
    };
    let is_base = row.id == NOTHING.id;
    RowFigures {
        id: row.id,
        label: row.label,
        allocations_per_s: Summary::of(runs().map(|run| run.pace.iterations_per_s * ALLOCATIONS)),
        slow_down: against_nothing(Figure::SlowDown),
        added_ns_per_allocation: against_nothing(Figure::AddedTime).filter(|_| !is_base),
        agent_cpu_ns_per_event: Summary::of(captures().filter_map(|c| c.cpu_ns_per_event)),
        agent_peak_bytes: captures().filter_map(|capture| capture.peak_bytes).max(),
        lost: captures().map(|capture| capture.lost).reduce(|a, b| a + b),
        events_per_s: Summary::of(captures().map(|c| c.delivered as f64 / c.duration_s)),
    }
}

fn overhead_table(bench: &Bench, rows: &[RowFigures]) -> Table {
    let mut notes = vec![format!(
        "`churn`, built with Go {}: two allocations (48 and 64 bytes) at the bottom of a stack of eight frames, in a loop \
         that does nothing else. Median (min–max) of {} interleaved rounds of {:.0} s.",
        bench.version,
        bench.rounds,
        bench.window.as_secs_f64()
    )];
    notes.extend(bench.bpftrace().as_ref().err().cloned());
    Table {
        title: "What tracing costs a program that does nothing but allocate".to_owned(),
        header: vec![
            "",
            "slow-down ×",
            "CPU ns more per allocation",
            "allocations/s",
            "agent CPU, ns/event",
            "agent peak",
            "events/s",
            "lost",
        ],
        rows: rows.iter().map(cells).collect(),
        notes,
    }
}

fn cells(row: &RowFigures) -> Vec<String> {
    let median = |summary: Option<Summary>| table::optional(summary, |s| table::number(s.median));
    vec![
        row.label.to_owned(),
        table::range(row.slow_down),
        table::range(row.added_ns_per_allocation),
        median(row.allocations_per_s),
        median(row.agent_cpu_ns_per_event),
        table::optional(row.agent_peak_bytes, table::megabytes),
        median(row.events_per_s),
        table::optional(row.lost, table::count),
    ]
}

fn ratio_table(ratios: &[RatioFigures]) -> Table {
    let rows = ratios
        .iter()
        .map(|ratio| vec![ratio.what.to_owned(), table::range(ratio.ratio)]);
    Table {
        title: "Row against row, each ratio taken within a round".to_owned(),
        header: vec!["", "median (min–max)"],
        rows: rows.collect(),
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::EXACT_PROFILE;
    use super::*;

    const THREE: [Row; 3] = [NOTHING, EXACT_PROFILE, EXACT];

    /// A target that takes all of one CPU.
    fn at(iterations_per_s: f64) -> Option<Measurement> {
        Some(Measurement {
            pace: Pace {
                iterations_per_s,
                cpu_ns_per_iteration: 1e9 / iterations_per_s,
            },
            capture: None,
        })
    }

    fn exact(iterations_per_s: f64, delivered: u64, lost: u64) -> Option<Measurement> {
        let capture = Capture {
            delivered,
            hits: delivered + lost,
            lost,
            duration_s: 2.0,
            cpu_ns_per_event: Some(90.0),
            peak_bytes: Some(40_000_000),
        };
        at(iterations_per_s).map(|run| Measurement {
            capture: Some(capture),
            ..run
        })
    }

    /// In the second round the machine is half as fast.
    fn rounds() -> Rounds {
        vec![
            vec![at(1e7), at(1e6), exact(2e6, 1000, 0)],
            vec![at(5e6), at(5e5), exact(1e6, 500, 7)],
        ]
    }

    #[test]
    fn figures_are_taken_against_nothing_attached_in_the_same_round() {
        let figures = figures(&THREE, &rounds());
        let [nothing, profile, exact] = &figures[..] else {
            panic!("three rows")
        };
        assert_eq!(nothing.slow_down.unwrap().max, 1.0);
        assert!(nothing.added_ns_per_allocation.is_none());
        let slow_down = profile.slow_down.unwrap();
        assert_eq!((slow_down.min, slow_down.max), (10.0, 10.0));
        // 1000 ns an iteration instead of 100, and 2000 instead of 200.
        let added = profile.added_ns_per_allocation.unwrap();
        assert_eq!((added.min, added.max), (450.0, 900.0));
        assert_eq!(profile.lost, None);
        assert_eq!(exact.lost, Some(7));
        assert_eq!(exact.events_per_s.unwrap().max, 500.0);
    }

    #[test]
    fn rows_are_compared_within_a_round() {
        let ratio = |figure| Ratio {
            what: "x",
            figure,
            of: ("exact", "exact_profile"),
            limit: Limit::AtMost(1.0),
        };
        let slow_down = compare(&THREE, &rounds(), &ratio(Figure::SlowDown)).unwrap();
        assert_eq!((slow_down.median, slow_down.count), (0.5, 2));
        let added = compare(&THREE, &rounds(), &ratio(Figure::AddedTime)).unwrap();
        assert_eq!(added.median, 200.0 / 450.0);
    }

    #[test]
    fn a_row_that_did_not_run_has_dashes() {
        let rounds = vec![vec![at(1e7), None, exact(2e6, 10, 0)]];
        let figures = figures(&THREE, &rounds);
        assert_eq!(cells(&figures[1])[1..], ["-"; 7]);
        assert_eq!(cells(&figures[0])[2], "-");
    }
}
