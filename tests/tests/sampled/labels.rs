//! Goroutines and their profiler labels: who allocates at a line that all share.

use crate::traced::{Traced, plain, trace};
use std::collections::BTreeSet;
use tracer_tests::{list, number, sites_in};

const SCENE: [&str; 8] = [
    "-rate", "65536", "-leak", "8000000", "-churn", "0", "-labels", "60000000",
];

fn traced() -> Vec<Traced> {
    plain("leak")
        .iter()
        .map(|build| trace(build, &SCENE))
        .collect()
}

#[test]
fn each_worker_is_a_goroutine_of_its_own() {
    for traced in traced() {
        let sites = sites_in(&traced.capture, "main.leakRequests");
        let goroutines: BTreeSet<u64> = sites
            .iter()
            .flat_map(|site| list(&site["recent"], "goroutines"))
            .map(|row| row[0].as_u64().expect("a number"))
            .collect();
        assert_eq!(goroutines.len(), 3, "{}: {goroutines:?}", traced.build);
        let main = sites_in(&traced.capture, "main.leakSmall");
        let goroutines = list(&main[0]["recent"], "goroutines");
        assert_eq!(goroutines.len(), 1, "{}: {goroutines:?}", traced.build);
        assert_eq!(goroutines[0][0], 1, "{}: main is the first", traced.build);
        let families = &traced.capture["completeness"]["families"];
        assert!(number(families, "/label sets/delivered") >= 3, "{families}");
    }
}
