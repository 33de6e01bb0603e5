//! Cycles that the program asks for, and cycles that start by themselves.

use crate::truth::{Traced, WITHOUT_OTHERS, trace};
use serde_json::Value;
use std::sync::LazyLock;
use tracer_tests::{
    assert_accounted, assert_close, builds_of, list, lost, number, oldest_and_newest, sum, timed,
};

/// Every build of the program, traced once for all tests here.
static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| {
    let builds = builds_of("gc");
    let scene = ["-scene", "cycles", "-forced", "10", "-automatic", "20"];
    let traced = builds
        .iter()
        .map(|build| timed(build, || trace(build, &scene, &WITHOUT_OTHERS)));
    traced.collect()
});

#[test]
fn nothing_is_lost_and_everything_accounted() {
    for traced in TRACED.iter() {
        assert_accounted(&traced.capture);
        assert_eq!(lost(&traced.capture), 0, "{}", traced.build);
        let skipped = list(&traced.capture["gc"], "skipped");
        assert!(skipped.is_empty(), "{}: {skipped:?}", traced.build);
    }
}

#[test]
fn there_are_as_many_cycles_as_the_runtime_counts() {
    for traced in TRACED.iter() {
        let cycles = traced.delta("num_gc");
        assert!(cycles >= 30, "{}: {}", traced.build, traced.truth);
        let gc = &traced.capture["gc"];
        assert_eq!(number(gc, "/cycles_total"), cycles, "{}", traced.build);
        let kept = list(gc, "cycles").len() as u64;
        assert_eq!(kept, cycles, "{}", traced.build);
        let total = number(&traced.capture, "/totals/gc_cycles");
        assert_eq!(total, cycles, "{}", traced.build);
        let points = list(&traced.capture, "timeline").iter();
        let seen: u64 = points.map(|point| number(point, "/gc_cycles")).sum();
        assert_eq!(seen, cycles, "{}: the timeline", traced.build);
    }
}

#[test]
fn every_cycle_has_what_started_it() {
    for traced in TRACED.iter() {
        let count = |trigger: &str| {
            let cycles = list(&traced.capture["gc"], "cycles").iter();
            cycles.filter(|cycle| cycle["trigger"] == trigger).count() as u64
        };
        let forced = traced.delta("num_forced_gc");
        assert_eq!(count("call"), forced, "{}", traced.build);
        let others = traced.delta("num_gc") - forced;
        assert_eq!(count("heap"), others, "{}", traced.build);
    }
}

#[test]
fn every_cycle_has_its_time_and_what_it_does_to_the_heap() {
    for traced in TRACED.iter() {
        let mut before = 0;
        for cycle in list(&traced.capture["gc"], "cycles") {
            let context = format!("{}: {cycle}", traced.build);
            let (start, end) = (number(cycle, "/start_ns"), number(cycle, "/end_ns"));
            assert!(before <= start && start < end, "{context}");
            before = end;
            let at = |figure: &str| number(cycle, &format!("/heap_{figure}"));
            assert!(at("before") <= at("peak"), "{context}");
            // What is marked is counted anew, by objects: what is live by the other count is an estimate.
            assert!(at("after") <= at("peak") + (64 << 10), "{context}");
            assert!(at("after") > 0 && at("goal") > 0, "{context}");
            assert!(
                number(cycle, "/worker_ns")
                    + number(cycle, "/idle_ns")
                    + number(cycle, "/assist_ns")
                    > 0,
                "{context}"
            );
            let pauses = list(cycle, "stw_ns").len();
            assert!(pauses >= 2, "{context}");
        }
    }
}

/// What the pacer aimed at when a cycle began is what it was told to aim at when the one before ended.
#[test]
fn the_goal_is_the_runtimes() {
    for traced in TRACED.iter() {
        let last = list(&traced.capture, "timeline").last().expect("a point");
        let goal = number(&traced.truth, "/after/next_gc");
        assert_eq!(number(last, "/heap_goal"), goal, "{}", traced.build);
        let live = number(&traced.truth, "/after/heap_alloc");
        let found = number(last, "/heap_live");
        // The pacer counts whole spans that processors allocate from, and no garbage that was not swept.
        assert!(
            found > 0 && found <= live + live / 10 + (512 << 10),
            "{}: {found}, heap of {live}",
            traced.build
        );
    }
}

#[test]
fn calls_are_at_their_line() {
    for traced in TRACED.iter() {
        let calls = number(&traced.truth, "/calls");
        assert_eq!(calls, 10, "{}", traced.truth);
        let found = traced.at("main.collect", "// calls here", "gc_calls");
        assert_eq!(found, calls, "{}", traced.build);
        let gc = &traced.capture["gc"];
        assert_eq!(number(gc, "/calls"), calls, "{}", traced.build);
        let sites: Vec<&Value> = list(&traced.capture, "sites").iter().collect();
        assert_eq!(sum(&sites, "/gc_calls"), calls, "{}", traced.build);
    }
}

#[test]
fn pauses_are_as_long_as_the_runtime_says() {
    for traced in TRACED.iter() {
        let gc = &traced.capture["gc"];
        let truth = traced.delta("pause_total_ns");
        let total = number(gc, "/pause_total_ns");
        assert_close(&format!("{}: total", traced.build), total, truth, 0.05, 0);
        let pauses = list(gc, "pauses").iter();
        let pauses: Vec<&Value> = pauses.filter(|pause| pause["gc"] == true).collect();
        assert_eq!(sum(&pauses, "/duration_ns"), total, "{}", traced.build);
        let count = number(gc, "/pause_count");
        assert_eq!(pauses.len() as u64, count, "{}", traced.build);
        let cycles = list(gc, "cycles").iter();
        let of_cycles = cycles.flat_map(|cycle| list(cycle, "stw_ns"));
        let of_cycles: u64 = of_cycles.map(|ns| ns.as_u64().expect("a length")).sum();
        assert_eq!(of_cycles, total, "{}: by cycle", traced.build);
    }
}

#[test]
fn without_the_collector_its_figures_are_null() {
    for build in &oldest_and_newest("gc") {
        let Traced { capture, .. } = trace(build, &["-scene", "cycles"], &["--gc", "off"]);
        assert_accounted(&capture);
        assert!(capture["gc"].is_null(), "{build}");
        assert!(capture["totals"]["gc_cycles"].is_null(), "{build}");
        for site in list(&capture, "sites") {
            for figure in ["gc_assist_ns", "gc_assists", "gc_calls"] {
                assert!(site[figure].is_null(), "{build}: {figure}: {site}");
            }
        }
    }
}
