//! How a capture starts and ends, and that the target never notices.

use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use tracer_tests::{
    Agent, Churn, Program, assert_accounted, breakpoints, lost, measure_again, newest_go, number,
    probe_addresses, program_path, promise, tracer, wait_until,
};

/// Most time from Ctrl-C until the shell has its prompt back.
const PROMPT: Duration = Duration::from_millis(500);
/// So much that it is not missed, whatever else the machine does.
const MUCH: u64 = 20_000;

#[test]
fn the_tracer_killed_in_the_middle_leaves_the_target_at_full_speed_and_no_probe() {
    let mut churn = Churn::start(1);
    let addresses = probe_addresses(churn.pid());
    let free = churn.speed();
    let agent = Agent::record(churn.pid(), &[]);
    agent.wait_attached();
    assert_eq!(breakpoints(churn.pid(), &addresses), addresses.len());
    let probed = churn.speed();
    assert!(
        probed < free * 0.5,
        "every allocation is recorded, which costs: {free}, then {probed} iterations/s"
    );
    agent.signal("KILL");
    wait_until("the probes are gone", || {
        breakpoints(churn.pid(), &addresses) == 0
    });
    assert!(churn.program.is_running());
    // A neighbour may take the caches for a while; a probe that stays takes its time always.
    measure_again(|| {
        let after = churn.speed();
        promise(after > free * 0.7, || {
            format!("{after} iterations/s, {free} before")
        })
    });
}

#[test]
fn ctrl_c_gives_the_report_and_the_prompt_at_once_and_takes_the_probes_out() {
    let churn = Churn::start(1);
    let addresses = probe_addresses(churn.pid());
    for signal in ["INT", "TERM"] {
        measure_again(|| {
            let agent = Agent::spawn(tracer().args(["record", "--pid", &churn.pid().to_string()]));
            agent.wait_attached();
            churn.iterate(MUCH);
            agent.signal(signal);
            let ended = agent.wait();
            assert_eq!(ended.code(), 0, "{}", ended.messages);
            assert!(ended.output.contains("main."), "{}", ended.output);
            wait_until("the probes are gone", || {
                breakpoints(churn.pid(), &addresses) == 0
            });
            promise(ended.took < PROMPT, || {
                format!("{signal}: the prompt came back after {:?}", ended.took)
            })
        });
    }
}

#[test]
fn the_exit_of_the_target_ends_the_capture_with_a_report() {
    let mut churn = Churn::start(2);
    let agent = Agent::record(churn.pid(), &[]);
    agent.wait_attached();
    churn.iterate(MUCH);
    churn.program.kill();
    let capture = agent.wait().capture();
    assert_eq!(capture["window"]["ended_by"], "target_exit");
    assert!(number(&capture, "/totals/allocs") > 0);
    assert_accounted(&capture);
    let names = capture["sites"][0]["frames"][0]["function"]
        .as_str()
        .expect("a name");
    assert!(
        names.starts_with("main."),
        "the binary is still readable: {names}"
    );
}

#[test]
fn the_duration_ends_the_capture() {
    let churn = Churn::start(1);
    measure_again(|| {
        let capture = Agent::record(churn.pid(), &["--duration", "500ms"])
            .wait()
            .capture();
        assert_eq!(capture["window"]["ended_by"], "duration");
        let points = capture["timeline"].as_array().expect("a timeline");
        let allocs: u64 = points.iter().map(|point| number(point, "/allocs")).sum();
        assert_eq!(
            allocs,
            number(&capture, "/totals/allocs"),
            "the timeline is the whole capture"
        );
        assert!(points.iter().all(|point| number(point, "/rss_bytes") > 0));
        let duration = number(&capture, "/window/duration_ns");
        assert!(duration >= 500_000_000, "{duration}");
        promise(duration < 900_000_000, || format!("{duration} ns"))
    });
}

