//! Probes as the target has them: breakpoints in its code.

use crate::tracer;
use tracer::program::{Process, RuntimePc};

/// Addresses of the instructions that `tracer --explain` would probe.
///
/// # Panics
/// It explains nothing.
pub fn probe_addresses(pid: u32) -> Vec<u64> {
    let output = tracer()
        .args(["record", "--explain", "--pid", &pid.to_string()])
        .output()
        .expect("the tracer runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let rows = text.lines().filter(|line| line.starts_with("runtime."));
    let addresses: Vec<u64> = rows
        .map(|row| {
            let columns: Vec<&str> = row.split_whitespace().collect();
            let start =
                u64::from_str_radix(columns[1].trim_start_matches("0x"), 16).expect("an address");
            start
                + columns[2]
                    .trim_start_matches('+')
                    .parse::<u64>()
                    .expect("an offset")
        })
        .collect();
    assert!(addresses.len() >= 4, "{text}");
    addresses
}

/// How many of the addresses hold a breakpoint in the memory of the process.
///
/// # Panics
/// Its memory cannot be read.
pub fn breakpoints(pid: u32, addresses: &[u64]) -> usize {
    const INT3: u8 = 0xcc;
    let process = Process::open(pid.cast_signed()).expect("the target");
    let memory = process.memory().expect("the target's memory");
    let at = |address: &u64| {
        let mut byte = [0];
        let read = memory.read(RuntimePc(*address), &mut byte);
        assert_eq!(read, 1, "the target's code");
        byte[0]
    };
    addresses
        .iter()
        .filter(|address| at(address) == INT3)
        .count()
}
