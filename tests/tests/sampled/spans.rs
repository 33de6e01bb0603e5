//! A program whose runtime keeps no profile: rates by site from whole spans, and nothing about what is alive.

use crate::traced::trace;
use tracer_tests::{assert_close, builds_of, list, number, sites_in, sum};

/// Much more than is in spans that are in use.
const SCENE: [&str; 4] = ["-bytes", "400000000", "-keep", "40000000"];
/// A processor has one span of each of the few classes that matter here; the largest is of 16 KiB.
const SPANS_OF_PROCESSOR: u64 = 8 * (16 << 10);

#[test]
fn bytes_by_function_are_known_from_spans() {
    for build in &builds_of("quiet") {
        let traced = trace(build, &SCENE);
        let (capture, report) = (&traced.capture, &traced.report);
        for site in list(report, "sites") {
            let function = site["function"].as_str().expect("a name");
            let found = sum(&sites_in(capture, function), "/alloc_bytes");
            let what = format!("{build}: {function}");
            assert_close(&what, found, number(site, "/bytes"), 0.15, 0);
        }
        let total = |when: &str| number(report, &format!("/{when}/total_alloc"));
        // The collector takes the spans of all processors back.
        let cycles = number(report, "/after/num_gc") - number(report, "/before/num_gc");
        let in_use = number(report, "/processors") * SPANS_OF_PROCESSOR * (1 + cycles);
        let found = number(capture, "/totals/alloc_bytes");
        let expected = total("after") - total("before");
        let off = found.abs_diff(expected);
        assert!(
            off as f64 <= 0.01 * expected as f64 + in_use as f64,
            "{build}: {found}, expected {expected}, {cycles} cycles"
        );
    }
}

#[test]
fn the_source_is_told_and_nothing_is_said_of_what_is_alive() {
    for build in &builds_of("quiet") {
        let capture = trace(build, &SCENE).capture;
        let heap = &capture["heap"];
        assert_eq!(heap["source"], "spans", "{build}: {heap}");
        assert_eq!(heap["profiler"]["on"], false, "{build}: {heap}");
        assert!(heap["live_since_attach"].is_null(), "{build}: {heap}");
        let reason = heap["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("profiler"), "{build}: {heap}");
        assert!(number(heap, "/samples") > 1000, "{build}: {heap}");
        for site in list(&capture, "sites") {
            assert!(site["live"].is_null(), "{build}: {site}");
            assert!(site["recent"]["objects"].is_null(), "{build}: {site}");
        }
    }
}
