//! Goroutines and their profiler labels: who allocates at a line that all share.

use crate::traced::{Traced, error_of, plain, trace};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use tracer_tests::{Saved, list, number, sites_in};

/// Three workers with labels share a line, and what else is leaked has none.
const SCENE: [&str; 8] = [
    "-rate", "65536", "-leak", "8000000", "-churn", "0", "-labels", "60000000",
];
/// How far from the truth an estimate may be, in standard errors: there are a dozen of them.
const ERRORS: f64 = 4.5;

static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| {
    let builds = plain("leak");
    builds.iter().map(|build| trace(build, &SCENE)).collect()
});

#[test]
fn each_worker_is_a_goroutine_of_its_own() {
    for traced in TRACED.iter() {
        let goroutines_at = |function: &str| -> BTreeSet<u64> {
            let sites = sites_in(&traced.capture, function);
            let rows = sites
                .iter()
                .flat_map(|site| list(&site["recent"], "goroutines"));
            rows.map(|row| row[0].as_u64().expect("a number")).collect()
        };
        let workers = goroutines_at("main.leakRequests");
        assert_eq!(workers.len(), 3, "{}: {workers:?}", traced.build);
        assert!(!workers.contains(&1), "{}: {workers:?}", traced.build);
        let main = goroutines_at("main.leakSmall");
        assert_eq!(
            main,
            BTreeSet::from([1]),
            "{}: main is the first",
            traced.build
        );
        let families = &traced.capture["completeness"]["families"];
        let sets = number(families, "/label_sets/delivered");
        assert!(sets >= 3, "{}: {families}", traced.build);
    }
}

/// The groups of a capture by a label: of each, its bytes and their standard error.
fn by_label(capture: &Value, key: &str) -> BTreeMap<String, (f64, f64)> {
    let by = format!("label:{key}");
    let text = Saved::new(capture).report(&["--group-by", &by, "--format", "json"]);
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let groups = list(&report, "groups").iter();
    let figures = groups.map(|group| {
        assert_eq!(group["by"], *by);
        let name = group["name"].as_str().expect("a name").to_owned();
        let bytes = number(group, "/alloc_bytes") as f64;
        (
            name,
            (bytes, error_of(&[group], "/estimate/alloc_bytes_error")),
        )
    });
    figures.collect()
}

#[test]
fn bytes_are_told_apart_by_a_label() {
    for traced in TRACED.iter() {
        let groups = by_label(&traced.capture, "tenant");
        let tenants = traced.report["tenants"].as_object().expect("tenants");
        for (tenant, expected) in tenants {
            let expected = number(expected, "/bytes") as f64;
            let found = groups.get(tenant).copied();
            let (bytes, error) = found.unwrap_or_else(|| panic!("{}: {groups:?}", traced.build));
            assert!(
                (bytes - expected).abs() <= ERRORS * error && error < 0.1 * expected,
                "{}: {tenant}: {bytes} ± {error}, expected {expected}",
                traced.build
            );
        }
        let total = number(&traced.capture, "/totals/alloc_bytes") as f64;
        let sum: f64 = groups.values().map(|(bytes, _)| bytes).sum();
        // Each site's part of each group is rounded by itself.
        let parts = groups.len() * list(&traced.capture, "sites").len();
        assert!(
            (sum - total).abs() <= parts as f64,
            "{}: {total}: {groups:?}",
            traced.build
        );
        assert_eq!(groups.len(), 4, "{}: {groups:?}", traced.build);
    }
}

/// One of the workers has three labels.
#[test]
fn each_of_several_labels_is_found() {
    for traced in TRACED.iter() {
        for (key, value) in [("region", "eu"), ("job", "import")] {
            let groups = by_label(&traced.capture, key);
            assert!(groups.contains_key(value), "{}: {groups:?}", traced.build);
            assert_eq!(groups.len(), 2, "{}: {groups:?}", traced.build);
        }
    }
}
