//! What is alive of what was allocated since the tracer came, against what the program knows.

use crate::traced::{Traced, error_of, plain, trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tracer_tests::{
    Samples, assert_close, by_function, known_bytes, list, measure_again, number, profile,
    profile_of_scene, promise, sites_by_function, sites_in, sum,
};

/// The leak that the figures are promised for.
const SCENE: [&str; 6] = [
    "-leak",
    "200000000",
    "-churn",
    "100000000",
    "-before",
    "20000000",
];
/// An eighth of the default, and the errors are a third.
const FINE: [&str; 2] = ["-rate", "65536"];

/// What an estimate may be off.
#[derive(Clone, Copy, Debug)]
enum Bound {
    /// A share of the truth.
    Share(f64),
    /// Standard errors.
    Errors(f64),
}

/// Some versions, at the fine rate.
static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| {
    let builds = plain("leak");
    builds.iter().map(trace_finely).collect()
});

fn trace_finely(build: &tracer_tests::Build) -> Traced {
    trace(build, &[&FINE[..], &SCENE].concat())
}

fn recent(site: &Value, figure: &str) -> u64 {
    site["recent"][figure].as_u64().unwrap_or_default()
}

#[test]
fn samples_and_frees_are_those_of_the_runtime() {
    for traced in TRACED.iter() {
        let mut scene = profile_of_scene(&traced.report);
        // What was there before was sampled before.
        scene.retain(|samples| samples.allocs > 0);
        let samples = by_function(&scene, |samples| samples.allocs);
        let found = sites_by_function(&traced.capture, |site| recent(site, "samples"));
        assert_eq!(found, samples, "{}", traced.build);
        let frees = by_function(&scene, |samples| samples.frees);
        let found = sites_by_function(&traced.capture, |site| recent(site, "freed"));
        assert_eq!(found, frees, "{}", traced.build);
    }
}

#[test]
fn what_was_there_before_is_freed_and_makes_nothing_negative() {
    for traced in TRACED.iter() {
        let scene = profile_of_scene(&traced.report);
        let before = |samples: &&Samples| samples.allocs == 0;
        let freed: u64 = scene
            .iter()
            .filter(before)
            .map(|samples| samples.frees)
            .sum();
        assert!(freed > 100, "{}: {freed}", traced.build);
        let found = number(&traced.capture, "/heap/frees_before");
        // Some things of the runtime's own may be among them.
        assert!(
            (freed..freed + 8).contains(&found),
            "{}: {found}, expected {freed}",
            traced.build
        );
        // All figures are there, which none below zero would be.
        for site in list(&traced.capture, "sites") {
            for figure in ["objects", "bytes", "bytes_error", "samples", "freed"] {
                assert!(site["recent"][figure].is_u64(), "{}: {site}", traced.build);
            }
            let kept = recent(site, "samples").checked_sub(recent(site, "freed"));
            assert!(kept.is_some(), "{}: {site}", traced.build);
        }
    }
}

#[test]
fn the_age_of_what_lives_and_the_life_of_what_was_freed_are_of_as_many_objects() {
    for traced in TRACED.iter() {
        let duration = number(&traced.capture, "/window/duration_ns");
        for site in list(&traced.capture, "sites") {
            let times = |name: &str| -> u64 {
                let times = list(&site["recent"], name).iter();
                times
                    .map(|class| {
                        let below = class[0].as_u64().expect("a time");
                        assert!(below / 2 <= duration, "{}: {site}", traced.build);
                        class[1].as_u64().expect("a count")
                    })
                    .sum()
            };
            let (samples, freed) = (recent(site, "samples"), recent(site, "freed"));
            assert_eq!(times("lifetimes_ns"), freed, "{}: {site}", traced.build);
            assert_eq!(
                times("ages_ns"),
                samples - freed,
                "{}: {site}",
                traced.build
            );
        }
    }
}

/// Nothing is published between the program's own look and the end of the capture.
#[test]
fn history_is_that_of_the_program_at_the_start_and_at_the_end() {
    for traced in TRACED.iter() {
        let alive = |samples: &Samples| samples.allocs - samples.frees;
        let expected = by_function(&profile(&traced.report, "after"), alive);
        let live = |figure: &str| -> BTreeMap<String, u64> {
            sites_by_function(&traced.capture, |site| {
                site["live"][figure].as_u64().unwrap_or_default()
            })
        };
        assert_eq!(live("raw_objects"), expected, "{}", traced.build);
        let at_start = by_function(&profile(&traced.report, "before"), alive);
        let found = live("objects_at_start");
        let names = |of: &BTreeMap<String, u64>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&at_start), "{}", traced.build);
    }
}

