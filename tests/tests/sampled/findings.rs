//! A leak over some cycles of the collector is found where it is, and nothing where everything is dropped.

use crate::traced::{plain, trace};
use tracer_tests::{list, sites_in};

#[test]
fn a_leak_is_found_at_its_line_and_churn_is_none() {
    let leak = ["-rate", "65536", "-leak", "60000000", "-churn", "60000000"];
    let scene = [&leak[..], &["-cycles", "12", "-for", "4s"]].concat();
    let builds = plain("leak");
    for build in [&builds[0], &builds[builds.len() - 1]] {
        let capture = trace(build, &scene).capture;
        let findings = list(&capture, "findings");
        let has = |function: &str| {
            let sites = sites_in(&capture, function);
            let mut leaks = findings.iter().filter(|it| it["rule"] == "leak");
            leaks.any(|leak| sites.iter().any(|site| site["id"] == leak["site"]))
        };
        assert!(has("main.leakBlocks"), "{build}: {findings:?}");
        assert!(!has("main.churn"), "{build}: {findings:?}");
    }
}

#[test]
fn a_program_that_only_churns_leaks_nothing() {
    let scene = [
        "-rate",
        "65536",
        "-leak",
        "0",
        "-churn",
        "200000000",
        "-cycles",
        "12",
        "-for",
        "4s",
    ];
    let builds = plain("leak");
    let build = &builds[builds.len() - 1];
    let capture = trace(build, &scene).capture;
    let mut findings = list(&capture, "findings").iter();
    assert!(
        findings.all(|it| it["rule"] != "leak"),
        "{}",
        capture["findings"]
    );
}
