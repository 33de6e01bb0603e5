//! What is lost, by the size of the event ring, when the target takes every core and the agent has to fight for one.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn::{self, Churn},
    observer::{Capture, Observer},
    process::wait_for_detaches,
    table::{self, Table},
};
use crate::progress;

/// Enough to keep two cores busy.
const TARGET: [&str; 2] = ["-goroutines", "2"];

/// A ring as it is asked for.
#[derive(Debug, Clone, Copy)]
struct Ring {
    label: &'static str,
    options: &'static [&'static str],
}

const DEFAULT: Ring = Ring {
    label: "default",
    options: &[],
};

const RINGS: [Ring; 5] = [
    Ring {
        label: "256 KiB",
        options: &["--ring-size", "256KiB"],
    },
    Ring {
        label: "1 MiB",
        options: &["--ring-size", "1MiB"],
    },
    Ring {
        label: "4 MiB",
        options: &["--ring-size", "4MiB"],
    },
    Ring {
        label: "16 MiB",
        options: &["--ring-size", "16MiB"],
    },
    DEFAULT,
];

/// How long the run without any loss is to be, with `--long`.
const LONG: Duration = Duration::from_secs(60);
/// Rounds of the short runs: they are summed up, not compared.
const ROUNDS: usize = 3;

/// What all runs with a ring came to.
#[derive(Debug, Serialize)]
struct Loss {
    ring: &'static str,
    seconds: f64,
    hits: u64,
    lost: u64,
    lost_percent: f64,
    hits_per_s: f64,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let program = churn::build(bench.version)?;
    let mut losses = by_ring(bench, &program)?;
    let decisive = if bench.long {
        let message = format!("zero loss: default ring, {} s", LONG.as_secs());
        let capture = progress::during(&message, || once(bench, &program, DEFAULT, LONG))?;
        losses.push(Loss::of("default, long", &[capture]));
        losses.last()
    } else {
        losses.iter().find(|loss| loss.ring == DEFAULT.label)
    };
    let decisive = decisive.context("the default ring was not measured")?;
    let budget = Budget::new(
        format!(
            "events lost with two busy cores, default ring, {:.0} s",
            decisive.seconds
        ),
        Limit::AtMost(0.0),
        decisive.lost as f64,
        "events",
    );
    Ok(Outcome {
        tables: vec![table(bench, &losses)],
        budgets: vec![budget],
        data: serde_json::json!({"go": bench.version, "rings": losses}),
    })
}

fn by_ring(bench: &Bench, program: &Path) -> Result<Vec<Loss>> {
    let rounds = bench.rounds.min(ROUNDS);
    let mut captures = vec![Vec::new(); RINGS.len()];
    for round in 1..=rounds {
        for (ring, captures) in RINGS.iter().zip(&mut captures) {
            let message = format!("loss, round {round} of {rounds}: ring {}", ring.label);
            let run = || once(bench, program, *ring, bench.window);
            captures.push(progress::during(&message, run)?);
        }
    }
    let rings = RINGS.iter().zip(&captures);
    Ok(rings
        .map(|(ring, captures)| Loss::of(ring.label, captures))
        .collect())
}

fn once(bench: &Bench, program: &Path, ring: Ring, duration: Duration) -> Result<Capture> {
    let churn = Churn::start(program, &TARGET)?;
    let agent = Observer::Agent(ring.options).attach(bench, churn.pid(), program, duration)?;
    let capture = agent.finish()?.context("the agent made no capture")?;
    drop(churn);
    wait_for_detaches()?;
    Ok(capture)
}

impl Loss {
    fn of(ring: &'static str, captures: &[Capture]) -> Self {
        let hits: u64 = captures.iter().map(|capture| capture.hits).sum();
        let lost = captures.iter().map(|capture| capture.lost).sum();
        let seconds = captures.iter().map(|capture| capture.duration_s).sum();
        Self {
            ring,
            seconds,
            hits,
            lost,
            lost_percent: 100.0 * lost as f64 / hits.max(1) as f64,
            hits_per_s: hits as f64 / seconds,
        }
    }
}

fn table(bench: &Bench, losses: &[Loss]) -> Table {
    let rows = losses.iter().map(|loss| {
        vec![
            loss.ring.to_owned(),
            table::number(loss.seconds),
            table::count(loss.hits),
            table::number(loss.hits_per_s),
            table::count(loss.lost),
            format!("{} %", table::number(loss.lost_percent)),
        ]
    });
    Table {
        title: "Loss by ring size, with two goroutines that do nothing but allocate".to_owned(),
        header: vec!["ring", "seconds", "hits", "hits/s", "lost", "loss"],
        rows: rows.collect(),
        notes: vec![format!("`churn -goroutines 2`, Go {}.", bench.version)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_summed_up() {
        let capture = |hits, lost| Capture {
            hits,
            lost,
            delivered: hits - lost,
            duration_s: 2.0,
            cpu_ns_per_event: None,
            peak_bytes: None,
        };
        let loss = Loss::of("1 MiB", &[capture(900, 50), capture(100, 0)]);
        assert_eq!((loss.hits, loss.lost), (1000, 50));
        assert_eq!((loss.lost_percent, loss.hits_per_s), (5.0, 250.0));
    }
}
