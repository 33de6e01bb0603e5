//! What mode sampled costs a program that does nothing but allocate: once where the runtime's heap profiler is on, once
//! where it is off. One per cent is less than two processes differ by, so that each is compared with itself, just
//! before the tracer and just after.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn::{self, Churn, Pace},
    observer::Observer,
    process::{wait_for_detaches, wait_for_detaches_beside},
    rows::DEFAULT_PROFILE,
    stats::Summary,
    table::{self, Table},
};
use crate::progress;

const AGENT: Observer = Observer::Agent(&["--mode", "sampled"]);

/// A way to run the target.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: &'static str,
    label: &'static str,
    target: &'static [&'static str],
}

const ROWS: [Row; 2] = [
    Row {
        id: "profiler_on",
        label: "the profiler on, at its default rate: its own samples",
        target: DEFAULT_PROFILE.target,
    },
    Row {
        id: "profiler_off",
        label: "the profiler off: whole spans",
        target: &[],
    },
];

/// What it may cost, by CPU time: what else runs on the machine changes that less.
const LIMIT: Limit = Limit::AtMost(1.01);
/// Times the rounds of other sections: the difference is small.
const ROUNDS: usize = 4;
/// How long a target is left alone before it is measured.
const SETTLE: Duration = Duration::from_millis(300);

/// One target without the tracer, with it, and without it again.
#[derive(Debug, Clone, Copy)]
struct Run {
    alone: [Pace; 2],
    watched: Pace,
    seen: Seen,
}

/// What the agent says.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// What its probes take of the target's CPU time, by their number and what one costs on this machine.
    probes_percent: Option<f64>,
    samples_per_s: f64,
    agent_bytes: Option<u64>,
    lost: u64,
}

/// All runs of a row.
#[derive(Debug, Serialize)]
struct Figures {
    id: &'static str,
    label: &'static str,
    slow_down: Option<Summary>,
    cpu_time: Option<Summary>,
    probes_percent: Option<Summary>,
    samples_per_s: Option<Summary>,
    agent_bytes: Option<u64>,
    lost: u64,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let program = churn::build(bench.version)?;
    let rounds = ROUNDS * bench.rounds;
    let mut runs = vec![Vec::new(); ROWS.len()];
    for round in 1..=rounds {
        for (row, runs) in ROWS.iter().zip(&mut runs) {
            let message = format!("mode sampled, round {round} of {rounds}: {}", row.id);
            runs.push(progress::during(&message, || once(bench, &program, row))?);
        }
    }
    let figures: Vec<Figures> = ROWS
        .iter()
        .zip(&runs)
        .map(|(row, runs)| Figures::of(row, runs))
        .collect();
    let budgets = figures.iter().filter_map(|row| {
        let what = format!("CPU time of the target in mode sampled, {}", row.label);
        Budget::of(what, LIMIT, row.cpu_time, "×")
    });
    Ok(Outcome {
        budgets: budgets.collect(),
        tables: vec![table(bench, rounds, &figures)],
        data: serde_json::json!({"go": bench.version, "rows": figures}),
    })
}

fn once(bench: &Bench, program: &Path, row: &Row) -> Result<Run> {
    let churn = Churn::start(program, row.target)?;
    thread::sleep(SETTLE);
    let before = churn.pace(bench.window)?;
    let agent = AGENT.attach(bench, churn.pid(), program, bench.window)?;
    thread::sleep(SETTLE);
    let watched = churn.pace(bench.window)?;
    ensure!(
        !agent.is_over(),
        "the machine is too busy: measuring took longer than the tracer was there"
    );
    let capture = agent.capture()?.context("the agent made no capture")?;
    wait_for_detaches_beside(churn.pid())?;
    let after = churn.pace(bench.window)?;
    drop(churn);
    wait_for_detaches()?;
    Ok(Run {
        alone: [before, after],
        watched,
        seen: Seen::parse(&capture)?,
    })
}

impl Run {
    /// A figure with the tracer over the mean of those without.
    fn ratio(&self, of: fn(&Pace) -> f64) -> f64 {
        let [before, after] = &self.alone;
        2.0 * of(&self.watched) / (of(before) + of(after))
    }
}

