//! `--maps writes`: every write, delete and clear.

use crate::truth::{Traced, trace, trace_all};
use std::sync::LazyLock;
use tracer_tests::{assert_accounted, builds_of, list, lost, number, oldest_and_newest};

/// Every build of the program, traced once for all tests here.
static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| trace_all(&builds_of("maps"), "writes"));

/// A function that fills a map: its type, key and element, whether the key is a pointer, and the bytes of the element
/// that can hold pointers.
const TYPES: [(&str, &str, &str, bool, &str, u64); 8] = [
    (
        "main.fillInt32",
        "map[int32]int64",
        "int32",
        false,
        "int64",
        0,
    ),
    (
        "main.fillInt64",
        "map[int64]main.user",
        "int64",
        false,
        "main.user",
        8,
    ),
    (
        "main.fillString",
        "map[string]*main.user",
        "string",
        false,
        "*main.user",
        8,
    ),
    (
        "main.fillPointer",
        "map[*main.user]bool",
        "*main.user",
        true,
        "bool",
        0,
    ),
    (
        "main.fillStruct",
        "map[main.point]string",
        "main.point",
        false,
        "string",
        8,
    ),
    (
        "main.fillFloat",
        "map[float64]int32",
        "float64",
        false,
        "int32",
        0,
    ),
    (
        "main.fillWide",
        "map[string]main.wide",
        "string",
        false,
        "main.wide",
        0,
    ),
    (
        "main.fillReflected",
        "map[uint16]uint16",
        "uint16",
        false,
        "uint16",
        0,
    ),
];

#[test]
fn nothing_is_lost_and_everything_accounted() {
    for traced in TRACED.iter() {
        assert_accounted(&traced.capture);
        assert_eq!(lost(&traced.capture), 0, "{}", traced.build);
        let rows = list(&traced.capture, "maps").iter();
        let figures = ["/writes", "/nil_writes", "/deletes", "/clears"];
        let sum: u64 = rows
            .flat_map(|row| figures.map(|figure| number(row, figure)))
            .sum();
        let total = number(&traced.capture, "/totals/map_writes");
        assert_eq!(sum, total, "{}", traced.build);
    }
}

#[test]
fn every_site_has_its_writes_deletes_and_clears() {
    for traced in TRACED.iter() {
        assert!(!traced.truth.sites.is_empty());
        for (function, site) in &traced.truth.sites {
            let counts = ["writes", "deletes", "clears", "nil_writes"]
                .map(|field| traced.sum(function, field));
            let expected = [site.writes, site.deletes, site.clears, site.nil_writes];
            assert_eq!(
                counts.map(i64::cast_unsigned),
                expected,
                "{}: {function}",
                traced.build
            );
        }
    }
}

#[test]
fn every_site_has_the_entries_that_it_adds_and_removes() {
    for traced in TRACED.iter() {
        for (function, site) in &traced.truth.sites {
            let net = traced.sum(function, "net_entries");
            assert_eq!(net, site.net_entries, "{}: {function}", traced.build);
        }
    }
}

#[test]
fn the_largest_length_is_exact() {
    for traced in TRACED.iter() {
        for (function, maps) in &traced.truth.maps {
            let context = format!("{}: {function}: {:?}", traced.build, traced.rows(function));
            assert_eq!(
                traced.max(function, "max_entries"),
                maps.max_entries,
                "{context}"
            );
        }
    }
}

#[test]
fn growths_are_those_of_the_runtimes_rules() {
    TRACED.iter().for_each(Traced::assert_growths);
}

#[test]
fn what_growing_allocates_is_what_the_runtime_says() {
    TRACED.iter().for_each(Traced::assert_growth_bytes);
}

#[test]
fn every_map_is_an_instance_also_where_another_was_before() {
    for traced in TRACED.iter() {
        for (function, maps) in &traced.truth.maps {
            let instances = traced.sum(function, "instances").cast_unsigned();
            assert_eq!(instances, maps.instances, "{}: {function}", traced.build);
        }
        let built = traced.truth.maps["main.buildOne"].instances;
        assert!(traced.truth.addresses < built, "addresses were reused");
        assert!(traced.truth.moves > 2, "the stack moved");
    }
}

#[test]
fn a_cache_shows_its_bound() {
    for traced in TRACED.iter() {
        let instances = traced.instances("main.cachePut");
        let [cache] = instances[..] else {
            panic!("{}: {instances:?}", traced.build);
        };
        assert_eq!(
            number(cache, "/max_entries"),
            500,
            "{}: {cache}",
            traced.build
        );
        assert_eq!(number(cache, "/entries"), 500, "{}: {cache}", traced.build);
        let curve = list(cache, "curve").iter();
        assert!(
            curve.clone().all(|point| number(point, "/1") <= 500),
            "{}: {cache}",
            traced.build
        );
        let unbounded = traced.findings("map_grows_without_bound", "main.cachePut");
        assert!(unbounded.is_empty(), "{}: {unbounded:?}", traced.build);
    }
}

/// The program does nothing but write to maps: to the same ones, or to new ones that are garbage at once.
#[test]
fn nothing_is_missing_at_full_speed() {
    for build in &oldest_and_newest("maps") {
        for scene in [&["-build"][..], &[]] {
            let program = [&["-scene", "heavy", "-for", "2s"], scene].concat();
            let traced = trace(build, &program, &["--maps", "writes"]);
            assert_accounted(&traced.capture);
            assert_eq!(lost(&traced.capture), 0, "{build}");
            for (function, site) in &traced.truth.sites {
                let writes = traced.sum(function, "writes").cast_unsigned();
                assert_eq!(writes, site.writes, "{build}: {function}");
                assert!(traced.max(function, "max_entries") <= 4096, "{build}");
            }
        }
    }
}

#[test]
fn a_type_has_its_key_and_element() {
    for traced in TRACED.iter() {
        for (function, name, key, pointer, elem, pointer_bytes) in TYPES {
            let rows = traced.rows(function);
            assert!(!rows.is_empty(), "{}: {function}", traced.build);
            for row in rows {
                let context = format!("{}: {row}", traced.build);
                assert_eq!(row["type"], name, "{context}");
                assert_eq!(row["key"]["name"], key, "{context}");
                assert_eq!(row["key"]["pointer"], pointer, "{context}");
                assert_eq!(row["elem"]["name"], elem, "{context}");
                assert_eq!(
                    number(row, "/elem/pointer_bytes"),
                    pointer_bytes,
                    "{context}"
                );
            }
        }
        let pointer_keys = traced.findings("map_pointer_keys", "main.fillPointer");
        assert_eq!(pointer_keys.len(), 1, "{}", traced.build);
    }
}
