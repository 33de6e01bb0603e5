//! What the live tests share: Go programs started and stopped, the tracer run against them, its output as JSON.
//!
//! Hides processes and time limits. Everything that a test starts is killed when the test ends, however it ends.

mod again;
mod agent;
mod breakpoints;
mod build;
mod churn;
mod measured;
mod processor;
mod profile;
mod program;
mod saved;
mod sites;
mod tmux;

pub use again::{ATTEMPTS, measure_again, promise};
pub use agent::{Agent, Finished, tracer, tracer_unprivileged};
pub use breakpoints::{breakpoints, probe_addresses};
pub use build::{
    Build, builds_of, compile_command, for_each_build, for_each_of, go_versions, newest_go,
    oldest_and_newest, pprof_path, program_path, some_builds_of, timed,
};
pub use churn::Churn;
pub use measured::{trace_lingering, trace_measured};
pub use processor::{cpu_time, waited_for_processor};
pub use profile::{
    Estimate, Samples, by_function, known_bytes, profile, profile_of_scene, sites_by_function,
};
pub use program::Program;
pub use saved::Saved;
pub use sites::{assert_close, marked_line, rules_found, sites_in, sum};
pub use tmux::Terminal;

use serde_json::Value;
use std::time::{Duration, Instant};

/// Long enough for anything a test waits for, on a slow machine that others keep busy: what takes longer hangs. No verdict
/// on how fast something is.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A number of a JSON document, by its path.
///
/// # Panics
/// There is none: the document is not what the test expects.
pub fn number(json: &Value, path: &str) -> u64 {
    json.pointer(path)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no number at {path} in {json}"))
}

/// A list of a JSON document.
///
/// # Panics
/// There is none: the document is not what the test expects.
pub fn list<'a>(json: &'a Value, field: &str) -> &'a Vec<Value> {
    json[field]
        .as_array()
        .unwrap_or_else(|| panic!("no list {field} in {json}"))
}

/// Sum of all causes of loss in a capture.
pub fn lost(capture: &Value) -> u64 {
    lost_of(&capture["completeness"])
}

/// Sum of all causes of loss of one kind of record.
fn lost_of(family: &Value) -> u64 {
    let causes = family["lost"].as_object().expect("losses by cause");
    causes
        .values()
        .map(|count| count.as_u64().expect("a count"))
        .sum()
}

/// The accounting identity that every capture must keep, for allocations and for every other kind of record.
///
/// # Panics
/// It does not.
pub fn assert_accounted(capture: &Value) {
    let completeness = &capture["completeness"];
    let hits = number(completeness, "/hits");
    let accounted = number(completeness, "/delivered") + number(completeness, "/sampled_out");
    assert_eq!(
        hits,
        accounted + lost(capture),
        "hits = delivered + sampled out + lost: {completeness}"
    );
    let families = completeness["families"].as_object().expect("families");
    for (name, family) in families {
        if let Some(hits) = family["hits"].as_u64() {
            let accounted = number(family, "/delivered") + lost_of(family);
            assert_eq!(hits, accounted, "{name}: {completeness}");
        }
    }
}

/// Waits until `done` says so.
///
/// # Panics
/// It does not within [`PATIENCE`].
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the probes of earlier captures are gone: the kernel takes out one at a time, about ten a second, and lets
/// nobody attach meanwhile.
pub fn wait_for_earlier_detaches() {
    wait_until("earlier captures are detached", || {
        let tracers = std::process::Command::new("pgrep")
            .args(["-x", "tracer"])
            .output();
        tracers.is_ok_and(|found| found.stdout.is_empty())
    });
}
