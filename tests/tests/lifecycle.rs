//! How a capture starts and ends, and that the target never notices.

use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};
use tracer_tests::{
    Agent, Finished, Program, assert_accounted, breakpoints, lost, newest_go, number,
    probe_addresses, program_path, tracer, wait_until,
};

/// A target that allocates as fast as it can.
fn churn(args: &[&str]) -> Program {
    let program = Program::start(&newest_go(), "churn", args);
    program.wait_for("ready");
    program
}

/// Iterations of `churn` in a while, per second.
fn speed(program: &Program) -> f64 {
    let iterations = || {
        let last = loop {
            if let Some(line) = program.pending_lines().pop() {
                break line;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        last.trim_start_matches("iterations ")
            .parse::<f64>()
            .expect("a count")
    };
    let (start, before) = (Instant::now(), iterations());
    std::thread::sleep(Duration::from_secs(1));
    (iterations() - before) / start.elapsed().as_secs_f64()
}

#[test]
fn the_tracer_killed_in_the_middle_leaves_the_target_at_full_speed_and_no_probe() {
    let mut program = churn(&["-goroutines", "1"]);
    let addresses = probe_addresses(program.pid());
    let free = speed(&program);
    let agent = Agent::record(program.pid(), &[]);
    agent.wait_attached();
    assert_eq!(breakpoints(program.pid(), &addresses), addresses.len());
    assert!(
        speed(&program) < free * 0.8,
        "every allocation is recorded, which costs"
    );
    agent.signal("KILL");
    wait_until("the probes are gone", || {
        breakpoints(program.pid(), &addresses) == 0
    });
    assert!(program.is_running());
    // A neighbour of this machine may take its time for a second; a probe that stays takes it always.
    let after = (0..5)
        .map(|_| speed(&program))
        .find(|after| *after > free * 0.7);
    assert!(
        after.is_some(),
        "in none of five seconds 0.7 of the {free} iterations/s before"
    );
}

#[test]
fn ctrl_c_gives_the_report_and_the_prompt_at_once_and_takes_the_probes_out() {
    let program = churn(&["-goroutines", "1"]);
    let addresses = probe_addresses(program.pid());
    for signal in ["INT", "TERM"] {
        let agent = Agent::spawn(tracer().args(["record", "--pid", &program.pid().to_string()]));
        agent.wait_attached();
        std::thread::sleep(Duration::from_millis(300));
        agent.signal(signal);
        let ended = agent.wait();
        assert_eq!(ended.code(), 0, "{}", ended.messages);
        assert!(ended.output.contains("main."), "{}", ended.output);
        assert!(
            ended.took < Duration::from_millis(500),
            "{signal}: the prompt came back after {:?}",
            ended.took
        );
        wait_until("the probes are gone", || {
            breakpoints(program.pid(), &addresses) == 0
        });
    }
}

#[test]
fn the_exit_of_the_target_ends_the_capture_with_a_report() {
    let mut program = churn(&["-goroutines", "2"]);
    let agent = Agent::record(program.pid(), &[]);
    agent.wait_attached();
    std::thread::sleep(Duration::from_millis(300));
    program.kill();
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
    let program = churn(&["-goroutines", "1"]);
    let capture = Agent::record(program.pid(), &["--duration", "500ms"])
        .wait()
        .capture();
    assert_eq!(capture["window"]["ended_by"], "duration");
    let duration = number(&capture, "/window/duration_ns");
    assert!((500_000_000..900_000_000).contains(&duration), "{duration}");
    let points = capture["timeline"].as_array().expect("a timeline");
    let allocs: u64 = points.iter().map(|point| number(point, "/allocs")).sum();
    assert_eq!(
        allocs,
        number(&capture, "/totals/allocs"),
        "the timeline is the whole capture"
    );
    assert!(points.iter().all(|point| number(point, "/rss_bytes") > 0));
}

#[test]
fn nothing_is_lost_at_full_speed_on_both_cores() {
    let program = churn(&["-goroutines", "2"]);
    let capture = Agent::record(program.pid(), &["--duration", "5s"])
        .wait()
        .capture();
    assert_accounted(&capture);
    assert_eq!(lost(&capture), 0, "{}", capture["completeness"]);
    assert!(
        number(&capture, "/totals/allocs") > 1_000_000,
        "{}",
        capture["totals"]
    );
}

#[test]
fn a_full_ring_is_counted_not_hidden() {
    let program = churn(&["-goroutines", "2"]);
    for rings in ["1", "2"] {
        let options = ["--ring-size", "8KiB", "--rings", rings, "--duration", "1s"];
        let capture = Agent::record(program.pid(), &options).wait().capture();
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

/// Captures half a second of a program that runs from a place the tracer cannot open by name.
fn capture_of(program: &Program) -> Finished {
    Agent::record(program.pid(), &["--duration", "500ms"]).wait()
}

#[test]
fn a_deleted_and_replaced_executable_is_traced_as_it_runs() {
    let directory = std::env::temp_dir().join(format!("tracer-deleted-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("churn");
    std::fs::copy(program_path(&newest_go(), "churn"), &path).expect("a copy");
    let program = Program::start_at(&path, &["-goroutines", "1"]);
    program.wait_for("ready");
    std::fs::remove_file(&path).expect("the file goes");
    std::fs::write(&path, "#!/bin/sh\n# the new version\n").expect("another file of that name");
    let capture = capture_of(&program).capture();
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
    let program = Program::spawn(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    program.wait_for("ready");
    let capture = capture_of(&program).capture();
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
