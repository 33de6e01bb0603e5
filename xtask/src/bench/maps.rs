//! What the probes on maps cost a program that does nothing but maps: one that writes to maps that do not grow, and one
//! that builds maps and drops them. Rounds are interleaved as those of the table of overheads.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn,
    observer::Observer,
    process::{Process, wait_for_detaches},
    stats::Summary,
    table::{self, Table},
};
use crate::progress;

const OVERWRITE: &[&str] = &[];
const BUILD: &[&str] = &["-build"];
const OFF: Observer = Observer::Agent(&["--maps", "off"]);
const GROWTH: Observer = Observer::Agent(&["--maps", "growth"]);
const WRITES: Observer = Observer::Agent(&["--maps", "writes"]);
/// It must get ready, or to its end, in this time beyond what it is told to take.
const LIMIT: Duration = Duration::from_secs(20);

/// One way to run the target.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: &'static str,
    label: &'static str,
    /// Options of the target.
    target: &'static [&'static str],
    observer: Observer,
    /// What it is compared with.
    base: &'static str,
}

const ROWS: [Row; 6] = [
    Row {
        id: "overwrite",
        label: "writes to maps that do not grow: nothing attached",
        target: OVERWRITE,
        observer: Observer::Nothing,
        base: "overwrite",
    },
    Row {
        id: "overwrite_growth",
        label: "the same, tracer --maps growth",
        target: OVERWRITE,
        observer: GROWTH,
        base: "overwrite",
    },
    Row {
        id: "overwrite_writes",
        label: "the same, tracer --maps writes",
        target: OVERWRITE,
        observer: WRITES,
        base: "overwrite",
    },
    Row {
        id: "build_off",
        label: "builds maps of 100 and drops them: tracer --maps off",
        target: BUILD,
        observer: OFF,
        base: "build_off",
    },
    Row {
        id: "build_growth",
        label: "the same, tracer --maps growth",
        target: BUILD,
        observer: GROWTH,
        base: "build_off",
    },
    Row {
        id: "build_writes",
        label: "the same, tracer --maps writes",
        target: BUILD,
        observer: WRITES,
        base: "build_off",
    },
];

/// One run of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    /// CPU time of the target for a write.
    cpu_ns: f64,
    writes_per_s: f64,
    /// Operations on maps that were lost, if any were recorded.
    lost: Option<u64>,
}

/// All rounds of one row.
#[derive(Debug, Clone, Serialize)]
struct Figures {
    id: &'static str,
    label: &'static str,
    cpu_ns_per_write: Option<Summary>,
    added_ns_per_write: Option<Summary>,
    /// CPU time over that of the row it is compared with.
    ratio: Option<Summary>,
    writes_per_s: Option<Summary>,
    lost: Option<u64>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let program = churn::build_program(bench.version, "maps")?;
    let mut rounds = Vec::new();
    for round in 1..=bench.rounds {
        rounds.push(one_round(bench, &program, round)?);
    }
    let figures: Vec<Figures> = (0..ROWS.len())
        .filter_map(|number| figures(&rounds, number))
        .collect();
    let growth = figures.iter().find(|row| row.id == "overwrite_growth");
    let budget = growth.and_then(|row| {
        let what = "CPU time of writes to maps that do not grow, --maps growth";
        Budget::of(what, Limit::AtMost(1.01), row.ratio, "×")
    });
    Ok(Outcome {
        budgets: budget.into_iter().collect(),
        data: serde_json::json!({"go": bench.version, "rows": figures}),
        tables: vec![table(bench, &figures)],
    })
}

