//! `tracer diff` finds a change that was made, exactly, and none where there is none.

use serde_json::Value;
use std::process::Output;
use tracer_tests::{
    Agent, Program, Saved, list, measure_again, newest_go, number, program_path, promise,
    trace_measured, tracer,
};

/// Probes that these tests need nothing of take time to be taken out.
const ALLOCATIONS_ONLY: [&str; 6] = ["--maps", "off", "--faults", "off", "--gc", "off"];
/// What `leak` leaks and drops, sampled at an eighth of the default distance.
const SCENE: [&str; 6] = ["-rate", "65536", "-leak", "60000000", "-churn", "60000000"];
const TWICE_DROPPED: [&str; 6] = ["-rate", "65536", "-leak", "60000000", "-churn", "120000000"];

/// A finished comparison.
struct Comparison {
    output: Output,
    json: Value,
}

fn diff(base: &Saved, candidate: &Saved, args: &[&str]) -> Comparison {
    let output = tracer()
        .arg("diff")
        .args([base.path(), candidate.path()])
        .args(["--format", "json"])
        .args(args)
        .output()
        .expect("the tracer runs");
    let json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no comparison: {error}: {output:?}"));
    Comparison { output, json }
}

impl Comparison {
    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn messages(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn rows(&self) -> &[Value] {
        list(&self.json, "rows")
    }

    /// Rows in which this figure changed by more than noise.
    fn significant(&self, figure: &str) -> Vec<&Value> {
        let rows = self.rows().iter();
        rows.filter(|row| row["figures"][figure]["significant"] == true)
            .collect()
    }

    /// A figure of all rows of a function, in the captures: base and candidate.
    fn of_function(&self, function: &str, figure: &str) -> [u64; 2] {
        let rows = self.rows().iter().filter(|row| row["name"] == function);
        rows.fold([0; 2], |sums, row| {
            let total = |side: &str| row["figures"][figure][side].as_u64().unwrap_or(0);
            [
                sums[0] + total("base_total"),
                sums[1] + total("candidate_total"),
            ]
        })
    }

    /// What changed by more than noise: rows, and totals.
    fn changes(&self) -> Vec<(&str, &Value)> {
        let figures = ["allocs", "alloc_bytes", "live_bytes"].into_iter();
        let changes = figures.flat_map(|figure| {
            let total = &self.json["totals"]["figures"][figure];
            let total = Some(total).filter(|total| total["significant"] == true);
            let changed = self.significant(figure).into_iter().chain(total);
            changed.map(move |change| (figure, change))
        });
        changes.collect()
    }

    fn assert_unchanged(&self, what: &str) {
        let changes = self.changes();
        assert!(changes.is_empty(), "{what}: {changes:#?}");
    }
}

/// A run of `known`, all of it recorded: the capture, and what the program says of its sites.
fn known(calls: &str) -> (Saved, Value) {
    let program = Program::start(&newest_go(), "known", &["-calls", calls]);
    let (capture, report) = trace_measured(program, &ALLOCATIONS_ONLY);
    (Saved::new(&capture), report)
}

#[test]
fn the_same_work_does_not_differ_and_more_work_differs_by_just_so_much() {
    let (base, once) = known("1000");
    let (again, _) = known("1000");
    let (more, twice) = known("2000");
    let total = ["--normalize", "total"];

    let rules = [
        "--fail-on",
        "alloc_bytes>1%",
        "--fail-on",
        "site:allocs>10%",
    ];
    let same = diff(&base, &again, &[&total[..], &rules].concat());
    same.assert_unchanged("the same work");
    assert_eq!(same.code(), Some(0), "{}", same.messages());

    let changed = diff(&base, &more, &[&total[..], &rules].concat());
    assert_eq!(changed.code(), Some(1));
    for part in [
        "alloc_bytes>1% is broken",
        "site:allocs>10% is broken",
        "main.",
    ] {
        assert!(
            changed.messages().contains(part),
            "{part}: {}",
            changed.messages()
        );
    }
    let all = &changed.json["totals"]["figures"]["allocs"];
    assert_eq!(all["significant"], true, "{all}");
    let sites = list(&once, "sites").iter().zip(list(&twice, "sites"));
    let mut checked = 0;
    for (before, after) in sites {
        let function = before["function"].as_str().expect("a name");
        // What a library allocates is at the library's lines.
        if before["entry"] != before["function"] {
            continue;
        }
        for (figure, own) in [("allocs", "/mallocs"), ("alloc_bytes", "/total_alloc")] {
            let found = changed.of_function(function, figure);
            let [expected_before, expected_after] = [number(before, own), number(after, own)];
            // The library's part of a phase is not at the phase's line.
            if found[0] == expected_before {
                assert_eq!(found[1], expected_after, "{function}: {figure}");
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked} figures");
}

#[test]
fn samples_of_an_unchanged_program_raise_no_alarm_and_show_a_change() {
    let sampled = |scene: &[&str]| {
        let program = Program::start_at(&program_path(&newest_go(), "leak"), scene);
        let (capture, _) = trace_measured(program, &["--mode", "sampled"]);
        Saved::new(&capture)
    };
    let runs: Vec<Saved> = (0..5).map(|_| sampled(&SCENE)).collect();
    let args = [
        "--normalize",
        "total",
        "--fail-on",
        "alloc_bytes>5%",
        "--fail-on",
        "site:alloc_bytes>20%",
    ];
    for (number, run) in (1..).zip(&runs[1..]) {
        for base in &runs[..number] {
            let same = diff(base, run, &args);
            same.assert_unchanged(&format!("run {number}"));
            assert_eq!(same.code(), Some(0), "{}", same.messages());
        }
    }
    let changed = diff(&runs[0], &sampled(&TWICE_DROPPED), &args);
    assert_eq!(changed.code(), Some(1), "{}", changed.messages());
    let rows = changed.significant("alloc_bytes");
    // It drops objects at more than one line.
    assert!(!rows.is_empty(), "{}", changed.json["totals"]);
    assert!(
        rows.iter().all(|row| row["name"] == "main.churn"),
        "{rows:#?}"
    );
    let [before, after] = changed.of_function("main.churn", "alloc_bytes");
    let growth = after as f64 / before as f64;
    assert!((growth - 2.0).abs() < 0.2, "{before} → {after}");
    assert!(
        changed.messages().contains("main.churn"),
        "{}",
        changed.messages()
    );
}

/// Three seconds of a program that does not end by itself.
fn steady(name: &str, args: &[&str]) -> Saved {
    let mut program = Program::start_at(&program_path(&newest_go(), name), args);
    program.wait_for("ready");
    if name == "surge" {
        program.go_on();
    }
    let options = [&ALLOCATIONS_ONLY[..], &["--duration", "3s"]].concat();
    let capture = Agent::record(program.pid(), &options).wait().capture();
    Saved::new(&capture)
}

#[test]
fn rates_are_told_from_the_noise_of_time() {
    // A thousand allocations a second, by the clock.
    let paced = ["-quiet", "60s"];
    // On a busy machine it may really be slower once.
    measure_again(|| {
        let (base, again) = (steady("surge", &paced), steady("surge", &paced));
        let same = diff(&base, &again, &["--fail-on", "site:alloc_bytes>50%"]);
        let changed = same.changes();
        promise(changed.is_empty() && same.code() == Some(0), || {
            format!("{changed:#?} {}", same.messages())
        })
    });

    // Its rate may vary so much on a busy machine that the change is within the noise.
    measure_again(|| {
        let [small, large] = ["64", "1024"].map(|size| steady("churn", &["-size", size]));
        let changed = diff(&small, &large, &["--fail-on", "alloc_bytes>100%"]);
        promise(changed.code() == Some(1), || changed.messages())?;
        let first = &changed.rows()[0];
        assert_eq!(first["name"], "main.descend", "{first}");
        assert_eq!(
            first["figures"]["alloc_bytes"]["significant"], true,
            "{first}"
        );
        Ok(())
    });
}
