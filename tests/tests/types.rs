//! Every allocation has its Go type, and whatever figures are grouped by, they add up.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tracer_tests::{
    Agent, Program, Saved, assert_accounted, go_versions, list, newest_go, number, trace_measured,
};

/// What the functions of `known` allocate at their marked line, as its source says.
const ALLOCATED: [(&str, &str); 17] = [
    ("main.pointerStruct", "main.node"),
    ("main.widePointerStruct", "main.wideNode"),
    ("main.noscanStruct", "main.sample"),
    ("main.tinyBool", "bool"),
    ("main.tinyInt8", "int8"),
    ("main.tinyInt32", "int32"),
    ("main.tinyString", "string"),
    ("main.tinyConcatenation", "string"),
    ("main.byteSlice", "[]uint8"),
    ("main.variableByteSlice", "[]uint8"),
    ("main.pointerSlice", "[]*main.node"),
    ("main.largeNoscan", "[]uint8"),
    ("main.largePointers", "[]*main.node"),
    ("main.growingAppend", "[]int"),
    ("main.interfaceBoxing", "any(64-bit)"),
    ("main.newWideNode", "main.wideNode"),
    ("main.descend", "main.node"),
];

/// Bytes of each allocation that the garbage collector scans, up to the last pointer of what is in `phases.go`.
const SCANNED: [(&str, u64); 6] = [
    ("main.pointerStruct", 8),
    ("main.widePointerStruct", 8),
    ("main.noscanStruct", 0),
    ("main.tinyString", 0),
    ("main.pointerSlice", 800),
    ("main.channel", 0),
];

/// A capture of `known`, and what the program says.
struct Traced {
    version: String,
    capture: Value,
    expected: Value,
}

/// One with each Go version, traced once for all tests here.
static TRACED: LazyLock<Vec<Traced>> = LazyLock::new(|| {
    let versions = go_versions().into_iter();
    let traced = versions.map(|version| {
        let program = Program::start(&version, "known", &["-calls", "300"]);
        let (capture, expected) = trace_measured(program, &[]);
        assert_accounted(&capture);
        Traced {
            version,
            capture,
            expected,
        }
    });
    traced.collect()
});

/// Allocations, bytes asked for and bytes with pointers by type, of all sites at a line of a function.
fn types_at(capture: &Value, function: &str, line: u64) -> BTreeMap<String, [u64; 3]> {
    let mut types = BTreeMap::new();
    let sites = list(capture, "sites").iter().filter(|site| {
        site["frames"][0]["function"] == function && site["frames"][0]["line"] == line
    });
    for row in sites.flat_map(|site| list(site, "types")) {
        let name = row["name"].as_str().expect("a name").to_owned();
        let sums: &mut [u64; 3] = types.entry(name).or_default();
        for (sum, field) in sums.iter_mut().zip(["/allocs", "/bytes", "/pointer_bytes"]) {
            *sum += number(row, field);
        }
    }
    types
}

#[test]
fn every_site_names_the_types_that_its_source_says() {
    for Traced {
        version,
        capture,
        expected,
    } in TRACED.iter()
    {
        for (function, name) in ALLOCATED {
            let site = list(expected, "sites")
                .iter()
                .find(|site| site["function"] == function)
                .unwrap_or_else(|| panic!("known does not measure {function}"));
            let types = types_at(capture, function, number(site, "/line"));
            let context = format!("Go {version}: {function}: {types:?}");
            assert!(types.keys().eq([name]), "{context}");
            let [allocs, requested, _] = types[name];
            assert_eq!(allocs, number(site, "/mallocs"), "{context}");
            assert_eq!(requested, number(site, "/requested"), "{context}");
        }
        for (function, scanned) in SCANNED {
            let site = list(expected, "sites")
                .iter()
                .find(|site| site["function"] == function)
                .expect("a site");
            for [allocs, _, pointers] in types_at(capture, function, number(site, "/line")).values()
            {
                assert_eq!(*pointers, allocs * scanned, "Go {version}: {function}");
            }
        }
    }
}

/// In Go 1.19, generic code hands over descriptors of shapes only: of what instantiations have in common.
#[test]
fn a_generic_function_has_the_types_of_its_instantiations() {
    for Traced {
        version,
        capture,
        expected,
    } in TRACED.iter()
    {
        let mut sites = list(expected, "sites").iter();
        let site = sites.find(|site| site["function"] == "main.newOf[...]");
        let site = site.expect("known measures generic code");
        let types = types_at(capture, "main.newOf[...]", number(site, "/line"));
        let allocs: u64 = types.values().map(|[allocs, ..]| allocs).sum();
        assert_eq!(allocs, number(site, "/mallocs"), "Go {version}: {types:?}");
        let names: Vec<&str> = types.keys().map(String::as_str).collect();
        if version.starts_with("1.19.") {
            assert!(
                matches!(names[..], [number, node] if number == "go.shape.int64_0" && node.contains("main.node")),
                "Go {version}: {types:?}"
            );
        } else {
            assert_eq!(names, ["int64", "main.node"], "Go {version}");
        }
    }
}

