//! Pauses that are not the collector's.

use crate::truth::{Traced, WITHOUT_OTHERS, trace};
use serde_json::Value;
use tracer_tests::{assert_accounted, for_each_of, list, number, some_builds_of, sum};

/// `runtime.ReadMemStats` is called by the program before the scene and after it, too.
const MORE: u64 = 2;

#[test]
fn every_other_pause_counts() {
    for_each_of(&some_builds_of("gc"), |build| {
        let scene = ["-scene", "stw", "-times", "20"];
        let traced = trace(build, &scene, &WITHOUT_OTHERS);
        let Traced { truth, capture, .. } = &traced;
        assert_accounted(capture);
        let gc = &capture["gc"];
        assert_eq!(traced.delta("num_gc"), 0, "{build}: {truth}");
        for figure in ["cycles_total", "pause_count", "pause_total_ns"] {
            let found = number(gc, &format!("/{figure}"));
            assert_eq!(found, 0, "{build}: {figure}");
        }
        let expected = |reason: &str| number(truth, &format!("/pauses/{reason}"));
        let (stats, processors) = (expected("read mem stats") + MORE, expected("GOMAXPROCS"));
        let count = number(gc, "/other_pause_count");
        assert_eq!(count, stats + processors, "{build}");
        let pauses: Vec<&Value> = list(gc, "pauses").iter().collect();
        assert_eq!(pauses.len() as u64, count, "{build}");
        assert!(pauses.iter().all(|pause| pause["gc"] == false), "{build}");
        assert!(
            pauses.iter().all(|pause| number(pause, "/duration_ns") > 0),
            "{build}"
        );
        let total = number(gc, "/other_pause_ns");
        assert_eq!(sum(&pauses, "/duration_ns"), total, "{build}");
        assert!(
            pauses.is_sorted_by_key(|pause| number(pause, "/start_ns")),
            "{build}"
        );
        for (reason, expected) in [("read mem stats", stats), ("GOMAXPROCS", processors)] {
            let of_reason = pauses.iter().filter(|pause| pause["reason"] == reason);
            let expected = if traced.has_reasons() { expected } else { 0 };
            assert_eq!(of_reason.count() as u64, expected, "{build}: {reason}");
        }
        if !traced.has_reasons() {
            let mut reasons = pauses.iter().map(|pause| &pause["reason"]);
            assert!(reasons.all(Value::is_null), "{build}: {gc}");
        }
    });
}
