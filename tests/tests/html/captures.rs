//! Captures to show, as JSON in files: a small real one, and ones made here, of any size, with everything in them.

use anyhow::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A capture in a file that is removed on drop.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

impl Saved {
    /// Writes `capture`.
    pub(crate) fn new(capture: &Value) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("capture.json");
        std::fs::write(&path, capture.to_string())?;
        Ok(Saved {
            path,
            _directory: directory,
        })
    }
}

/// What `tracer record` wrote of a small program.
pub(crate) fn hello() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/tests/cmd/hello.json")
}

/// Frames between a site and the start of its goroutine.
const DEPTH: usize = 18;
/// Distinct functions that call each other.
const CALLERS: usize = 4_000;
const S: u64 = 1_000_000_000;

/// A capture of 10 seconds with so many sites, each with so many stacks, heaviest first. Site `i` is line `i` of
/// `example.com/shop/pkgN.siteI`; every third is in package `main`.
pub(crate) fn generated(sites: usize, stacks_per_site: usize) -> Value {
    let places: Vec<Value> = (0..sites).map(site_frame).collect();
    let frames: Vec<Value> = places
        .iter()
        .cloned()
        .chain((0..CALLERS).map(caller))
        .collect();
    let mut stacks = serde_json::Map::new();
    let listed: Vec<Value> = (0..sites)
        .map(|i| site(i, sites, &places, stacks_per_site, &mut stacks))
        .collect();
    let sum = |field: &str| -> u64 { listed.iter().filter_map(|site| site[field].as_u64()).sum() };
    let (allocs, bytes) = (sum("allocs"), sum("alloc_bytes"));
    json!({
        "schema": "tracer.capture/1",
        "target": {
            "pid": 4242, "exe": "/srv/shop/bin/shop-api", "build_id": "d1f0c2", "go_version": "go1.27.3", "arch": "amd64",
            "stripped": false, "pie": false, "cgo": true, "container": "3f2a9c1b7d21e55a0c", "memory_limit_bytes": 1_u64 << 30,
        },
        "window": {
            "start_unix_ns": 1_790_000_000_123_456_789_u64, "duration_ns": 10 * S, "mode": "auto",
            "mode_steps": [{ "at_ns": 4 * S, "mode": "no_faults", "reason": "page faults are not recorded from here on" }],
            "ended_by": "signal",
        },
        "totals": {
            "allocs": allocs, "alloc_bytes": bytes, "requested_bytes": bytes - 1000,
            "estimate": { "allocs_error": allocs / 100, "alloc_bytes_error": bytes / 50 },
            "map_writes": null, "map_growths": 7, "faults_minor": 900, "faults_major": 0, "gc_cycles": 12,
        },
        "completeness": completeness(allocs),
        "overhead": {
            "ns_per_hit": 1210.5, "hits_per_s": 88_000.0, "target_cpu_pct": 4.1, "target_share_pct": 3.9,
            "target_used_pct": 104.0, "agent_cpu_pct": 3.1, "agent_rss_bytes": 79_000_000,
        },
        "frames": frames,
        "sites": listed,
        "stacks": stacks,
        "goroutines": {},
        "maps": [map(&places)],
        "map_instances": [map_instance()],
        "map_coverage": { "overflowed": 0, "forgotten": 0, "skipped": [] },
        "crashes": [],
        "faults": faults(900),
        "gc": collector(),
        "heap": heap(),
        "memory": memory(),
        "timeline": (1..=40).map(point).collect::<Vec<_>>(),
        "findings": [],
    })
}

fn frame(function: &str, package: &str, file: &str, line: usize) -> Value {
    json!({ "function": function, "package": package, "file": file, "line": line, "inlined": false })
}

fn site_frame(i: usize) -> Value {
    let package = package(i);
    let function = format!("{package}.site{i}");
    frame(
        &function,
        &package,
        &format!("/srv/shop/{package}/file.go"),
        i + 1,
    )
}

fn package(i: usize) -> String {
    match i % 3 {
        0 => "main".to_owned(),
        1 => format!("example.com/shop/pkg{}", i % 50),
        _ => "net/http".to_owned(),
    }
}