impl Seen {
    fn parse(json: &str) -> Result<Self> {
        let capture: Value =
            serde_json::from_str(json).context("the agent's capture is not JSON")?;
        let number = |path: &str| capture.pointer(path).and_then(Value::as_f64);
        let count = |path: &str| capture.pointer(path).and_then(Value::as_u64);
        let families = capture.pointer("/completeness/families");
        let families = families.and_then(Value::as_object).context("no families")?;
        let losses = families
            .values()
            .filter_map(|family| family["lost"].as_object());
        let lost = losses.flat_map(|causes| causes.values().filter_map(Value::as_u64));
        let samples = number("/heap/samples").context("no samples")?;
        let duration_ns = number("/window/duration_ns").context("no duration")?;
        Ok(Self {
            probes_percent: number("/overhead/target_share_pct"),
            samples_per_s: samples / duration_ns * 1e9,
            agent_bytes: count("/overhead/agent_rss_bytes"),
            lost: lost.sum(),
        })
    }
}

impl Figures {
    fn of(row: &Row, runs: &[Run]) -> Self {
        let seen = || runs.iter().map(|run| run.seen);
        let time = |pace: &Pace| 1.0 / pace.iterations_per_s;
        Self {
            id: row.id,
            label: row.label,
            slow_down: Summary::of(runs.iter().map(|run| run.ratio(time))),
            cpu_time: Summary::of(
                runs.iter()
                    .map(|run| run.ratio(|it| it.cpu_ns_per_iteration)),
            ),
            probes_percent: Summary::of(seen().filter_map(|seen| seen.probes_percent)),
            samples_per_s: Summary::of(seen().map(|seen| seen.samples_per_s)),
            agent_bytes: seen().filter_map(|seen| seen.agent_bytes).max(),
            lost: seen().map(|seen| seen.lost).sum(),
        }
    }
}

fn table(bench: &Bench, rounds: usize, figures: &[Figures]) -> Table {
    let rows = figures.iter().map(|row| {
        vec![
            row.label.to_owned(),
            precise(row.slow_down),
            precise(row.cpu_time),
            table::optional(row.probes_percent, |it| {
                format!("{} %", table::number(it.median))
            }),
            table::optional(row.samples_per_s, |it| table::number(it.median)),
            table::optional(row.agent_bytes, table::megabytes),
            table::count(row.lost),
        ]
    });
    Table {
        title: "Mode sampled on a program that does nothing but allocate".to_owned(),
        header: vec![
            "",
            "slow-down ×",
            "CPU time ×",
            "probes, by the agent",
            "samples/s",
            "agent peak",
            "lost",
        ],
        rows: rows.collect(),
        notes: vec![format!(
            "`churn`, built with Go {}, against itself just before the tracer and just after, {:.0} s each. Median (min–max) \
             of {} rounds.",
            bench.version,
            bench.window.as_secs_f64(),
            rounds,
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
    use super::*;

    fn pace(iterations_per_s: f64, cpu_ns_per_iteration: f64) -> Pace {
        Pace {
            iterations_per_s,
            cpu_ns_per_iteration,
        }
    }

    const JSON: &str = r#"{"window":{"duration_ns":2000000000},"heap":{"samples":3000},
        "completeness":{"families":{"heap_samples":{"lost":{"a":1,"b":2}},"heap_frees":{"lost":{"c":4}}}},
        "overhead":{"target_share_pct":0.7,"agent_rss_bytes":40000000}}"#;

    #[test]
    fn a_target_is_compared_with_itself_before_and_after() {
        let run = Run {
            alone: [pace(1000.0, 90.0), pace(500.0, 110.0)],
            watched: pace(500.0, 101.0),
            seen: Seen::parse(JSON).unwrap(),
        };
        let figures = Figures::of(&ROWS[0], &[run]);
        let median = |summary: Option<Summary>| summary.unwrap().median;
        assert_eq!(median(figures.cpu_time), 1.01);
        // 2 ms for an iteration, and 1 ms and 2 ms without the tracer.
        assert!((median(figures.slow_down) - 4.0 / 3.0).abs() < 1e-9);
        assert_eq!(median(figures.samples_per_s), 1500.0);
        assert_eq!((figures.agent_bytes, figures.lost), (Some(40_000_000), 7));
        assert_eq!(precise(figures.cpu_time), "1.010 (1.010–1.010)");
    }

    #[test]
    fn what_is_no_capture_of_samples_is_an_error() {
        assert!(Seen::parse("{}").is_err());
        assert!(Seen::parse("attached").is_err());
    }
}
