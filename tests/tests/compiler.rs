//! A program of the real world from its first instruction to its last: the Go compiler at work on `go/types`. It
//! allocates five million objects in two seconds, through millions of distinct stacks.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tracer_tests::{assert_accounted, compile_command, lost, number, tracer};

/// Where the compiler writes: not where a user would own it.
fn output_path() -> PathBuf {
    std::env::temp_dir().join(format!("tracer-compiler-{}.a", std::process::id()))
}

/// Bytes of all allocations, by the compiler's own profile of every allocation.
///
/// The profile in its text form begins with the sums, `heap profile: 1: 2 [3: BYTES] @ heap/2`; the gigabyte of stacks
/// behind them is not waited for.
fn profiled_bytes(command: &[String]) -> u64 {
    let mut compiler = Command::new(&command[0])
        .args(["-memprofile=/dev/stdout", "-memprofilerate=1"])
        .arg("-o")
        .arg(output_path())
        .args(&command[1..])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the compiler runs");
    let mut sums = String::new();
    BufReader::new(compiler.stdout.take().expect("a pipe"))
        .read_line(&mut sums)
        .expect("the head of a profile");
    compiler.kill().expect("the compiler is killed");
    compiler.wait().expect("the compiler ends");
    let all = sums.split(['[', ']']).nth(1).expect("sums in brackets");
    let bytes = all.split(": ").nth(1).expect("bytes behind objects");
    bytes.parse().expect("a number of bytes")
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
    let (traced, profiled) = (
        number(&capture, "/totals/alloc_bytes"),
        profiled_bytes(&command),
    );
    std::fs::remove_file(output_path()).expect("the output goes");
    assert!(
        traced.abs_diff(profiled) * 100 <= profiled,
        "{traced} bytes traced, {profiled} in the compiler's profile"
    );
    assert!(
        number(&capture, "/overhead/agent_rss_bytes") < 256 << 20,
        "{}",
        capture["overhead"]
    );
}