fn caller(i: usize) -> Value {
    let package = format!("example.com/shop/call{}", i % 40);
    let function = format!("{package}.(*Server).handle{i}");
    frame(&function, &package, "/srv/shop/call/call.go", i + 1)
}

/// Bytes of a site: the first has most.
fn bytes_of(i: usize, sites: usize) -> u64 {
    let rank = (sites - i) as u64;
    rank * rank * 640
}

fn site(
    i: usize,
    sites: usize,
    places: &[Value],
    stacks_per_site: usize,
    stacks: &mut serde_json::Map<String, Value>,
) -> Value {
    let bytes = bytes_of(i, sites);
    // Not in the order of bytes.
    let allocs = 10 + (i as u64 * 7919) % 1000;
    let parts = stacks_per_site as u64;
    let listed: Vec<Value> = (0..stacks_per_site)
        .map(|j| {
            let id = format!("{:016x}", i * stacks_per_site + j + 1);
            let path = (0..DEPTH).map(|depth| {
                // Outer frames are shared, inner ones are not.
                let width = 1 << (DEPTH - depth).min(11);
                places.len() + (depth * 211 + (i * 31 + j * 17) % width) % CALLERS
            });
            stacks.insert(id.clone(), std::iter::once(i).chain(path).collect());
            let first = u64::from(j == 0);
            json!({
                "id": id, "allocs": allocs / parts + first * (allocs % parts), "alloc_bytes": bytes / parts + first * (bytes % parts),
                "requested_bytes": bytes / parts, "faults": 0, "estimate": null, "live": { "objects": 1, "bytes": bytes / 100 / parts }, "recent": null,
            })
        })
        .collect();
    let size = (bytes / allocs).max(1);
    let course: Vec<(u64, u64)> = (0..6).map(|t| (t * S, bytes / 100 * t / 6)).collect();
    json!({
        "id": i + 1, "frames": [places[i]], "allocs": allocs, "alloc_bytes": bytes, "requested_bytes": bytes,
        "estimate": { "allocs_error": 3, "alloc_bytes_error": bytes / 20 },
        "size": { "min": 1, "p50": size, "p90": size, "p99": size * 2, "max": size * 2, "mean": 1.0, "buckets": [[size, allocs / 2], [size * 2, allocs - allocs / 2]], "unbinned": 0 },
        "types": [{ "name": format!("main.type{}", i % 200), "allocs": allocs, "alloc_bytes": bytes, "bytes": bytes, "pointer_bytes": bytes / 2, "live_bytes": bytes / 100 }],
        "faults": faults(i as u64 % 5),
        "live": { "objects": 5, "bytes": bytes / 100, "bytes_error": bytes / 1000, "raw_objects": 5, "objects_at_start": 1, "bytes_at_start": bytes / 200, "objects_allocated": allocs, "bytes_allocated": bytes },
        "recent": null,
        "growth": i.is_multiple_of(4).then(|| json!({ "bytes_per_s": bytes as f64 / 1000.0, "error": 1.0, "cycles": 6, "first_bytes": 0, "last_bytes": bytes / 100, "course": course })),
        "gc_assist_ns": (i as u64 % 7) * 1000, "gc_assists": i % 7, "gc_calls": 0,
        "stacks": listed,
    })
}

fn completeness(allocs: u64) -> Value {
    json!({
        "hits": allocs, "delivered": allocs - 5, "sampled_out": 0, "lost": { "ring_full": 5, "scratch_busy": 0 },
        "unknown_pcs": 0, "truncated_stacks": 0, "truncated_by": {}, "undefined_stacks": 0, "overflowed": 0, "unbinned_sizes": 0,
        "unsure_bytes": 0, "counters": { "hits": allocs, "ring_full": 5 },
        "families": { "faults": { "hits": 900, "delivered": 900, "lost": { "faults_ring_full": 0 } } },
        "coverage": 0.999,
    })
}

