//! Ten minutes of mode sampled on a program that leaks and drops, at a rate of samples far above the profiler's own:
//! whether the memory of the agent stays what it is.

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn,
    observer::Observer,
    process::{Process, wait_for_detaches},
    table::{self, Table},
};
use crate::progress;

/// How long the soak is, and how often the agent is looked at.
const SOAK: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(60));
const QUICK: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3));
/// What the program drops, in bytes a second, and what it leaks in all.
const CHURN_PER_S: u64 = 300_000_000;
const LEAK: &str = "40000000";
/// One sample for so many bytes: some thousand samples a second.
const RATE: &str = "65536";
/// Of all looks, one in so many is while the agent still learns what there is.
const LEARNING: usize = 3;
/// What it may grow: a point of the timeline and a cycle of the collector take some bytes each.
const LIMIT: Limit = Limit::AtMost(200.0);
/// The program must be ready, or the agent be gone, in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A look at the agent.
#[derive(Debug, Clone, Copy, Serialize)]
struct Look {
    /// Since the agent had attached.
    seconds: f64,
    rss_bytes: u64,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let (length, interval) = if bench.quick { QUICK } else { SOAK };
    let program = churn::build_program(bench.version, "leak")?;
    let message = format!("mode sampled for {} s", length.as_secs());
    let (looks, capture) = progress::during(&message, || soak(bench, &program, length, interval))?;
    let capture: Value = serde_json::from_str(&capture).context("the capture is not JSON")?;
    let slope = slope_kib_per_minute(settled(&looks));
    // What grows once in a while is much in a short time.
    let budget = slope.filter(|_| !bench.quick).map(|slope| {
        let what = format!(
            "memory of the agent in mode sampled, growth over {} s",
            length.as_secs()
        );
        Budget::new(what, LIMIT, slope, "KiB/min")
    });
    let heap = capture.get("heap").cloned().unwrap_or_default();
    Ok(Outcome {
        tables: vec![table(bench, &looks, slope, &heap)],
        data: serde_json::json!({
            "go": bench.version, "looks": looks, "slope_kib_per_minute": slope, "heap": heap,
        }),
        budgets: budget.into_iter().collect(),
    })
}

/// Gives the looks and the capture.
fn soak(
    bench: &Bench,
    program: &Path,
    length: Duration,
    interval: Duration,
) -> Result<(Vec<Look>, String)> {
    let churn = (CHURN_PER_S * length.as_secs()).to_string();
    let scene = format!("{}s", length.as_secs());
    let mut command = Command::new(program);
    command.args(["-rate", RATE, "-leak", LEAK, "-labels", "1000000"]);
    let mut target = Process::start(command.args(["-churn", &churn, "-for", &scene]))?;
    target.wait_for("ready", PATIENCE)?;
    let observer = Observer::Agent(&["--mode", "sampled"]);
    let agent = observer.attach(bench, target.pid(), program, length)?;
    let started = Instant::now();
    target.go_on()?;
    let mut looks = Vec::new();
    while started.elapsed() + interval <= length {
        thread::sleep(interval);
        let look = Look {
            seconds: started.elapsed().as_secs_f64(),
            rss_bytes: agent_rss(agent.pid().context("no agent")?)?,
        };
        progress::say(&format!(
            "{:4.0} s: the agent has {}",
            look.seconds,
            table::megabytes(look.rss_bytes)
        ));
        looks.push(look);
    }
    ensure!(!agent.is_over(), "the agent has ended too early");
    let capture = agent.capture()?.context("the agent made no capture")?;
    drop(target);
    wait_for_detaches()?;
    Ok((looks, capture))
}

/// Resident memory of the agent, which is the process that was started or, through sudo, a child of it.
fn agent_rss(started: u32) -> Result<u64> {
    let started = i32::try_from(started)?;
    let is_agent = |process: &procfs::process::Process| {
        let stat = process.stat();
        stat.is_ok_and(|stat| {
            stat.comm == "tracer" && (stat.pid == started || stat.ppid == started)
        })
    };
    let mut all = procfs::process::all_processes()?.flatten();
    let agent = all.find(is_agent).context("the agent has ended")?;
    let kib = agent.status()?.vmrss.context("the agent has no memory")?;
    Ok(kib * 1024)
}

/// The looks at an agent that has seen what there is.
fn settled(looks: &[Look]) -> &[Look] {
    looks
        .get(looks.len().div_ceil(LEARNING)..)
        .unwrap_or_default()
}

/// The line through the looks that has the least squares; `None` if there are too few for one.
fn slope_kib_per_minute(looks: &[Look]) -> Option<f64> {
    let count = looks.len() as f64;
    let mean = |of: fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count;
    let minutes = |look: &Look| look.seconds / 60.0;
    let kib = |look: &Look| look.rss_bytes as f64 / 1024.0;
    let (at, height) = (mean(minutes), mean(kib));
    let slope = looks
        .iter()
        .map(|look| (minutes(look) - at) * (kib(look) - height));
    let spread = looks.iter().map(|look| (minutes(look) - at).powi(2));
    let slope = slope.sum::<f64>() / spread.sum::<f64>();
    slope.is_finite().then_some(slope)
}

fn table(bench: &Bench, looks: &[Look], slope: Option<f64>, heap: &Value) -> Table {
    let rows = looks.iter().map(|look| {
        vec![
            format!("{:.0} s", look.seconds),
            table::megabytes(look.rss_bytes),
        ]
    });
    let count =
        |field: &str| table::optional(heap.get(field).and_then(Value::as_u64), table::count);
    Table {
        title: "Memory of the agent in mode sampled".to_owned(),
        header: vec!["after", "agent"],
        rows: rows.collect(),
        notes: vec![
            format!(
                "`leak -rate {RATE}`, built with Go {}: {} MB/s dropped, {} MB leaked; {} samples, {} frees, {} objects \
                 not followed.",
                bench.version,
                CHURN_PER_S / 1_000_000,
                LEAK.strip_suffix("000000").unwrap_or(LEAK),
                count("samples"),
                count("frees"),
                count("unfollowed"),
            ),
            format!(
                "Growth after the first third: {} KiB a minute.",
                table::optional(slope, table::number)
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(figures: &[(f64, u64)]) -> Vec<Look> {
        let looks = figures.iter().map(|&(seconds, kib)| Look {
            seconds,
            rss_bytes: kib * 1024,
        });
        looks.collect()
    }

    #[test]
    fn the_slope_is_that_of_the_line_through_the_looks() {
        let steady = looks(&[(60.0, 100), (120.0, 160), (180.0, 220)]);
        assert_eq!(slope_kib_per_minute(&steady), Some(60.0));
        let flat = looks(&[(60.0, 100), (120.0, 100)]);
        assert_eq!(slope_kib_per_minute(&flat), Some(0.0));
        assert_eq!(slope_kib_per_minute(&looks(&[(60.0, 100)])), None);
        assert_eq!(slope_kib_per_minute(&[]), None);
    }

    #[test]
    fn what_the_agent_learns_at_first_is_left_out() {
        let ten: Vec<_> = (0..10).map(|at| (f64::from(at), 100)).collect();
        assert_eq!(settled(&looks(&ten)).len(), 6);
        assert!(settled(&[]).is_empty());
    }
}