#[test]
fn channels_are_channels() {
    for Traced {
        version,
        capture,
        expected,
    } in TRACED.iter()
    {
        let mut sites = list(expected, "sites").iter();
        let site = sites.find(|site| site["function"] == "main.channel");
        let site = site.expect("known measures a channel");
        let types = types_at(capture, "main.channel", number(site, "/line"));
        assert!(types.keys().eq(["chan"]), "Go {version}: {types:?}");
        assert_eq!(types["chan"][0], number(site, "/mallocs"), "Go {version}");
    }
}

#[test]
fn the_memory_of_a_map_names_its_key_and_element() {
    for Traced {
        version,
        capture,
        expected,
    } in TRACED.iter()
    {
        let line = |function| {
            let sites = list(expected, "sites").iter();
            let mut found = sites.filter(|site| site["function"] == function);
            number(found.next().expect("a site"), "/line")
        };
        let filled = types_at(capture, "main.mapFill", line("main.mapFill"));
        let insides = [
            "map.bucket[string]*main.node",
            "map.group[string]*main.node",
        ];
        assert!(
            insides.iter().any(|name| filled.contains_key(*name)),
            "Go {version}: {filled:?}"
        );
        let made = types_at(capture, "main.mapMake", line("main.mapMake"));
        let headers = ["runtime.hmap", "maps.Map"];
        assert!(
            headers.iter().any(|name| made.contains_key(*name)),
            "Go {version}: {made:?}"
        );
        let closure = types_at(capture, "main.closure", line("main.closure"));
        let mut names = closure.keys();
        assert!(
            names.all(|name| name.starts_with("struct { F uintptr; ")),
            "Go {version}: {closure:?}"
        );
        assert_eq!(closure.len(), 1);
    }
}

const FIGURES: [&str; 3] = ["/allocs", "/alloc_bytes", "/requested_bytes"];

fn sums<'a>(rows: impl IntoIterator<Item = &'a Value>) -> [u64; 3] {
    let mut sums = [0; 3];
    for row in rows {
        for (sum, field) in sums.iter_mut().zip(FIGURES) {
            *sum += number(row, field);
        }
    }
    sums
}

#[test]
fn groups_add_up_to_the_totals_whatever_they_are() {
    for Traced {
        version, capture, ..
    } in TRACED.iter()
    {
        let saved = Saved::new(capture);
        let totals = sums([&capture["totals"]]);
        assert_eq!(sums(list(capture, "sites")), totals, "Go {version}: sites");
        for by in ["stack", "type", "function", "package"] {
            let text = saved.report(&["--group-by", by, "--sort", "allocs", "--format", "json"]);
            let report: Value = serde_json::from_str(&text).expect("JSON");
            let groups = list(&report, "groups");
            assert!(groups.iter().all(|group| group["by"] == by));
            assert_eq!(sums(groups), totals, "Go {version}: by {by}");
            let parts = groups.iter().flat_map(|group| list(group, "sites"));
            assert_eq!(sums(parts), totals, "Go {version}: sites of each {by}");
            let order = groups.iter().map(|group| number(group, "/allocs"));
            assert!(order.is_sorted_by(|a, b| a >= b), "Go {version}: by {by}");
            let stream = saved.report(&["--group-by", by, "--format", "ndjson"]);
            let interval = stream
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
                .find(|event| event["event"] == "interval")
                .expect("an interval");
            assert_eq!(sums(list(&interval, "groups")), totals, "stream by {by}");
        }
    }
}

#[test]
fn text_by_type_tells_type_and_place() {
    let capture = &TRACED.last().expect("a version").capture;
    let saved = Saved::new(capture);
    let text = saved.report(&["--group-by", "type"]);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let named = lines.iter().position(|line| *line == "main.wideNode");
    let below = lines[named.expect("the type is in the table") + 1];
    assert!(below.contains("main."), "{text}");
    assert_eq!(
        saved.report(&["--group-by", "site"]),
        saved.report(&[]),
        "sites are the default"
    );
}

#[test]
fn a_stream_by_type_adds_up() {
    let program = Program::start(&newest_go(), "churn", &["-goroutines", "1"]);
    program.wait_for("ready");
    let args = [
        "--group-by",
        "type",
        "--format",
        "ndjson",
        "--interval",
        "200ms",
        "--duration",
        "1s",
    ];
    let ended = Agent::attach(program.pid(), &args).wait();
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    let (mut named, mut allocs) = (BTreeMap::new(), 0);
    let mut total = 0;
    for line in ended.output.lines() {
        let event: Value = serde_json::from_str(line).expect("a JSON line");
        if event["event"] == "group" {
            named.insert(number(&event, "/id"), event["name"].clone());
        }
        for group in event["groups"].as_array().into_iter().flatten() {
            assert!(named.contains_key(&number(group, "/id")), "{group}");
            allocs += number(group, "/allocs");
        }
        if event["event"] == "end" {
            total = number(&event, "/totals/allocs");
        }
    }
    assert!(total > 0 && named.len() > 1, "{named:?}");
    assert_eq!(allocs, total);
}
