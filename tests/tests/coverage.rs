//! A Go version or an allocation function that tracer does not know is noticed, and what is missing is measured.

use serde_json::Value;
use std::path::PathBuf;
use tracer_tests::{Agent, Program, newest_go, program_path, tracer};

/// A copy of `churn` in which every occurrence of some bytes is replaced by as many others.
struct Patched(PathBuf);

impl Patched {
    fn new(name: &str, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len());
        let mut bytes = std::fs::read(program_path(&newest_go(), "churn")).expect("the program");
        let places: Vec<usize> = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, part)| *part == from.as_bytes())
            .map(|(at, _)| at)
            .collect();
        assert!(!places.is_empty(), "{from} is in the program");
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        let path = std::env::temp_dir().join(format!("tracer-{name}-{}", std::process::id()));
        std::fs::copy(program_path(&newest_go(), "churn"), &path)
            .expect("a copy with its permissions");
        std::fs::write(&path, bytes).expect("the copy is written");
        Patched(path)
    }

    fn captured(&self) -> (Value, String) {
        let program = Program::start_at(&self.0, &["-goroutines", "1", "-size", "64"]);
        program.wait_for("ready");
        let explained = tracer()
            .args(["record", "--explain", "--pid", &program.pid().to_string()])
            .output();
        let capture = Agent::record(program.pid(), &["--duration", "2s"])
            .wait()
            .capture();
        (
            capture,
            String::from_utf8(explained.expect("the tracer runs").stdout).expect("text"),
        )
    }
}

impl Drop for Patched {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn coverage(capture: &Value) -> f64 {
    capture["completeness"]["coverage"]
        .as_f64()
        .unwrap_or_else(|| panic!("no coverage: {}", capture["completeness"]))
}

#[test]
fn a_newer_go_is_traced_and_its_coverage_measured() {
    let newer = Patched::new("newer", &format!("go{}", newest_go()), "go1.99.3");
    let (capture, explained) = newer.captured();
    assert_eq!(capture["target"]["go_version"], "go1.99.3");
    assert!(explained.contains("newer than tracer"), "{explained}");
    let coverage = coverage(&capture);
    assert!((0.97..=1.0).contains(&coverage), "{coverage}");
}

#[test]
fn an_unknown_allocation_function_is_named_and_lowers_the_coverage() {
    // Objects of 64 bytes without pointers: the second of the two that each iteration makes.
    let unknown = Patched::new(
        "unknown",
        "mallocgcSmallNoScanSC6",
        "mallocgcSmallNoScanXX6",
    );
    let (capture, explained) = unknown.captured();
    assert!(
        explained.contains("runtime.mallocgcSmallNoScanXX6"),
        "{explained}"
    );
    let coverage = coverage(&capture);
    // 48 of 112 bytes.
    assert!((0.40..0.46).contains(&coverage), "{coverage}");
}

#[test]
fn a_known_go_is_covered_wholly() {
    let program = Program::start(&newest_go(), "churn", &["-goroutines", "1"]);
    program.wait_for("ready");
    let capture = Agent::record(program.pid(), &["--duration", "500ms"])
        .wait()
        .capture();
    assert_eq!(coverage(&capture), 1.0);
}
