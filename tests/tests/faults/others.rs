//! Huge pages, other processes, and captures without page faults.

use crate::truth::{Traced, both, trace};
use serde_json::Value;
use tracer_tests::{
    Agent, Program, assert_accounted, assert_close, builds_of, for_each_of, list, lost, number,
    oldest_and_newest,
};

/// What the runtime may do besides.
const FEW: u64 = 4;

/// Pages of the scene with huge pages: each of those is as large as 512 small ones.
const PAGES: u64 = 65_536;

#[test]
fn a_huge_page_is_one_fault() {
    for_each_of(&oldest_and_newest("pages"), |build| {
        let pages = PAGES.to_string();
        let scene = ["-scene", "touch", "-thp", "-pages", &pages];
        let traced = trace(build, &scene, &[]);
        assert_accounted(&traced.capture);
        let counted = both(traced.counted("main.touchPages"));
        let found = traced.both_at("main.touchPages");
        assert_close(&build.to_string(), found, counted, 0.01, FEW);
        assert!(
            counted < PAGES / 2,
            "{build}: {counted} faults: transparent huge pages are off on this machine"
        );
    });
}

#[test]
fn every_fault_counts_at_full_speed() {
    for_each_of(&oldest_and_newest("pages"), |build| {
        // A million, of pages that the program gives back between.
        let scene = ["-scene", "steady", "-rate", "1000000", "-for", "1s"];
        let traced = trace(build, &scene, &[]);
        let Traced { truth, capture, .. } = &traced;
        assert_accounted(capture);
        assert_eq!(lost(capture), 0, "{build}");
        let minor = number(capture, "/totals/faults_minor");
        let counted = number(truth, "/minor");
        assert_close(&build.to_string(), minor, counted, 0.001, 0);
        let counted = both(traced.counted("main.touchPages"));
        let found = traced.both_at("main.touchPages");
        assert_close(&build.to_string(), found, counted, 0.001, 0);
    });
}

#[test]
fn faults_of_another_process_do_not_count() {
    let builds = builds_of("pages");
    let build = &builds[builds.len() - 1];
    let mut target = Program::start_at(&build.path(), &["-scene", "idle"]);
    let mut other = Program::start_at(&build.path(), &["-scene", "touch", "-pages", "50000"]);
    target.wait_for("ready");
    other.wait_for("ready");
    let agent = Agent::record(target.pid(), &[]);
    agent.wait_attached();
    target.go_on();
    other.go_on();
    target.wait_for("done");
    other.wait_for("done");
    let capture = agent.interrupt().capture();
    assert_accounted(&capture);
    let counted = |program: &mut Program| {
        program.go_on();
        let truth: Value = serde_json::from_str(&program.line()).expect("figures");
        both(&truth)
    };
    assert!(counted(&mut other) > 50_000);
    let found = number(&capture, "/faults/minor") + number(&capture, "/faults/major");
    assert_close("the target", found, counted(&mut target), 0.01, 16);
}

#[test]
fn without_faults_they_are_null() {
    for build in &oldest_and_newest("pages") {
        let Traced { capture, .. } = trace(build, &["-scene", "touch"], &["--faults", "off"]);
        assert_accounted(&capture);
        assert!(capture["faults"].is_null(), "{build}");
        for total in ["faults_minor", "faults_major"] {
            assert!(capture["totals"][total].is_null(), "{build}: {total}");
        }
        for site in list(&capture, "sites") {
            assert!(site["faults"].is_null(), "{build}: {site}");
        }
        for point in list(&capture, "timeline") {
            assert!(point["faults"].is_null(), "{build}: {point}");
        }
    }
}

#[test]
fn faults_are_given_up_when_they_are_too_much_and_the_rest_is_not_shown_as_none() {
    let builds = builds_of("pages");
    let newest = &builds[builds.len() - 1];
    let scene = ["-scene", "steady", "-rate", "300000", "-for", "3s"];
    let Traced { truth, capture, .. } = trace(newest, &scene, &["--mode", "auto"]);
    assert_accounted(&capture);
    let mut steps = list(&capture["window"], "mode_steps").iter();
    assert!(
        steps.any(|step| step["mode"] == "no_faults"),
        "{}",
        capture["window"]
    );
    let recorded = number(&capture, "/faults/minor") + number(&capture, "/faults/major");
    assert!(recorded > 0 && recorded < both(&truth) / 2, "{recorded}");
    let last = list(&capture, "timeline").last().expect("a point");
    assert!(last["faults"].is_null(), "{last}");
    let share = capture["overhead"]["target_share_pct"].as_f64();
    assert!(share.is_some_and(|share| share < 7.0), "{share:?}");
}

#[test]
fn in_mode_auto_the_timeline_has_all_faults_up_to_its_end() {
    let builds = builds_of("pages");
    let newest = &builds[builds.len() - 1];
    let scene = ["-scene", "steady", "-rate", "1000", "-for", "1s"];
    let Traced { capture, .. } = trace(newest, &scene, &["--mode", "auto"]);
    let points = list(&capture, "timeline").iter();
    let seen: u64 = points.map(|point| number(point, "/faults")).sum();
    let found = number(&capture, "/faults/minor") + number(&capture, "/faults/major");
    assert_eq!(seen, found, "{}", capture["window"]);
}