fn faults(all: u64) -> Value {
    json!({
        "minor": all, "major": 0, "reads": 0, "writes": all, "unknown_access": 0,
        "by_memory": { "heap": all, "stack": 0, "binary": 0, "file": 0, "other": 0 }, "at_no_site": 0,
    })
}

fn map(places: &[Value]) -> Value {
    json!({
        "id": 1, "frames": [places[0]], "type": "map[string]*main.User",
        "key": { "name": "string", "pointer": false, "size_bytes": 16, "pointer_bytes": 8 },
        "elem": { "name": "*main.User", "pointer": true, "size_bytes": 8, "pointer_bytes": 8 },
        "writes": null, "deletes": null, "clears": null, "nil_writes": null, "net_entries": null, "unsettled": null,
        "growths": 7, "same_size_growths": 0, "first_growths": 1, "steps": 6, "instances": 1, "max_entries": 4000,
        "growth_allocs": 9, "growth_bytes": 400_000, "growth_requested_bytes": 400_000, "growth_estimate": null, "amplification": 2.0,
    })
}

fn map_instance() -> Value {
    let curve: Vec<(u64, u64)> = (0..40).map(|t| (t * S / 4, 100 + t * 100)).collect();
    json!({
        "id": 1, "map": 1, "type": "map[string]*main.User", "entries": 4000, "max_entries": 4000, "capacity": 7168,
        "table_bytes": 200_000, "table_pointer_bytes": 180_000, "growths": 7, "writes": null, "deletes": null, "alive": true, "curve": curve,
    })
}

fn collector() -> Value {
    let cycles: Vec<Value> = (0..12)
        .map(|i| {
            json!({
                "start_ns": i * 800_000_000_u64, "end_ns": i * 800_000_000_u64 + 5_000_000, "trigger": "heap", "heap_before": 20_000_000,
                "heap_peak": 21_000_000, "heap_after": 11_000_000, "heap_goal": 22_000_000, "assist_ns": 10_000, "worker_ns": 4_000_000,
                "idle_ns": 0, "stw_ns": [30_000, 20_000],
            })
        })
        .collect();
    json!({
        "cycles": cycles, "cycles_total": 12, "pauses": [], "pause_count": 24, "pause_total_ns": 600_000, "pause_longest_ns": 30_000,
        "other_pause_count": 0, "other_pause_ns": 0, "other_pause_longest_ns": 0, "assists": 12, "assist_ns": 120_000, "calls": 0,
        "overflowed": 0, "skipped": [],
    })
}

fn heap() -> Value {
    json!({
        "source": "profiler", "profiler": { "on": true, "linked": true, "rate_bytes": 524_288 }, "reason": null, "samples": 900, "frees": 100,
        "frees_before": 0, "unfollowed": 0, "missing_labels": 0, "incomplete_labels": 0,
        "history": { "buckets": 40, "complete": true, "objects": 50_000, "bytes": 11_000_000, "objects_at_start": 40_000, "bytes_at_start": 9_000_000 },
        "live_since_attach": null,
    })
}

fn memory() -> Value {
    json!({
        "rss_bytes": 40_000_000, "anon_bytes": 33_000_000, "file_bytes": 7_000_000, "swap_bytes": 0,
        "parts": { "live_heap": 15_000_000, "files": 7_000_000, "free_spans": 8_000_000, "runtime": 5_000_000, "not_collected": 4_000_000, "free_slots": 1_000_000, "stacks": 0, "other": 0 },
        "untouched_bytes": 2_000_000, "gc_percent": 100, "go_limit_bytes": null,
    })
}

fn point(i: u64) -> Value {
    json!({
        "t_ns": i * S / 4, "allocs": 1000 + i, "alloc_bytes": 5_000_000 + i * 10_000, "rss_bytes": 30_000_000 + i * 250_000, "rss_anon_bytes": null,
        "rss_file_bytes": null, "swap_bytes": 0, "heap_live": 11_000_000 + (i % 4) * 2_000_000, "heap_goal": 22_000_000,
        "faults": (i < 16).then_some(50), "gc_cycles": 1, "limit_used_bytes": null,
    })
}
