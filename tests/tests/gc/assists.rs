//! Mark assists: the time that goroutines work for the collector because they allocate, at the line that does.

use crate::truth::{Traced, WITHOUT_OTHERS, trace};
use serde_json::Value;
use std::sync::LazyLock;
use tracer_tests::{
    Build, assert_accounted, assert_close, list, lost, measure_again, number, promise, sites_in,
    some_builds_of, sum, timed,
};

/// Builds of the program of every Go version, traced once for all tests here.
static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| {
    let builds = some_builds_of("gc");
    builds.iter().map(trace_assists).collect()
});

fn trace_assists(build: &Build) -> Traced {
    let scene = ["-scene", "assist"];
    timed(build, || trace(build, &scene, &WITHOUT_OTHERS))
}

#[test]
fn nothing_is_lost_and_everything_accounted() {
    for traced in TRACED.iter() {
        assert_accounted(&traced.capture);
        assert_eq!(lost(&traced.capture), 0, "{}", traced.build);
    }
}

#[test]
fn cycles_and_pauses_are_the_runtimes_at_full_speed() {
    for traced in TRACED.iter() {
        let gc = &traced.capture["gc"];
        let cycles = traced.delta("num_gc");
        assert_eq!(number(gc, "/cycles_total"), cycles, "{}", traced.build);
        let (total, truth) = (
            number(gc, "/pause_total_ns"),
            traced.delta("pause_total_ns"),
        );
        assert_close(&traced.build.to_string(), total, truth, 0.05, 0);
    }
}

#[test]
fn the_line_that_allocates_pays() {
    for traced in TRACED.iter() {
        let all = number(&traced.capture["gc"], "/assist_ns");
        assert!(all > 0, "{}: nobody assists", traced.build);
        let here = traced.at("main.allocate", "// allocates here", "gc_assist_ns");
        // Whoever makes the goroutines allocates as well, and one such allocation can pay for much.
        let parent = sites_in(&traced.capture, "main.allocateAll");
        let both = here + sum(&parent, "/gc_assist_ns");
        assert_close(&traced.build.to_string(), both, all, 0.05, 0);
        assert!(here > all / 2, "{}: {here} of {all}", traced.build);
        let assists = traced.at("main.allocate", "// allocates here", "gc_assists");
        assert!(assists > 0, "{}", traced.build);
        let sites: Vec<&Value> = list(&traced.capture, "sites").iter().collect();
        // On a busy machine the ring can be too full for the stack of one that comes once.
        let at_sites = sum(&sites, "/gc_assist_ns");
        assert_close(&format!("{}: sites", traced.build), at_sites, all, 0.01, 0);
        let count = number(&traced.capture["gc"], "/assists");
        let at_sites = sum(&sites, "/gc_assists");
        assert_close(
            &format!("{}: assists", traced.build),
            at_sites,
            count,
            0.01,
            2,
        );
    }
}

/// A goroutine that loses its processor between the probe and the runtime's look at its clock assists for longer than the
/// runtime says.
#[test]
fn assist_time_is_what_the_runtime_counts() {
    for traced in TRACED.iter() {
        let mut first = Some(traced);
        measure_again(|| match first.take() {
            Some(traced) => check_time(traced),
            None => check_time(&trace_assists(&traced.build)),
        });
    }
}

/// Two figures of the runtime: what it publishes, and the pacer's own, which is read when a cycle has marked.
fn check_time(traced: &Traced) -> Result<(), String> {
    let gc = &traced.capture["gc"];
    let found = number(gc, "/assist_ns") as f64;
    let is_close = |what: &str, counted: f64| {
        promise((found / counted - 1.0).abs() < 0.2, || {
            format!("{}: {found} ns, by {what} {counted} ns", traced.build)
        })
    };
    let cycles: Vec<&Value> = list(gc, "cycles").iter().collect();
    is_close("the pacer", sum(&cycles, "/assist_ns") as f64)?;
    let seconds = |when: &str| traced.truth[when]["assist_seconds"].as_f64();
    let (before, after) = (seconds("before"), seconds("after"));
    assert_eq!(after.is_some(), traced.build.minor() >= 20);
    match before.zip(after) {
        Some((before, after)) => is_close("runtime/metrics", 1e9 * (after - before)),
        None => Ok(()),
    }
}