#[test]
fn the_source_and_its_rate_are_told() {
    for traced in TRACED.iter() {
        let heap = &traced.capture["heap"];
        assert_eq!(heap["source"], "profiler", "{}: {heap}", traced.build);
        assert_eq!(heap["profiler"]["on"], true, "{}: {heap}", traced.build);
        let rate = number(&traced.report, "/rate");
        assert_eq!(
            number(heap, "/profiler/rate_bytes"),
            rate,
            "{}",
            traced.build
        );
        assert_eq!(number(heap, "/unfollowed"), 0, "{}", traced.build);
        let sites: Vec<&Value> = list(&traced.capture, "sites").iter().collect();
        assert_eq!(
            number(heap, "/samples"),
            sum(&sites, "/recent/samples"),
            "{}",
            traced.build
        );
        let totals = &traced.capture["totals"];
        assert!(
            totals["requested_bytes"].is_null(),
            "{}: {totals}",
            traced.build
        );
    }
}

/// What is further off than it may be: what leaks, what is churned, and the whole of what was allocated.
fn deviations(traced: &Traced, bound: Bound) -> Vec<String> {
    let (capture, report) = (&traced.capture, &traced.report);
    let known = known_bytes(report);
    let leaking: Vec<&Value> = known
        .iter()
        .filter(|(_, (_, live))| *live > 0)
        .flat_map(|(function, _)| sites_in(capture, function))
        .collect();
    let expected: u64 = known.values().map(|(_, live)| live).sum();
    let mut off = Vec::new();
    let mut check = |what: &str, found: f64, expected: f64, within: f64| {
        if (found - expected).abs() > within {
            off.push(format!("{what}: {found}, expected {expected} ± {within}"));
        }
    };
    let within = |error: f64, expected: f64| match bound {
        Bound::Share(share) => share * expected,
        Bound::Errors(count) => count * error,
    };
    let error = error_of(&leaking, "/recent/bytes_error");
    let found = sum(&leaking, "/recent/bytes") as f64;
    check(
        "leaked",
        found,
        expected as f64,
        within(error, expected as f64),
    );

    let churn = sites_in(capture, "main.churn");
    let error = error_of(&churn, "/recent/bytes_error");
    check(
        "churn",
        sum(&churn, "/recent/bytes") as f64,
        0.0,
        3.0 * error + 1e6,
    );

    let all: Vec<&Value> = list(capture, "sites").iter().collect();
    let error = error_of(&all, "/estimate/alloc_bytes_error");
    let total = |when: &str| number(report, &format!("/{when}/total_alloc"));
    let expected = (total("after") - total("before")) as f64;
    let found = number(capture, "/totals/alloc_bytes") as f64;
    check("allocated", found, expected, 3.0 * error);
    off
}

/// One estimate in 370 is off by more than three errors by chance.
fn assert_estimated(first: &Traced, bound: Bound, again: impl Fn() -> Traced) {
    let mut off = Some(deviations(first, bound));
    measure_again(|| {
        let off = off.take().unwrap_or_else(|| deviations(&again(), bound));
        promise(off.is_empty(), || format!("{}: {off:?}", first.build))
    });
}

#[test]
fn bytes_are_the_truth_within_three_errors() {
    for traced in TRACED.iter() {
        assert_estimated(traced, Bound::Errors(3.0), || trace_finely(&traced.build));
    }
}

#[test]
fn at_the_default_rate_200_mb_are_known_within_15_percent() {
    for build in plain("leak") {
        let traced = trace(&build, &SCENE);
        assert_eq!(
            number(&traced.capture, "/heap/profiler/rate_bytes"),
            512 << 10
        );
        assert_estimated(&traced, Bound::Share(0.15), || trace(&build, &SCENE));
    }
}

/// With a sample of every byte nothing is an estimate.
#[test]
fn at_a_rate_of_one_byte_figures_are_exact() {
    for build in plain("leak") {
        let args = ["-rate", "1", "-leak", "4000000", "-churn", "4000000"];
        let traced = trace(&build, &args);
        let (capture, report) = (&traced.capture, &traced.report);
        for site in list(report, "sites") {
            let function = site["function"].as_str().expect("a name");
            let sites = sites_in(capture, function);
            for (figure, known) in [
                ("/allocs", "/allocs"),
                ("/alloc_bytes", "/bytes"),
                ("/recent/objects", "/live/objects"),
                ("/recent/bytes", "/live/bytes"),
                ("/recent/bytes_error", "/none"),
            ] {
                let expected = site.pointer(known).and_then(Value::as_u64).unwrap_or(0);
                let found = sum(&sites, figure);
                // Of what is churned, the newest is kept.
                let newest = match (function, known) {
                    ("main.churn", "/live/objects") => 2,
                    ("main.churn", "/live/bytes") => 64 + 1024,
                    _ => 0,
                };
                assert_eq!(found, expected + newest, "{build}: {function}: {figure}");
            }
        }
        // The program waits while the tracer attaches, and may need a thread more then.
        for (figure, own, few) in [
            ("allocs", "mallocs", 16),
            ("alloc_bytes", "total_alloc", 16 << 10),
        ] {
            let found = number(capture, &format!("/totals/{figure}"));
            let total = |when: &str| number(report, &format!("/{when}/{own}"));
            let expected = total("after") - total("before");
            assert_close(&format!("{build}: {figure}"), found, expected, 0.0, few);
        }
    }
}
