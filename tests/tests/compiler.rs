//! A program of the real world from its first instruction to its last: the Go compiler at work on `go/types`. It
//! allocates five million objects in two seconds, through millions of distinct stacks.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use tracer_tests::{assert_accounted, assert_close, compile_command, lost, number, tracer};

/// Where the compiler writes: not where a user would own it.
fn output_path() -> PathBuf {
    std::env::temp_dir().join(format!("tracer-compiler-{}.a", std::process::id()))
}

/// What the compiler's own `runtime.MemStats` say when it is done: allocations, and their bytes.
///
/// They are at the end of its heap profile in text form. A profile of every allocation would take it most of a minute:
/// this one has next to none.
fn own_totals(command: &[String]) -> [u64; 2] {
    let profile = output_path().with_extension("profile");
    let status = Command::new(&command[0])
        .arg("-memprofile")
        .arg(&profile)
        .arg("-memprofilerate=1000000000")
        .arg("-o")
        .arg(output_path())
        .args(&command[1..])
        .status();
    assert!(status.expect("the compiler runs").success());
    let text = std::fs::read_to_string(&profile).expect("a profile in text form");
    std::fs::remove_file(&profile).expect("the profile goes");
    ["# Mallocs = ", "# TotalAlloc = "].map(|name| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let number = lines.next().unwrap_or_else(|| panic!("no {name}"));
        number.parse().expect("a number")
    })
}

/// Bytes asked for at all sites whose type is not known.
fn bytes_without_type(capture: &Value) -> u64 {
    let sites = capture["sites"].as_array().expect("sites").iter();
    let types = sites.flat_map(|site| site["types"].as_array().expect("types of a site"));
    types
        .filter(|row| row["name"] == "-")
        .map(|row| number(row, "/bytes"))
        .sum()
}

#[test]
fn the_go_compiler_is_traced_whole() {
    let command = compile_command();
    let path = std::env::temp_dir().join(format!("tracer-compiler-{}.json", std::process::id()));
    let status = tracer()
        .args(["run", "--mode", "exact", "-o"])
        .arg(&path)
        .arg("--")
        .arg(&command[0])
        .arg("-o")
        .arg(output_path())
        .args(&command[1..])
        .status()
        .expect("the tracer runs");
    let text = std::fs::read(&path).expect("a capture");
    std::fs::remove_file(&path).expect("the capture goes");
    let capture: Value = serde_json::from_slice(&text).expect("a JSON capture");

    assert!(status.success(), "the compiler's own exit code: {status}");
    assert_accounted(&capture);
    assert_eq!(lost(&capture), 0, "lost");
    assert_eq!(capture["completeness"]["coverage"], 1.0, "all at a site");
    let untyped = bytes_without_type(&capture);
    let requested = number(&capture, "/totals/requested_bytes");
    assert!(
        untyped * 1000 <= requested,
        "{untyped} of {requested} bytes have no type"
    );
    // Two runs of the compiler differ by some tenths of a percent, by what its collector frees of its pools.
    let totals = ["/totals/allocs", "/totals/alloc_bytes"].map(|path| number(&capture, path));
    for (traced, own) in totals.into_iter().zip(own_totals(&command)) {
        assert_close("of the compiler's own figures", traced, own, 0.01, 0);
    }
    std::fs::remove_file(output_path()).expect("the output goes");
    assert!(
        number(&capture, "/overhead/agent_rss_bytes") < 256 << 20,
        "{}",
        capture["overhead"]
    );
}
