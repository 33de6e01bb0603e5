//! Tests of the stream: order of lines, names before use, sums.

use serde_json::{Value, json};

use super::*;
use crate::report::fixture;
use crate::report::{GroupBy, SortBy};

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect()
}

#[test]
fn a_whole_report_is_a_stream_of_one_interval() {
    let mut out = Vec::new();
    write(&fixture::report(), None, &mut out).unwrap();
    let lines = lines(&out);
    assert_eq!(
        events(&lines),
        ["start", "site", "site", "site", "interval", "end"]
    );

    assert_eq!(lines[0]["schema"], SCHEMA);
    assert_eq!(lines[0]["target"]["go_version"], "go1.27.3");
    assert_eq!(lines[0]["start_unix_ns"], 1_790_000_000_123_456_789_u64);
    assert_eq!(lines[0]["mode"], "exact");
    assert_eq!(lines[1]["id"], 1);
    assert_eq!(lines[1]["frames"][0]["function"], "main.(*Cache).Put");
    assert_eq!(lines[3], json!({"event": "site", "id": 3, "frames": []}));
    assert_eq!(
        lines[4],
        json!({"event": "interval", "t_ns": 10_000_000_000_u64, "duration_ns": 10_000_000_000_u64,
               "allocs": 6_434_607, "alloc_bytes": 1_187_416_448, "requested_bytes": 1_091_634_600,
               "hits": 6_434_607, "lost": 0, "rss_bytes": 408_944_640,
               "rss_anon_bytes": null, "rss_file_bytes": null, "swap_bytes": null, "heap_live": null,
               "heap_goal": null, "faults": null, "gc_cycles": null, "limit_used_bytes": null,
               "sites": [
                   {"id": 1, "allocs": 5_200_000, "alloc_bytes": 871_366_656, "requested_bytes": 790_400_000},
                   {"id": 2, "allocs": 1_234_567, "alloc_bytes": 316_049_152, "requested_bytes": 301_234_000},
                   {"id": 3, "allocs": 40, "alloc_bytes": 640, "requested_bytes": 600}]})
    );
    assert_eq!(lines[5]["totals"]["alloc_bytes"], 1_187_416_448);
    assert_eq!(
        lines[5]["completeness"]["lost"],
        json!({"ring_full": 0, "no_scratch": 0})
    );
    assert_eq!(lines[5]["overhead"]["agent_rss_bytes"], 45_088_768);
    assert_eq!(lines[5]["window"]["ended_by"], "duration");
}

#[test]
fn faults_are_told_by_site_and_the_end_has_what_they_are() {
    let mut out = Vec::new();
    write(&fixture::with_pages(), None, &mut out).unwrap();
    let lines = lines(&out);
    let interval = lines.iter().find(|line| line["event"] == "interval");
    let interval = interval.unwrap();
    assert_eq!(interval["faults"], 49_612);
    assert_eq!(
        (&interval["sites"][0]["faults"], &interval["gc_cycles"]),
        (&json!(48_012), &json!(100))
    );
    let end = lines.last().unwrap();
    assert_eq!(end["faults"]["by_memory"]["stack"], 90);
    assert_eq!(end["gc"]["pause_total_ns"], 5_100_000);
    assert_eq!(end["memory"]["reason"], "free_spans");
}

#[test]
fn findings_and_maps_have_their_lines() {
    let mut out = Vec::new();
    write(&fixture::with_maps(), None, &mut out).unwrap();
    let lines = lines(&out);
    assert_eq!(
        events(&lines)[5..],
        [
            "finding",
            "finding",
            "finding",
            "finding",
            "finding",
            "map",
            "map",
            "map_instance",
            "crash",
            "end"
        ]
    );
    assert_eq!(lines[10]["type"], "map[string]*main.User");
    assert_eq!(lines[12]["map"], lines[10]["id"]);
    assert_eq!(lines[14]["totals"]["map_growths"], 7097);
}

#[test]
fn a_site_is_named_once_and_before_its_figures() {
    let report = fixture::report();
    let all = whole(&report, None);
    let part = |range: std::ops::Range<usize>| Interval {
        sites: all.sites[range].to_vec(),
        ..all.clone()
    };
    let (mut stream, mut out) = (Stream::default(), Vec::new());
    for interval in [part(0..1), part(0..0), part(0..3), part(1..2)] {
        stream.interval(&interval, &mut out).unwrap();
    }
    assert_eq!(
        events(&lines(&out)),
        [
            "site", "interval", "interval", "site", "site", "interval", "interval"
        ]
    );
}

#[test]
fn groups_are_named_before_their_figures() {
    let report = fixture::report();
    let grouped = Grouped::of(&report, GroupBy::Stack, SortBy::Bytes);
    let mut out = Vec::new();
    write(&report, Some(&grouped), &mut out).unwrap();
    let lines = lines(&out);
    let names = events(&lines);
    assert_eq!(names[4..8], ["group"; 4]);
    assert_eq!(
        (&lines[4]["by"], &lines[4]["name"]),
        (&json!("stack"), &json!("9f3a000000000001"))
    );
    assert_eq!(lines[4]["frames"][1]["function"], "main.(*Server).order");
    let interval = &lines[8];
    assert_eq!(
        interval["groups"][0],
        json!({"id": 1, "allocs": 5_200_000, "alloc_bytes": 871_366_656, "requested_bytes": 790_400_000})
    );
    assert_eq!(interval["sites"].as_array().unwrap().len(), 3);
}

/// Keeps what was written apart from what was flushed.
#[derive(Default)]
struct Buffered {
    held: Vec<u8>,
    seen: Vec<u8>,
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.seen.append(&mut self.held);
        Ok(())
    }
}

#[test]
fn a_consumer_sees_every_event_as_soon_as_it_is_whole() {
    let report = fixture::report();
    let (mut stream, mut out) = (Stream::default(), Buffered::default());
    let window = &report.window;
    stream
        .start(&report.target, window.start_unix_ns, &window.mode, &mut out)
        .unwrap();
    assert_eq!(events(&lines(&out.seen)), ["start"]);
    stream.interval(&whole(&report, None), &mut out).unwrap();
    assert_eq!(lines(&out.seen).len(), 5);
    stream.end(&report, &mut out).unwrap();
    assert_eq!(lines(&out.seen).len(), 6);
    assert!(out.held.is_empty());
}

#[test]
fn hostile_names_stay_on_their_line() {
    let mut report = fixture::nasty();
    report.target.exe = "a\nb\r\u{0}".into();
    report.sites[0].frames[0].function = "x\n{\"event\":\"end\"}".into();
    let mut out = Vec::new();
    write(&report, None, &mut out).unwrap();
    assert_eq!(
        events(&lines(&out)).len(),
        out.iter().filter(|&&byte| byte == b'\n').count()
    );
    assert_eq!(lines(&out)[0]["target"]["exe"], "a\nb\r\u{0}");
}