/// Every row once, every other time backwards.
fn one_round(bench: &Bench, program: &Path, round: usize) -> Result<Vec<Run>> {
    let mut order: Vec<usize> = (0..ROWS.len()).collect();
    if round.is_multiple_of(2) {
        order.reverse();
    }
    let mut runs = Vec::new();
    for number in order {
        let Some(row) = ROWS.get(number) else {
            continue;
        };
        let message = format!("maps, round {round} of {}: {}", bench.rounds, row.id);
        let run = progress::during(&message, || once(bench, program, row))?;
        runs.push((number, run));
    }
    runs.sort_by_key(|(number, _)| *number);
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// A fresh target, watched from before its first write until after its last.
fn once(bench: &Bench, program: &Path, row: &Row) -> Result<Run> {
    let length = format!("{}ms", bench.window.as_millis());
    let mut command = Command::new(program);
    command.args(["-scene", "heavy", "-for", &length]);
    let mut target = Process::start(command.args(row.target))?;
    target.wait_for("ready", LIMIT)?;
    let attached = row
        .observer
        .attach(bench, target.pid(), program, bench.window)?;
    target.go_on()?;
    let line = target.wait_for("heavy", bench.window + LIMIT)?;
    ensure!(
        !attached.is_over(),
        "the machine is too busy: measuring took longer than the observer was there"
    );
    let capture = attached.capture()?;
    drop(target);
    wait_for_detaches()?;
    let lost = capture.map(|json| lost(&json)).transpose()?;
    parse(&line.text)
        .map(|(cpu_ns, writes_per_s)| Run {
            cpu_ns,
            writes_per_s,
            lost: lost.flatten(),
        })
        .with_context(|| format!("the target says {:?}", line.text))
}

/// CPU time and rate of `heavy writes N cpu_ns X wall_ns Y`.
fn parse(line: &str) -> Option<(f64, f64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |name| {
        let position = words.iter().position(|word| *word == name)?;
        words.get(position + 1)?.parse::<f64>().ok()
    };
    Some((number("cpu_ns")?, 1e9 / number("wall_ns")?))
}

/// Operations on maps that a capture has lost; `None` if it has none.
fn lost(json: &str) -> Result<Option<u64>> {
    let capture: Value = serde_json::from_str(json).context("the agent's capture is not JSON")?;
    let family = capture
        .pointer("/completeness/families/map_writes")
        .context("the agent's capture has no figures for writes to maps")?;
    let number = |name| family.get(name).and_then(Value::as_u64).unwrap_or(0);
    let hits = number("hits");
    Ok((hits > 0).then(|| hits.saturating_sub(number("delivered"))))
}

/// The figures of a row.
fn figures(rounds: &[Vec<Run>], number: usize) -> Option<Figures> {
    let row = ROWS.get(number)?;
    let base = ROWS.iter().position(|base| base.id == row.base)?;
    let runs = || rounds.iter().filter_map(|round| round.get(number).copied());
    let pairs = || {
        let pairs = rounds
            .iter()
            .filter_map(|round| Some((round.get(number)?.cpu_ns, round.get(base)?.cpu_ns)));
        pairs.filter(|_| base != number)
    };
    Some(Figures {
        id: row.id,
        label: row.label,
        cpu_ns_per_write: Summary::of(runs().map(|run| run.cpu_ns)),
        added_ns_per_write: Summary::of(pairs().map(|(watched, alone)| watched - alone)),
        ratio: Summary::of(pairs().map(|(watched, alone)| watched / alone)),
        writes_per_s: Summary::of(runs().map(|run| run.writes_per_s)),
        lost: runs()
            .filter_map(|run| run.lost)
            .reduce(|some, more| some + more),
    })
}

fn table(bench: &Bench, figures: &[Figures]) -> Table {
    let rows = figures.iter().map(|row| {
        vec![
            row.label.to_owned(),
            table::range(row.cpu_ns_per_write),
            table::range(row.added_ns_per_write),
            table::range(row.ratio),
            table::optional(row.writes_per_s, |rate| table::number(rate.median)),
            table::optional(row.lost, table::count),
        ]
    });
    Table {
        title: "What the probes on maps cost a program that does nothing but maps".to_owned(),
        header: vec![
            "",
            "CPU ns per write",
            "more",
            "CPU time ×",
            "writes/s",
            "lost",
        ],
        rows: rows.collect(),
        notes: vec![
            format!(
                "`maps -scene heavy`, built with Go {}; the agent records every allocation. Median (min–max) of {} \
                 interleaved rounds of {:.0} s.",
                bench.version,
                bench.rounds,
                bench.window.as_secs_f64()
            ),
            "A map that is built of 100 entries grows four times, and each growth is an event: nothing makes maps grow \
             more often."
                .to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_target_says_is_read() {
        let line = "heavy writes 4000 cpu_ns 12.50 wall_ns 20.00";
        assert_eq!(parse(line), Some((12.5, 5e7)));
        assert_eq!(parse("heavy writes 4000"), None);
    }

    #[test]
    fn a_row_is_compared_with_its_base_in_the_same_round() {
        let run = |cpu_ns| Run {
            cpu_ns,
            writes_per_s: 1e9 / cpu_ns,
            lost: None,
        };
        let round = |scale: f64| [10.0, 11.0, 500.0, 40.0, 40.0, 900.0].map(|ns| run(scale * ns));
        let rounds = [round(1.0).to_vec(), round(2.0).to_vec()];
        let writes = figures(&rounds, 2).unwrap();
        let ratio = writes.ratio.unwrap();
        assert_eq!((ratio.min, ratio.max), (50.0, 50.0));
        assert_eq!(writes.added_ns_per_write.unwrap().min, 490.0);
        let base = figures(&rounds, 0).unwrap();
        assert!(base.ratio.is_none() && base.added_ns_per_write.is_none());
        assert_eq!(figures(&rounds, 4).unwrap().ratio.unwrap().median, 1.0);
    }

    #[test]
    fn losses_are_those_of_writes_to_maps() {
        let capture = |family: &str| {
            lost(&format!(
                r#"{{"completeness":{{"families":{{"map_writes":{family}}}}}}}"#
            ))
        };
        let some = capture(r#"{"hits":100,"delivered":90}"#);
        assert_eq!(some.unwrap(), Some(10));
        let none = capture(r#"{"hits":0,"delivered":0}"#);
        assert_eq!(none.unwrap(), None);
        assert!(lost("{}").is_err());
    }
}
