//! What the agent needs for many sites and stacks, in memory and time, without a kernel: synthetic records go through
//! the real decoder, aggregator, symbolizer and report.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    example,
    stats::Summary,
    table::{self, Table},
};
use crate::progress;

/// Sites and stacks, smallest first. What a site and what a stack takes can be told apart.
const SIZES: [(u64, u64); 4] = [
    (1_000, 1_000),
    (1_000, 100_000),
    (10_000, 10_000),
    (10_000, 100_000),
];
/// Times each size is replayed.
const ROUNDS: usize = 3;

/// What the example `synthetic` prints.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Replay {
    sites: u64,
    stacks: u64,
    events: u64,
    ns_per_event: f64,
    peak_rss_bytes: u64,
    report_ms: f64,
}

#[derive(Debug, Serialize)]
struct Figures {
    sites: u64,
    stacks: u64,
    events: u64,
    ns_per_event: Option<Summary>,
    peak_rss_bytes: u64,
    report_ms: Option<Summary>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let program = bench.large()?.display().to_string();
    let figures: Vec<Figures> = SIZES
        .into_iter()
        .map(|(sites, stacks)| {
            let message = format!("replaying {sites} sites, {stacks} stacks");
            let runs = || replays(bench, &program, sites, stacks);
            progress::during(&message, runs).and_then(|runs| Figures::of(&runs))
        })
        .collect::<Result<_>>()?;
    Ok(Outcome {
        tables: vec![table(&figures)],
        budgets: figures.last().map(Figures::budgets).unwrap_or_default(),
        data: serde_json::to_value(&figures)?,
    })
}

fn replays(bench: &Bench, program: &str, sites: u64, stacks: u64) -> Result<Vec<Replay>> {
    let (sites, stacks) = (sites.to_string(), stacks.to_string());
    let arguments = [program, "--sites", &sites, "--stacks", &stacks];
    let runs = (0..bench.rounds.min(ROUNDS)).map(|_| {
        let lines: Vec<Replay> = example::measure(bench, "synthetic", &arguments)?;
        Ok(lines)
    });
    let runs: Vec<Vec<Replay>> = runs.collect::<Result<_>>()?;
    Ok(runs.concat())
}

impl Figures {
    fn of(runs: &[Replay]) -> Result<Self> {
        let first = runs
            .first()
            .ok_or_else(|| anyhow::anyhow!("nothing was replayed"))?;
        let of = |figure: fn(&Replay) -> f64| Summary::of(runs.iter().map(figure));
        Ok(Self {
            sites: first.sites,
            stacks: first.stacks,
            events: first.events,
            ns_per_event: of(|run| run.ns_per_event),
            peak_rss_bytes: runs
                .iter()
                .map(|run| run.peak_rss_bytes)
                .max()
                .unwrap_or(first.peak_rss_bytes),
            report_ms: of(|run| run.report_ms),
        })
    }

    /// Of the largest size.
    fn budgets(&self) -> Vec<Budget> {
        let size = format!(
            "{} sites, {} stacks",
            table::count(self.sites),
            table::count(self.stacks)
        );
        let memory = Budget::new(
            format!("agent memory, {size}"),
            Limit::AtMost(200.0),
            self.peak_rss_bytes as f64 / 1e6,
            "MB",
        );
        let time = Budget::of(
            format!("decoding and adding up an event, {size}"),
            Limit::AtMost(100.0),
            self.ns_per_event,
            "ns",
        );
        [Some(memory), time].into_iter().flatten().collect()
    }
}

fn table(figures: &[Figures]) -> Table {
    let rows = figures.iter().map(|figures| {
        vec![
            format!(
                "{} / {}",
                table::count(figures.sites),
                table::count(figures.stacks)
            ),
            table::count(figures.events),
            table::range(figures.ns_per_event),
            table::megabytes(figures.peak_rss_bytes),
            table::range(figures.report_ms),
        ]
    });
    Table {
        title: "The agent by itself, synthetic events replayed".to_owned(),
        header: vec![
            "sites / stacks",
            "events",
            "CPU, ns/event",
            "peak memory",
            "report, ms",
        ],
        rows: rows.collect(),
        notes: vec![
            "Decoding and aggregation; names and the JSON capture are in the time of the report."
                .to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_all_runs_counts() {
        let run = |ns_per_event, peak_rss_bytes| Replay {
            sites: 10_000,
            stacks: 100_000,
            events: 1,
            ns_per_event,
            peak_rss_bytes,
            report_ms: 9.0,
        };
        let runs = [
            run(80.0, 150_000_000),
            run(120.0, 201_000_000),
            run(90.0, 1),
        ];
        let budgets = Figures::of(&runs).unwrap().budgets();
        assert_eq!((budgets[0].figure, budgets[0].met), (201.0, false));
        assert_eq!((budgets[1].figure, budgets[1].met), (90.0, true));
        assert!(Figures::of(&[]).is_err());
    }
}