#[test]
fn nothing_is_lost_at_full_speed_on_both_cores() {
    let churn = Churn::start(2);
    // The ring holds what comes while the tracer waits for a processor, unless that takes very long.
    measure_again(|| {
        let agent = Agent::record(churn.pid(), &[]);
        agent.wait_attached();
        churn.iterate(600_000);
        let capture = agent.interrupt().capture();
        assert_accounted(&capture);
        let allocs = number(&capture, "/completeness/hits");
        assert!(allocs > 1_000_000, "{}", capture["completeness"]);
        promise(lost(&capture) == 0, || capture["completeness"].to_string())
    });
}

#[test]
fn a_full_ring_is_counted_not_hidden() {
    let churn = Churn::start(2);
    for rings in ["1", "2"] {
        let agent = Agent::record(churn.pid(), &["--ring-size", "8KiB", "--rings", rings]);
        agent.wait_attached();
        churn.iterate(MUCH);
        let capture = agent.interrupt().capture();
        assert!(
            number(&capture, "/completeness/lost/ring_full") > 0,
            "{}",
            capture["completeness"]
        );
        assert_accounted(&capture);
    }
}

#[test]
fn two_captures_of_one_target_both_see_everything() {
    let mut program = Program::start(&newest_go(), "known", &[]);
    program.wait_for("ready");
    let agents = [
        Agent::record(program.pid(), &[]),
        Agent::record(program.pid(), &[]),
    ];
    for agent in &agents {
        agent.wait_attached();
    }
    program.go_on();
    program.wait_for("done");
    let captures = agents.map(|agent| agent.interrupt().capture());
    program.go_on();
    let expected: Value = serde_json::from_str(&program.line()).expect("figures");
    for capture in captures {
        assert_eq!(
            number(&capture, "/totals/allocs"),
            number(&expected, "/total/mallocs")
        );
    }
}

/// Captures a part of the life of a program that runs from a place the tracer cannot open by name.
fn capture_of(churn: &Churn) -> Value {
    let agent = Agent::record(churn.pid(), &[]);
    agent.wait_attached();
    churn.iterate(MUCH);
    agent.interrupt().capture()
}

#[test]
fn a_deleted_and_replaced_executable_is_traced_as_it_runs() {
    let directory = std::env::temp_dir().join(format!("tracer-deleted-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("churn");
    std::fs::copy(program_path(&newest_go(), "churn"), &path).expect("a copy");
    let churn = Churn::spawn(Command::new(&path).args(["-goroutines", "1"]));
    std::fs::remove_file(&path).expect("the file goes");
    std::fs::write(&path, "#!/bin/sh\n# the new version\n").expect("another file of that name");
    let capture = capture_of(&churn);
    std::fs::remove_dir_all(&directory).expect("the directory goes");
    assert!(number(&capture, "/totals/allocs") > 0);
    let name = capture["sites"][0]["frames"][0]["function"]
        .as_str()
        .expect("a name");
    assert!(name.starts_with("main."), "{name}");
}

#[test]
fn a_target_in_another_mount_namespace_is_traced() {
    let binary = program_path(&newest_go(), "churn");
    let script = format!(
        "mount -t tmpfs none /mnt && cp {} /mnt/hidden && exec /mnt/hidden -goroutines 1",
        binary.display()
    );
    let churn = Churn::spawn(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    let capture = capture_of(&churn);
    assert_eq!(capture["target"]["exe"], "/mnt/hidden");
    assert!(number(&capture, "/totals/allocs") > 0);
}

#[test]
fn a_target_that_exits_while_probes_are_attached_is_an_error_or_an_empty_capture() {
    for delay in (0..30).step_by(3) {
        let mut program = Program::start(&newest_go(), "hello", &[]);
        let agent = Agent::record(program.pid(), &[]);
        std::thread::sleep(Duration::from_millis(delay));
        program.kill();
        let ended = agent.wait();
        assert!(
            [0, 3].contains(&ended.code()),
            "after {delay} ms: {:?} {}",
            ended.status,
            ended.messages
        );
        if ended.code() == 3 {
            assert!(
                ended.messages.contains(&program.pid().to_string()),
                "{}",
                ended.messages
            );
        }
    }
}
