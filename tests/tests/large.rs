//! Budgets on a large program: many functions, all of them allocating. `cargo xtask test --full` makes it larger than
//! 100 MB.

use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;
use tracer_tests::{
    Agent, Program, assert_accounted, measure_again, newest_go, number, program_path, promise,
    wait_for_earlier_detaches,
};

/// Functions that the program runs, evenly from all of its code; each allocates at five places.
const FUNCTIONS: &str = "2500";
/// So few that the first figures are not waited for because there are so many.
const FEW_FUNCTIONS: &str = "110";
/// Program counters that have to be named in one capture.
const PCS: usize = 10_000;
/// So often.
const PASSES: u32 = 5;
/// Most time from the start of the tracer to a live probe, without what it waits for a processor.
const ATTACH: Duration = Duration::from_millis(500);
/// Most time from Ctrl-C to the report, without what the tracer waits for a processor: all names are looked up in it.
const REPORT: Duration = Duration::from_secs(1);
/// Most memory of the agent at any time, in bytes.
const MEMORY: u64 = 200_000_000;

fn start(functions: &str) -> Program {
    let path = program_path(&newest_go(), "large");
    let bytes = path.metadata().expect("the program").len();
    println!("the program has {} MB", bytes / 1_000_000);
    let program = Program::start_at(&path, &[functions, "passes"]);
    program.wait_for("ready");
    program
}

#[test]
fn a_large_program_is_attached_at_once_and_its_first_interval_has_figures() {
    let program = start(FEW_FUNCTIONS);
    let args = [
        "--format",
        "ndjson",
        "--interval",
        "100ms",
        "--duration",
        "1s",
    ];
    measure_again(|| {
        wait_for_earlier_detaches();
        let agent = Agent::attach(program.pid(), &args);
        let attached = agent.wait_attached();
        println!("attached after {} ms", attached.as_millis());
        let ended = agent.wait();
        assert_eq!(ended.code(), 0, "{}", ended.messages);
        let first = ended
            .output
            .lines()
            .find(|line| line.starts_with(r#"{"event":"interval""#))
            .expect("an interval");
        let first: Value = serde_json::from_str(first).expect("a JSON line");
        println!("first interval ends {} ns later", first["t_ns"]);
        // A target that has no processor for so long allocates nothing.
        let has_figures = number(&first, "/allocs") > 0;
        promise(attached <= ATTACH && has_figures, || {
            format!("attached after {attached:?}; {first}")
        })
    });
}

#[test]
fn thousands_of_sites_are_named_at_once_and_in_little_memory() {
    let program = start(FUNCTIONS);
    measure_again(|| {
        wait_for_earlier_detaches();
        // A page fault can be in the vDSO, which has no names.
        let agent = Agent::record(program.pid(), &["--faults", "off"]);
        let attached = agent.wait_attached();
        // Each function runs several times.
        drop(program.pending_lines());
        (0..PASSES).for_each(|_| program.wait_for("pass"));
        agent.signal("INT");
        let took = agent.wait_message("wrote ");
        let capture = agent.wait().capture();
        assert_named(&capture);
        println!(
            "attached after {} ms; report {} ms after Ctrl-C",
            attached.as_millis(),
            took.as_millis()
        );
        promise(took <= REPORT, || format!("{took:?}"))
    });
}

fn assert_named(capture: &Value) {
    assert_accounted(capture);
    let sites = capture["sites"].as_array().expect("sites");
    let of_program: HashSet<String> = sites
        .iter()
        .map(|site| &site["frames"])
        .filter(|frames| is_of_program(frames))
        .map(Value::to_string)
        .collect();
    let inlined = sites
        .iter()
        .filter(|site| site["frames"][0]["inlined"] == true);
    let memory = number(capture, "/overhead/agent_rss_bytes");
    println!(
        "{} sites, {} inlined; agent {} MB at most",
        of_program.len(),
        inlined.count(),
        memory / 1_000_000
    );
    assert!(of_program.len() >= PCS);
    assert_eq!(number(capture, "/completeness/unknown_pcs"), 0);
    assert!(memory <= MEMORY, "{memory} bytes");
}

/// Whether all frames of a site are named, and in the generated code.
fn is_of_program(frames: &Value) -> bool {
    let frames = frames.as_array().expect("frames");
    frames.iter().all(|frame| {
        frame["package"]
            .as_str()
            .is_some_and(|package| package.starts_with("tracer.test/large/p"))
            && frame["line"].is_u64()
    })
}
