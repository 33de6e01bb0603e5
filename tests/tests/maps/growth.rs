//! `--maps growth`, the default: how maps grow, and what that costs.

use crate::truth::{Traced, trace, trace_all};
use std::sync::LazyLock;
use tracer_tests::{assert_accounted, list, lost, number, oldest_and_newest, some_builds_of};

/// Builds of the program of every Go version, traced once for all tests here. The same functions are probed in all of
/// them for `--maps writes`, and tell of growth there, too.
static TRACED: LazyLock<Vec<Traced>> =
    LazyLock::new(|| trace_all(&some_builds_of("maps"), "growth"));

#[test]
fn nothing_is_lost_and_everything_accounted() {
    for traced in TRACED.iter() {
        assert_accounted(&traced.capture);
        assert_eq!(lost(&traced.capture), 0, "{}", traced.build);
        let rows = list(&traced.capture, "maps").iter();
        let growths: u64 = rows.map(|row| number(row, "/growths")).sum();
        let total = number(&traced.capture, "/totals/map_growths");
        assert_eq!(growths, total, "{}", traced.build);
    }
}

#[test]
fn growths_are_those_of_the_runtimes_rules() {
    TRACED.iter().for_each(Traced::assert_growths);
}

#[test]
fn a_map_with_room_from_the_start_does_not_grow() {
    for traced in TRACED.iter() {
        let presized = traced.sum("main.fillPresized", "growths");
        assert_eq!(presized, 0, "{}", traced.build);
    }
}

#[test]
fn every_map_that_grows_is_an_instance_also_where_another_was_before() {
    for traced in TRACED.iter() {
        for (function, maps) in &traced.truth.maps {
            if maps.growths == Some(0) {
                continue;
            }
            let instances = traced.sum(function, "instances").cast_unsigned();
            assert_eq!(instances, maps.instances, "{}: {function}", traced.build);
        }
    }
}

#[test]
fn no_map_is_larger_than_it_ever_was_and_large_ones_have_their_length() {
    for traced in TRACED.iter() {
        for (function, maps) in &traced.truth.maps {
            let instances = traced.instances(function);
            for instance in &instances {
                let context = format!("{}: {function}: {instance}", traced.build);
                assert!(
                    number(instance, "/max_entries") <= maps.max_entries,
                    "{context}"
                );
            }
            let max = traced.max(function, "max_entries");
            assert!(max <= maps.max_entries, "{}: {function}", traced.build);
        }
        // These are there until the end.
        for function in ["main.growByKey", "main.fillParallel", "main.cachePut"] {
            let maps = traced.truth.maps[function];
            let instances = traced.instances(function);
            assert_eq!(instances.len() as u64, maps.instances, "{}", traced.build);
            for instance in instances {
                let context = format!("{}: {function}: {instance}", traced.build);
                assert_eq!(number(instance, "/entries"), maps.max_entries, "{context}");
                assert_eq!(instance["alive"], true, "{context}");
            }
        }
    }
}

#[test]
fn what_growing_allocates_is_what_the_runtime_says() {
    for traced in TRACED.iter() {
        traced.assert_growth_bytes();
        let row = traced.rows("main.growByKey")[0];
        // All tables before the last have half the size in sum, but for what lies around them.
        let amplification = row["amplification"].as_f64().expect("a factor");
        assert!(
            (1.8..2.5).contains(&amplification),
            "{}: {row}",
            traced.build
        );
        let found = traced.findings("map_grown_step_by_step", "main.growByKey");
        assert_eq!(
            found.len(),
            1,
            "{}: {}",
            traced.build,
            traced.capture["findings"]
        );
    }
}

#[test]
fn what_is_not_measured_is_null() {
    for traced in TRACED.iter() {
        assert!(traced.capture["totals"]["map_writes"].is_null());
        for row in list(&traced.capture, "maps") {
            for field in [
                "writes",
                "deletes",
                "clears",
                "nil_writes",
                "net_entries",
                "growth_ns",
            ] {
                assert!(row[field].is_null(), "{}: {field}: {row}", traced.build);
            }
        }
    }
}

#[test]
fn a_write_to_a_nil_map_is_found_though_the_program_recovers() {
    for traced in TRACED.iter() {
        let crashes = list(&traced.capture, "crashes");
        let [crash] = &crashes[..] else {
            panic!("{}: {crashes:?}", traced.build);
        };
        assert_eq!(crash["function"], "runtime.gopanic", "{}", traced.build);
        assert_eq!(crash["message"], "assignment to entry in nil map");
        assert_eq!(crash["frames"][0]["function"], "main.setInNil");
        assert_eq!(
            crash["count"],
            traced.truth.sites["main.setInNil"].nil_writes
        );
        let findings = list(&traced.capture, "findings").iter();
        let found = findings.filter(|found| found["rule"] == "nil_map_write");
        assert_eq!(found.count(), 1, "{}", traced.build);
    }
}

#[test]
fn a_map_that_only_grows_is_found_and_a_cache_is_not() {
    for build in &oldest_and_newest("maps") {
        let traced = trace(build, &["-scene", "leak", "-for", "8s"], &[]);
        let leak = traced.findings("map_grows_without_bound", "main.leakOne");
        assert_eq!(leak.len(), 1, "{build}: {}", traced.capture["findings"]);
        let cache = traced.findings("map_grows_without_bound", "main.cachePut");
        assert!(cache.is_empty(), "{build}: {cache:?}");
        let scanned = traced.findings("map_pointer_heavy", "main.leakOne");
        assert_eq!(scanned.len(), 1, "{build}: {}", traced.capture["findings"]);
        let instances = traced.instances("main.leakOne");
        let [leaked] = instances[..] else {
            panic!("{build}: {instances:?}");
        };
        let curve: Vec<[u64; 2]> = list(leaked, "curve")
            .iter()
            .map(|point| [number(point, "/0"), number(point, "/1")])
            .collect();
        assert!(curve.len() > 5, "{build}: {leaked}");
        assert!(curve.is_sorted(), "{build}: {leaked}");
        let entries = traced.truth.maps["main.leakOne"].max_entries;
        assert_eq!(number(leaked, "/entries"), entries, "{build}");
    }
}
