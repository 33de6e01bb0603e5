//! Programs that touch pages in every way there is, a known number of times.

use crate::truth::{Traced, both, trace};
use serde_json::Value;
use std::sync::LazyLock;
use tracer_tests::{
    assert_accounted, assert_close, list, lost, number, sites_in, some_builds_of, sum, timed,
};

/// What a site may differ by from what the kernel counted for its thread: it counts the runtime's faults, too.
const SHARE: f64 = 0.01;
const FEW: u64 = 4;

/// Builds of the program of every Go version, traced once for all tests here: the collector and maps, which are probed by
/// other tests, would only take the kernel time to take out.
static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| {
    let options = ["--maps", "off", "--gc", "off"];
    let builds = some_builds_of("pages");
    let traced = builds
        .iter()
        .map(|build| timed(build, || trace(build, &[], &options)));
    traced.collect()
});

/// The functions that take all faults of their thread at one line: what they touch, and whether they write to it.
const FUNCTIONS: [(&str, &str, bool); 6] = [
    ("main.touchPages", "other", true),
    ("main.touchTable", "binary", true),
    ("main.readFile", "file", false),
    ("main.readZeros", "other", false),
    ("main.makeBytes", "heap", true),
    ("main.makePointers", "heap", true),
];

/// What the sum over all kinds of memory is made of.
const MEMORY: [&str; 5] = ["heap", "stack", "binary", "file", "other"];

#[test]
fn nothing_is_lost_and_everything_accounted() {
    for traced in TRACED.iter() {
        assert_accounted(&traced.capture);
        assert_eq!(lost(&traced.capture), 0, "{}", traced.build);
        let family = &traced.capture["completeness"]["families"]["faults"];
        let totals = &traced.capture["totals"];
        let all = number(totals, "/faults_minor") + number(totals, "/faults_major");
        assert_eq!(number(family, "/hits"), all, "{}: {family}", traced.build);
    }
}

#[test]
fn totals_are_those_of_getrusage() {
    for Traced {
        build,
        truth,
        capture,
    } in TRACED.iter()
    {
        for kind in ["minor", "major"] {
            let total = number(capture, &format!("/totals/faults_{kind}"));
            let counted = number(truth, &format!("/{kind}"));
            assert_close(&format!("{build}: {kind}"), total, counted, SHARE, FEW);
            let of_all = number(capture, &format!("/faults/{kind}"));
            assert_eq!(of_all, total, "{build}: {kind}");
        }
    }
}

#[test]
fn every_line_has_the_faults_that_it_takes() {
    for traced in TRACED.iter() {
        for (function, ..) in FUNCTIONS {
            let counted = traced.counted(function);
            let what = format!("{}: {function}", traced.build);
            assert_close(&what, traced.both_at(function), both(counted), SHARE, FEW);
            let (major, expected) = (traced.at(function, "major"), number(counted, "/major"));
            assert_close(&format!("{what}, major"), major, expected, SHARE, FEW);
        }
        let read = number(traced.counted("main.readFile"), "/major");
        assert!(read > 0, "{}: the file is on a disk", traced.build);
    }
}

#[test]
fn every_fault_is_of_the_memory_that_is_touched() {
    for traced in TRACED.iter() {
        for (function, memory, _) in FUNCTIONS {
            let what = format!("{}: {function}", traced.build);
            let found = traced.at(function, &format!("by_memory/{memory}"));
            assert_close(&what, found, traced.both_at(function), SHARE, 0);
        }
    }
}

#[test]
fn reads_are_told_from_writes() {
    for traced in TRACED.iter() {
        for (function, _, writes) in FUNCTIONS {
            let (wanted, other) = if writes {
                ("writes", "reads")
            } else {
                ("reads", "writes")
            };
            let what = format!("{}: {function}", traced.build);
            let found = traced.at(function, wanted);
            assert_close(&what, found, traced.both_at(function), SHARE, 0);
            assert!(traced.at(function, other) <= FEW, "{what}: {other}");
        }
    }
}

/// Each fault is of one kind in each way to divide them.
fn assert_adds_up(what: &str, faults: &Value) {
    let of_kinds = |kinds: &[&str]| -> u64 {
        let paths = kinds.iter().map(|kind| format!("/{kind}"));
        paths.map(|path| number(faults, &path)).sum()
    };
    let by_memory: u64 = MEMORY
        .iter()
        .map(|memory| number(faults, &format!("/by_memory/{memory}")))
        .sum();
    assert_eq!(by_memory, both(faults), "{what}: {faults}");
    let by_access = of_kinds(&["reads", "writes", "unknown_access"]);
    assert_eq!(by_access, both(faults), "{what}: {faults}");
}

#[test]
fn all_sites_together_have_all_faults() {
    for Traced { build, capture, .. } in TRACED.iter() {
        assert_adds_up(&build.to_string(), &capture["faults"]);
        let sites: Vec<&Value> = list(capture, "sites").iter().collect();
        for site in &sites {
            assert_adds_up(&format!("{build}: {}", site["frames"]), &site["faults"]);
        }
        for path in ["minor", "major", "reads", "writes", "by_memory/heap"] {
            let all = number(&capture["faults"], &format!("/{path}"));
            let of_sites = sum(&sites, &format!("/faults/{path}"));
            assert_eq!(of_sites, all, "{build}: {path}");
        }
    }
}

/// Half of each new stack is written to when the old one is copied, on the system stack; the rest by the function itself.
#[test]
fn stacks_that_grow_fault_where_they_are_used() {
    for traced in TRACED.iter() {
        let counted = both(traced.counted("main.deepen"));
        let stacks = number(&traced.capture, "/faults/by_memory/stack");
        // Those of other goroutines come on top, and what the runtime notes about new stacks is no stack.
        assert_close(&traced.build.to_string(), stacks, counted, 0.05, 0);
        let sites = sites_in(&traced.capture, "main.deepen");
        let own = sum(&sites, "/faults/by_memory/stack");
        assert!(
            own > counted / 5 && own <= counted,
            "{}: {own} of {counted}",
            traced.build
        );
    }
}

/// The kernel touches the pages, in `read(2)`: they count for the line that asks for it.
#[test]
fn a_system_call_that_faults_counts_for_its_caller() {
    for traced in TRACED.iter() {
        let sites = sites_in(&traced.capture, "main.readInto");
        let faults = sum(&sites, "/faults/minor") + sum(&sites, "/faults/major");
        let counted = both(traced.counted("main.readInto"));
        let what = format!("{}: main.readInto", traced.build);
        assert_close(&what, faults, counted, SHARE, FEW);
        assert_eq!(sum(&sites, "/faults/unknown_access"), faults, "{what}");
    }
}

#[test]
fn the_timeline_has_all_faults_and_resident_memory() {
    for Traced { build, capture, .. } in TRACED.iter() {
        let points = list(capture, "timeline").iter();
        let faults: u64 = points.map(|point| number(point, "/faults")).sum();
        let all = number(capture, "/faults/minor") + number(capture, "/faults/major");
        assert_eq!(faults, all, "{build}");
        let last = list(capture, "timeline").last().expect("a point");
        let parts = number(last, "/rss_anon_bytes") + number(last, "/rss_file_bytes");
        assert_eq!(parts, number(last, "/rss_bytes"), "{build}: {last}");
    }
}
