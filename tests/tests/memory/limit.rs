//! A program that leaks towards the memory limit of its control group.

use crate::findings::RULES;
use crate::group::Group;
use std::time::Duration;
use tracer_tests::{
    Agent, Program, assert_accounted, list, number, oldest_and_newest, rules_found,
};

const LIMIT: u64 = 256 << 20;
/// Bytes a second that the program leaks.
const RATE: u64 = 8 << 20;
/// The kernel counts what a group uses in batches, by processor.
const SLACK: u64 = 4 << 20;
/// How long the capture is.
const TIME: Duration = Duration::from_secs(10);

#[test]
fn a_leak_in_a_group_with_a_limit_shows_the_time_left() {
    for build in &oldest_and_newest("gc") {
        let group = Group::with_limit(LIMIT);
        let rate = RATE.to_string();
        let args = ["-scene", "limit", "-rate", &rate, "-for", "60s"];
        let mut program = Program::spawn(&mut group.command(&build.path(), &args));
        program.wait_for("ready");
        let agent = Agent::record(program.pid(), &[]);
        agent.wait_attached();
        program.go_on();
        std::thread::sleep(TIME);
        let before = group.used();
        let capture = agent.interrupt().capture();
        // It leaks on: what was used when the capture ended is between the two, whenever that was.
        let after = group.used();
        program.kill();
        assert_accounted(&capture);
        let limit = number(&capture, "/target/memory_limit_bytes");
        assert_eq!(limit, LIMIT, "{build}");

        let points = list(&capture, "timeline");
        let of_group = |at: usize| number(&points[at], "/limit_used_bytes");
        let last = of_group(points.len() - 1);
        assert!(
            (before - SLACK..=after + SLACK).contains(&last),
            "{build}: {last}, used {before} and {after}"
        );
        assert!(of_group(0) < last / 2, "{build}: {points:?}");

        assert_eq!(
            rules_found(&capture, &RULES),
            ["heap_near_limit"],
            "{build}"
        );
        let mut findings = list(&capture, "findings").iter();
        let finding = findings.find(|finding| finding["rule"] == "heap_near_limit");
        let finding = finding.expect("a finding");
        let left = seconds_left(finding["evidence"].as_str().expect("evidence"));
        let expected = (LIMIT - last) as f64 / RATE as f64;
        assert!(
            (left / expected - 1.0).abs() < 0.3,
            "{build}: {left} s, expected {expected}: {finding}"
        );
        assert_eq!(capture["memory"]["reason"], "live_heap", "{build}");
    }
}

/// The time in `it is reached in 20.3 s`.
fn seconds_left(evidence: &str) -> f64 {
    let (_, rest) = evidence
        .split_once("reached in ")
        .unwrap_or_else(|| panic!("no time left in {evidence:?}"));
    let (number, rest) = rest.split_once(' ').expect("a number and its unit");
    assert!(rest.starts_with('s'), "not seconds: {evidence:?}");
    number.parse().expect("a number")
}
