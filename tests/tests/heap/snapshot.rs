//! What is found is what the program finds when it reads its own profile, and what it stands for is the truth.

use crate::taken::{Taken, heap, take};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;
use tracer_tests::{
    Build, Estimate, Program, Samples, builds_of, by_function, known_bytes, list, measure_again,
    newest_go, number, oldest_and_newest, profile, promise, sites_by_function, sites_in, sum,
};

/// At this rate a leak of so many bytes has some thousand samples.
const SCENE: [&str; 8] = [
    "-rate", "65536", "-leak", "64000000", "-churn", "32000000", "-before", "8000000",
];

/// How far from the truth an estimate of one function may be, in standard errors. There are a hundred: at three, one in
/// four runs would fail.
const ERRORS: f64 = 5.0;

/// Every build of the program, looked at once for all tests here.
static TAKEN: LazyLock<Vec<Taken>> = LazyLock::new(|| {
    let builds = builds_of("leak");
    builds.iter().map(|build| take(build, &SCENE)).collect()
});

fn alive(samples: &Samples) -> u64 {
    samples.allocs - samples.frees
}

fn live(site: &Value, figure: &str) -> u64 {
    site["live"][figure].as_u64().unwrap_or_default()
}

/// Sites without an own function of the program have figures, too.
fn live_of_all(capture: &Value, figure: &str) -> u64 {
    let sites = list(capture, "sites").iter();
    sites.map(|site| live(site, figure)).sum()
}

#[test]
fn samples_are_those_of_the_program() {
    for taken in TAKEN.iter() {
        let expected = by_function(&profile(&taken.report, "after"), alive);
        let found = sites_by_function(&taken.capture, |site| live(site, "raw_objects"));
        assert!(expected.len() >= 8, "{}: {expected:?}", taken.build);
        assert_eq!(found, expected, "{}", taken.build);
    }
}

#[test]
fn the_capture_says_where_it_is_from_and_that_no_probe_was_there() {
    for taken in TAKEN.iter() {
        let (build, capture) = (&taken.build, &taken.capture);
        let context = format!("{build}: {}", capture["heap"]);
        let heap = &capture["heap"];
        assert_eq!(capture["window"]["mode"], "heap", "{build}");
        assert_eq!(heap["profiler"]["on"], true, "{context}");
        assert_eq!(heap["profiler"]["linked"], true, "{context}");
        let rate = number(&taken.report, "/rate");
        assert_eq!(number(heap, "/profiler/rate_bytes"), rate, "{context}");
        assert_eq!(heap["history"]["complete"], true, "{context}");
        for probed in [
            "source",
            "samples",
            "frees",
            "frees_before",
            "unfollowed",
            "live_since_attach",
        ] {
            assert!(heap[probed].is_null(), "{context}");
        }
        let sites = list(capture, "sites").iter();
        for site in sites {
            assert!(site["recent"].is_null(), "{build}: {site}");
        }
    }
}

/// Most time to look, without what the tracer waits for a processor.
const LOOK: Duration = Duration::from_secs(1);

#[test]
fn a_look_takes_less_than_a_second() {
    for build in &oldest_and_newest("leak") {
        measure_again(|| {
            let took = take(build, &SCENE).took;
            promise(took < LOOK, || format!("{build}: {took:?}"))
        });
    }
}

#[test]
fn samples_are_scaled_as_the_runtime_does() {
    for taken in TAKEN.iter() {
        let rate = number(&taken.report, "/rate");
        let samples = profile(&taken.report, "after");
        for function in by_function(&samples, alive).into_keys() {
            let mut of_function = samples.clone();
            of_function.retain(|samples| samples.function == function);
            let expected = Estimate::of(&of_function, rate, alive);
            let sites = sites_in(&taken.capture, &function);
            let context = format!("{}: {function}: {expected:?}", taken.build);
            // Each site is rounded by itself.
            let few = sites.len() as f64;
            for (figure, expected) in [("objects", expected.objects), ("bytes", expected.bytes)] {
                let found = sum(&sites, &format!("/live/{figure}")) as f64;
                assert!(
                    (found - expected).abs() <= few,
                    "{context}: {found} {figure}"
                );
            }
            let errors = sites.iter().map(|site| live(site, "bytes_error"));
            let error = errors
                .map(|error| (error as f64).powi(2))
                .sum::<f64>()
                .sqrt();
            let off = (error - expected.error()).abs();
            assert!(
                off <= 0.2 * expected.error() + few,
                "{context}: error {error}"
            );
        }
    }
}

#[test]
fn bytes_are_the_truth_within_their_errors() {
    for taken in TAKEN.iter() {
        let known = known_bytes(&taken.report);
        for (function, (_, expected)) in &known {
            let sites = sites_in(&taken.capture, function);
            let found = sum(&sites, "/live/bytes") as f64;
            let squares = sites
                .iter()
                .map(|site| (live(site, "bytes_error") as f64).powi(2));
            let error = squares.sum::<f64>().sqrt();
            let off = found - *expected as f64;
            assert!(
                off.abs() <= ERRORS * error,
                "{}: {function}: {found} ± {error}, expected {expected}",
                taken.build
            );
        }
        let leaked = known.values().filter(|(_, live)| *live > 0).count();
        assert_eq!(leaked, known.len() - 1, "all but churn leak");
    }
}

#[test]
fn the_whole_is_the_sum_of_the_sites() {
    for taken in TAKEN.iter() {
        for figure in ["objects", "bytes"] {
            let of_sites = live_of_all(&taken.capture, figure);
            let whole = number(&taken.capture, &format!("/heap/history/{figure}"));
            let few = list(&taken.capture, "sites").len() as u64;
            assert!(
                whole.abs_diff(of_sites) <= few,
                "{}: {figure}: {whole}, {of_sites}",
                taken.build
            );
        }
    }
}

/// A capture that is saved and rendered again says the same.
#[test]
fn the_same_moment_looks_the_same_in_each_format() {
    let build = newest();
    let mut program = Program::start_at(&build.path(), &SCENE);
    program.wait_for("ready");
    program.go_on();
    program.wait_for("done");
    let text = heap(program.pid(), &["--format", "text"]);
    assert_eq!(text.code(), 0, "{}", text.messages);
    for function in ["main.leakSmall", "main.leakBlocks"] {
        assert!(text.output.contains(function), "{}", text.output);
    }
    let lines = heap(program.pid(), &["--format", "ndjson"]);
    assert_eq!(lines.code(), 0, "{}", lines.messages);
    for line in lines.output.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    let path = std::env::temp_dir().join(format!("tracer-heap-{}.json", std::process::id()));
    let file = path.to_str().expect("a path");
    let written = heap(program.pid(), &["-o", file]);
    assert_eq!(written.code(), 0, "{}", written.messages);
    let saved = std::fs::read(&path).expect("a capture");
    std::fs::remove_file(&path).expect("a file");
    let saved: Value = serde_json::from_slice(&saved).expect("a JSON capture");
    let again = heap(program.pid(), &["--format", "json"]);
    let again = crate::taken::parse(&again);
    let of = |capture: &Value| -> BTreeMap<String, u64> {
        sites_by_function(capture, |site| live(site, "bytes"))
    };
    assert_eq!(of(&saved), of(&again));
}

fn newest() -> Build {
    let mut builds = builds_of("leak");
    builds.retain(|build| build.version == newest_go() && build.variant == "plain");
    builds.pop().expect("a build")
}
