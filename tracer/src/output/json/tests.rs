//! The capture as a file: what is written is what is read, and nothing that is read can do harm.

use serde_json::{Value, json};

use super::{OutputError, read, write};
use crate::output::{Format, Options, render, text::TextOptions};
use crate::report::{
    Estimate, GroupBy, Grouped, Mode, ModeStep, Report, SortBy, Step, TimelinePoint, fixture,
};

fn written(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    write(report, None, &mut out).unwrap();
    out
}

fn value(report: &Report) -> Value {
    serde_json::from_slice(&written(report)).unwrap()
}

fn read_value(value: &Value) -> Result<Report, OutputError> {
    read(&mut value.to_string().as_bytes())
}

/// The whole chain of an error, as it is printed.
fn message(result: Result<Report, OutputError>) -> String {
    let error: &dyn std::error::Error = &result.unwrap_err();
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[test]
fn what_is_written_is_read_back_without_loss() {
    let mut odd = fixture::report();
    odd.overhead.hits_per_s = 0.1 + 0.2;
    // A reader that is one unit in the last place off gets this one wrong.
    odd.sites[0].size.mean = 1_568.630_568_769_261_3;
    odd.completeness.lost = vec![("zeta".into(), u64::MAX), ("alpha".into(), 0)];
    odd.target.exe = "/tmp/a\u{0}\"\\\u{1b}\u{2028}数".into();
    odd.target.build_id = None;
    odd.timeline.push(TimelinePoint {
        t_ns: u64::MAX,
        allocs: Some(0),
        alloc_bytes: None,
        ..TimelinePoint::default()
    });
    for report in [
        fixture::report(),
        fixture::empty(),
        fixture::with_pages(),
        odd,
    ] {
        assert_eq!(read(&mut written(&report).as_slice()).unwrap(), report);
    }
}

#[test]
fn types_of_a_stack_are_written_where_the_site_does_not_tell_them() {
    let mut report = fixture::report();
    let written = |report: &Report| -> Vec<Value> {
        let stacks = value(report)["sites"][1]["stacks"].take();
        let stacks = stacks.as_array().unwrap().iter();
        stacks.map(|stack| stack["types"].clone()).collect()
    };
    assert_eq!(written(&report), [Value::Null, Value::Null]);
    let site = &mut report.sites[1];
    site.stacks[0].types[0].name = "string".into();
    site.types = site
        .stacks
        .iter()
        .map(|stack| stack.types[0].clone())
        .collect();
    let types = written(&report);
    assert_eq!(
        (&types[0][0]["name"], types[0][0]["allocs"].as_u64()),
        (&json!("string"), Some(1_000_000))
    );
    assert_eq!(types[1][0]["name"], "[]uint8");
    assert_eq!(read_value(&value(&report)).unwrap().sites, report.sites);

    let mut earlier = value(&report);
    for stack in earlier["sites"][1]["stacks"].as_array_mut().unwrap() {
        stack.as_object_mut().unwrap().remove("types");
    }
    let read = read_value(&earlier).unwrap();
    assert!(
        read.sites[1]
            .stacks
            .iter()
            .all(|stack| stack.types.is_empty())
    );
    assert_eq!(
        read.sites[0].stacks, report.sites[0].stacks,
        "its only stack"
    );
}

#[test]
fn a_quotient_that_is_no_number_stays_none() {
    let mut report = fixture::report();
    report.overhead.hits_per_s = f64::NAN;
    report.sites[0].size.mean = f64::INFINITY;
    let document = value(&report);
    assert_eq!(document["overhead"]["hits_per_s"], Value::Null);
    let back = read_value(&document).unwrap();
    assert!(back.overhead.hits_per_s.is_nan() && back.sites[0].size.mean.is_nan());
}

#[test]
fn the_document_follows_the_schema() {
    let document = value(&fixture::report());
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let mut top = [
        "schema",
        "target",
        "window",
        "totals",
        "completeness",
        "overhead",
        "frames",
        "sites",
        "stacks",
        "goroutines",
        "maps",
        "map_instances",
        "map_coverage",
        "crashes",
        "faults",
        "gc",
        "heap",
        "memory",
        "timeline",
        "findings",
    ];
    top.sort_unstable();
    assert_eq!(keys(&document), top);
    assert_eq!(document["schema"], "tracer.capture/1");
    assert_eq!(
        document["target"],
        json!({"pid": 48213, "exe": "/srv/shop/bin/shop-api", "build_id": "d1f0c2", "go_version": "go1.27.3",
               "arch": "amd64", "stripped": true, "pie": false, "cgo": false, "container": "3f2a9c1b7d21e55a0c",
               "memory_limit_bytes": 21_474_836_480_u64})
    );
    assert_eq!(
        document["window"],
        json!({"start_unix_ns": 1_790_000_000_123_456_789_u64, "duration_ns": 10_000_000_000_u64, "mode": "exact",
               "mode_steps": [], "ended_by": "duration"})
    );
    assert_eq!(
        document["totals"],
        json!({"allocs": 6_434_607, "alloc_bytes": 1_187_416_448, "requested_bytes": 1_091_634_600,
               "estimate": null, "map_writes": null, "map_growths": null, "faults_minor": null, "faults_major": null,
               "gc_cycles": null})
    );
    assert_eq!(
        document["completeness"],
        json!({"hits": 6_434_607, "delivered": 6_434_607, "sampled_out": 0, "lost": {"ring_full": 0, "no_scratch": 0},
               "unknown_pcs": 0, "truncated_stacks": 0, "truncated_by": {"too_deep": 0, "unreadable": 0},
               "undefined_stacks": 0, "overflowed": 0, "unbinned_sizes": 0, "unseen": false, "unsure_bytes": 0,
               "counters": {"hits": 6_434_607, "filtered": 7},
               "families": {"resumes": {"hits": 12, "delivered": 12, "lost": {"resume_ring_full": 0}}},
               "coverage": 1.0})
    );
    assert_eq!(
        document["overhead"],
        json!({"ns_per_hit": 912.3, "hits_per_s": 643_460.7, "target_cpu_pct": 58.7, "target_share_pct": 39.1,
               "target_used_pct": 150.0, "agent_cpu_pct": 3.1,
               "agent_rss_bytes": 45_088_768})
    );
    let frame = json!({"function": "main.(*Cache).Put", "package": "main", "file": "/srv/shop/internal/cache/cache.go",
                       "line": 88, "inlined": false});
    assert_eq!(document["frames"][0], frame);
    assert_eq!(
        document["sites"][0],
        json!({"id": 1, "frames": [frame], "allocs": 5_200_000, "alloc_bytes": 871_366_656,
               "requested_bytes": 790_400_000, "estimate": null,
               "size": {"min": 16, "p50": 96, "p90": 208, "p99": 1500, "max": 4096, "mean": 152.0,
                        "buckets": [[16, 1_000_000], [96, 3_000_000], [208, 1_150_000], [4096, 50_000]],
                        "unbinned": 0},
               "types": [{"name": "main.User", "allocs": 5_000_000, "alloc_bytes": 800_000_000,
                          "bytes": 735_072_000, "pointer_bytes": 367_536_000, "live_bytes": null},
                         {"name": "-", "allocs": 200_000, "alloc_bytes": 71_366_656,
                          "bytes": 55_328_000, "pointer_bytes": 0, "live_bytes": null}],
               "faults": null, "live": null, "recent": null, "growth": null, "gc_assist_ns": null, "gc_assists": null, "gc_calls": null,
               "stacks": [{"id": "9f3a000000000001", "allocs": 5_200_000, "alloc_bytes": 871_366_656,
                           "requested_bytes": 790_400_000, "faults": null, "estimate": null, "live": null,
                           "recent": null}]})
    );
    assert_eq!(document["sites"][2]["frames"], json!([]));
    assert_eq!(
        document["stacks"]["000000000000001b"],
        json!([1, 2, 3, 4, 5, 6])
    );
    assert_eq!(
        (&document["maps"], &document["gc"], &document["findings"]),
        (&json!([]), &Value::Null, &json!([]))
    );
    assert_eq!(
        document["timeline"][0],
        json!({"t_ns": 1_000_000_000, "allocs": 400_000, "alloc_bytes": 80_000_000, "rss_bytes": 324_009_984,
               "rss_anon_bytes": null, "rss_file_bytes": null, "swap_bytes": null, "heap_live": null,
               "heap_goal": null, "faults": null, "gc_cycles": null, "limit_used_bytes": null})
    );
}

#[test]
fn entries_keep_the_order_of_the_report() {
    let text = String::from_utf8(written(&fixture::report())).unwrap();
    assert!(
        text.starts_with(r#"{"schema":"tracer.capture/1","target":{"pid":48213,"#),
        "{text}"
    );
    assert!(text.contains(r#""lost":{"ring_full":0,"no_scratch":0}"#));
    assert!(text.ends_with("}\n") && text.lines().count() == 1);
}

#[test]
fn parts_that_this_version_does_not_know_are_skipped() {
    let mut document = value(&fixture::report());
    document["invented"] = json!({"deep": [1, {"x": null}]});
    document["sites"][0]["colour"] = json!("red");
    document["totals"]["gc_cycles"] = json!(9);
    document["timeline"][0]
        .as_object_mut()
        .unwrap()
        .remove("heap_live");
    document.as_object_mut().unwrap().remove("findings");
    // `Value` sorts keys.
    let sorted = read_value(&value(&fixture::report())).unwrap();
    assert_eq!(read_value(&document).unwrap(), sorted);
}

#[test]
fn what_is_alive_comes_back() {
    for report in [
        fixture::with_heap(),
        fixture::only_history(),
        fixture::of_spans(),
    ] {
        let document = value(&report);
        assert_eq!(read(&mut written(&report).as_slice()).unwrap(), report);
        assert_eq!(document["sites"][0]["requested_bytes"], Value::Null);
    }
    let document = value(&fixture::with_heap());
    assert_eq!(document["heap"]["source"], "profiler");
    assert_eq!(
        document["heap"]["profiler"],
        json!({"on": true, "linked": true, "rate_bytes": 524_288})
    );
    let growth = &document["sites"][0]["growth"];
    assert_eq!(
        (&growth["cycles"], &growth["first_bytes"]),
        (&json!(5), &json!(111 << 20))
    );
    let goroutine = &document["goroutines"]["9f3a000000000001"];
    assert_eq!(
        *goroutine,
        json!({"created_by": 6, "labels": {"tenant": "acme"}})
    );
    let off = value(&fixture::of_spans());
    assert_eq!(off["heap"]["profiler"]["on"], false);
    assert_eq!(off["sites"][0]["live"], Value::Null);
}

#[test]
fn what_is_known_of_maps_comes_back_and_findings_are_made_anew() {
    let report = fixture::with_maps();
    let document = value(&report);
    assert_eq!(document["totals"]["map_growths"], 7097);
    assert_eq!(document["maps"][0]["key"]["name"], "string");
    assert_eq!(document["maps"][0]["growth_ns"], Value::Null);
    let rules: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["rule"].as_str())
        .collect();
    assert_eq!(
        rules,
        [
            "concurrent_map_writes",
            "map_grows_without_bound",
            "map_grown_step_by_step",
            "map_pointer_keys",
            "map_pointer_heavy"
        ]
    );
    let back = read_value(&document).unwrap();
    assert_eq!((&back.maps, &back.crashes), (&report.maps, &report.crashes));
    let mut growths_only = report;
    let maps = growths_only.maps.as_mut().unwrap();
    maps.writes = None;
    maps.sites
        .iter_mut()
        .for_each(|site| site.operations = None);
    let document = value(&growths_only);
    assert_eq!(document["maps"][0]["writes"], Value::Null);
    assert_eq!(read_value(&document).unwrap().maps, growths_only.maps);
}

#[test]
fn estimates_and_steps_come_back_as_they_were() {
    let mut report = fixture::report();
    report.window.mode = Mode::Auto;
    report.window.mode_steps = vec![ModeStep {
        at_ns: 5,
        to: Step::Windows,
        reason: "too many".into(),
    }];
    let estimate = Estimate {
        allocs_error: Some(3),
        alloc_bytes_error: None,
    };
    report.totals.estimate = Some(estimate);
    report.sites[0].figures.estimate = Some(estimate);
    report.sites[0].stacks[0].figures.estimate = Some(estimate);
    report.completeness.sampled_out = 9;
    assert_eq!(read(&mut written(&report).as_slice()).unwrap(), report);
}

#[test]
fn captures_of_the_time_before_estimates_can_be_read() {
    let mut document = value(&fixture::report());
    let parts = [
        ("/window", "mode_steps"),
        ("/totals", "estimate"),
        ("/completeness", "sampled_out"),
        ("/overhead", "target_share_pct"),
        ("/sites/0", "estimate"),
    ];
    for (part, key) in parts {
        let object = document.pointer_mut(part).unwrap();
        object.as_object_mut().unwrap().remove(key).unwrap();
    }
    let report = read_value(&document).unwrap();
    assert_eq!(
        (report.completeness.sampled_out, report.totals.estimate),
        (0, None)
    );
}

#[test]
fn another_schema_is_refused_by_name() {
    let refused = |found: &str| {
        format!(
            "cannot read the capture: its schema is {found}, and this version reads tracer.capture/1"
        )
    };
    let check = |input: &str, found: &str| {
        assert_eq!(
            message(read(&mut input.as_bytes())),
            refused(found),
            "{input}"
        );
    };
    check(
        r#"{"schema":"tracer.capture/2","target":7}"#,
        "\"tracer.capture/2\"",
    );
    check(
        "{\"event\":\"start\",\"schema\":\"tracer.stream/1\"}\n{\"event\"",
        "\"tracer.stream/1\"",
    );
    check("{}", "missing");
    check("", "missing (the input is empty)");
    check(" \n", "missing (the input is empty)");
    check(
        &json!({"schema": "\u{1b}[2J".repeat(100)}).to_string(),
        &format!("{:?}", "\u{1b}[2J".repeat(15)),
    );
}

#[test]
fn what_is_no_capture_is_refused_with_the_place() {
    let not_whole = "cannot read the capture: it is not a whole tracer.capture/1 document: ";
    let whole = written(&fixture::report());
    for length in [1, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
        let message = message(read(&mut &whole[..length]));
        assert!(
            message.starts_with(not_whole) && message.contains("line 1 column"),
            "{message}"
        );
    }
    for input in [
        &b"\x1f\x8b\x08"[..],
        b"null",
        b"7",
        b"\xff\xfe",
        &[b'['; 100_000],
    ] {
        let message = message(read(&mut &input[..]));
        assert!(message.starts_with(not_whole), "{message}");
    }
    let mut twice = whole.clone();
    twice.extend_from_slice(&whole);
    assert!(
        message(read(&mut twice.as_slice())).contains("trailing characters at line 2 column 1")
    );
}

#[test]
fn parts_of_another_kind_are_refused() {
    let check = |pointer: &str, value: Value, expect: &str| {
        let mut document = self::value(&fixture::report());
        *document.pointer_mut(pointer).unwrap() = value;
        let message = message(read_value(&document));
        assert!(message.contains(expect), "{pointer}: {message}");
    };
    check(
        "/sites/0/allocs",
        json!(-1),
        "invalid value: integer `-1`, expected u64",
    );
    check("/sites/0/id", json!(1_u64 << 32), "expected u32");
    check(
        "/sites/0/size/buckets/0",
        json!([1]),
        "expected a tuple of size 2",
    );
    check("/stacks", json!([]), "expected an object");
    for id in [
        "+00000000000001b",
        "1b",
        "",
        "zz",
        "0000000000000001b",
        "00000000000001é",
    ] {
        check("/sites/0/stacks/0/id", json!(id), "expected 16 hex digits");
    }
}

#[test]
fn a_document_that_contradicts_itself_is_refused() {
    let check = |pointer: &str, value: Value, expect: &str| {
        let mut document = self::value(&fixture::report());
        *document.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            message(read_value(&document)),
            format!("cannot read the capture: {expect}")
        );
    };
    check(
        "/stacks/000000000000001b/0",
        json!(7),
        "stack 000000000000001b names frame 7, but there are 7 frames",
    );
    check(
        "/stacks/000000000000001b/0",
        json!(u64::MAX),
        "stack 000000000000001b names frame 18446744073709551615, but there are 7 frames",
    );
    check(
        "/stacks",
        json!({}),
        "site 1 names stack 9f3a000000000001, which is not defined",
    );
    check(
        "/completeness/lost",
        json!({"a": u64::MAX, "b": 1}),
        "its causes of loss add up to more than 64 bits hold",
    );
    let text = String::from_utf8(written(&fixture::report())).unwrap();
    let doubled = text.replace(r#""stacks":{"#, r#""stacks":{"000000000000001b":[],"#);
    assert_eq!(
        message(read(&mut doubled.as_bytes())),
        "cannot read the capture: stack 000000000000001b is defined twice"
    );
}

/// Every way from the root of `value` to a leaf.
fn leaves(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter();
            entries.for_each(|(key, value)| leaves(value, format!("{pointer}/{key}"), found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(i, value)| leaves(value, format!("{pointer}/{i}"), found));
        }
        _ => found.push(pointer),
    }
}

#[test]
fn whatever_is_read_can_be_rendered() {
    let document = value(&fixture::report());
    let mut pointers = Vec::new();
    leaves(&document, String::new(), &mut pointers);
    let mut rendered = 0;
    for pointer in &pointers {
        for value in [
            json!(u64::MAX),
            json!(-1e300),
            json!(1e308),
            json!("\u{1b}]\u{7}[(/:\u{202e}数"),
            json!(""),
            Value::Null,
        ] {
            let mut document = document.clone();
            *document.pointer_mut(pointer).unwrap() = value;
            let Ok(report) = read_value(&document) else {
                continue;
            };
            for format in [Format::Text, Format::Json, Format::Ndjson] {
                let text = TextOptions {
                    width: 70,
                    ..TextOptions::default()
                };
                let options = Options {
                    text,
                    ..Options::default()
                };
                let by = [GroupBy::Stack, GroupBy::Type, GroupBy::Function]
                    .map(|by| Some(Grouped::of(&report, by, SortBy::Bytes)));
                for groups in by.iter().chain([&None]) {
                    let out = &mut std::io::sink();
                    render(format, &report, groups.as_ref(), &options, out).unwrap();
                }
            }
            rendered += 1;
        }
    }
    assert!(
        rendered > pointers.len(),
        "{rendered} of {}",
        pointers.len()
    );
}

#[test]
fn groups_are_added_and_ignored_by_the_reader() {
    let report = fixture::report();
    let grouped = Grouped::of(&report, GroupBy::Type, SortBy::Bytes);
    let mut out = Vec::new();
    write(&report, Some(&grouped), &mut out).unwrap();
    let document: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        document["groups"][0],
        json!({"by": "type", "name": "main.User", "allocs": 5_000_000, "alloc_bytes": 800_000_000,
               "requested_bytes": 735_072_000, "faults": null, "live_bytes": null, "estimate": null, "pointer_bytes": 367_536_000, "size": null,
               "types": [],
               "sites": [{"id": 1, "allocs": 5_000_000, "alloc_bytes": 800_000_000,
                          "requested_bytes": 735_072_000}]})
    );
    assert_eq!(read(&mut out.as_slice()).unwrap(), report);
    assert_eq!(value(&report).get("groups"), None);
}

#[test]
fn an_endless_input_is_refused() {
    let mut endless = std::io::repeat(b' ');
    let error = super::read_up_to(1 << 20, &mut endless).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the capture: it has 1 MiB or more, and no capture is so large"
    );
    // What is no capture from its first byte on is not read to its end.
    let zeros = super::read_up_to(u64::MAX, &mut std::io::repeat(0)).unwrap();
    assert!(zeros.len() < 10_000, "{}", zeros.len());
    assert!(super::check_size(super::MAX_BYTES).is_err());
    assert!(super::check_size(1 << 20).is_ok());
    let just = super::read_up_to(6, &mut &b"12345"[..]).unwrap();
    assert_eq!(just, b"12345");
}
