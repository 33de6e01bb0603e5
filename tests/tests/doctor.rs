//! The doctor's verdict on this host, and what it says of processes before they are traced.

use std::process::Command;
use tracer_tests::{
    Agent, Finished, Program, newest_go, program_path, tracer, tracer_unprivileged,
};

fn run(command: &mut Command) -> Finished {
    Agent::spawn(command).wait()
}

fn doctor(pid: u32, more: &[&str]) -> Finished {
    let ended = run(tracer()
        .args(["doctor", "--pid", &pid.to_string()])
        .args(more));
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    ended
}

/// What the line says that begins with `name`.
fn line<'a>(finished: &'a Finished, name: &str) -> &'a str {
    let mut lines = finished.output.lines();
    let found = lines.find_map(|line| line.strip_prefix(name));
    found
        .unwrap_or_else(|| panic!("no line {name:?} in {}", finished.output))
        .trim()
}

/// A number like `12.3M`, before `unit`.
fn figure(text: &str, unit: &str) -> f64 {
    let (before, _) = text.split_once(unit).unwrap_or_else(|| panic!("{text}"));
    let number = before.split_whitespace().next_back().expect("a number");
    let factor = match number.chars().next_back() {
        Some('k') => 1e3,
        Some('M') => 1e6,
        _ => 1.0,
    };
    let digits = number.trim_end_matches(['k', 'M']);
    factor * digits.parse::<f64>().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn this_host_works_and_the_probes_are_shown_when_asked_for() {
    let program = Program::start(&newest_go(), "hello", &[]);
    program.wait_for("ready");
    let ended = doctor(program.pid(), &[]);
    for mark in ["FAIL", "less", "not tried", "Not here"] {
        assert!(!ended.output.contains(mark), "{}", ended.output);
    }
    let verdict = line(&ended, "Works here:");
    for what in [
        "captures in every mode",
        "page faults",
        "heap",
        "other users",
    ] {
        assert!(verdict.contains(what), "{verdict}");
    }
    assert_eq!(
        ended.output.lines().last(),
        Some(&*format!("Works here: {verdict}"))
    );
    assert!(
        !ended.output.contains("runtime.mallocgc"),
        "{}",
        ended.output
    );
    let explained = doctor(program.pid(), &["--explain"]);
    let row = "runtime.mallocgcLarge";
    assert!(explained.output.contains(row), "{}", explained.output);
}

#[test]
fn without_privilege_the_verdict_says_what_is_missing() {
    let ended = run(tracer_unprivileged().arg("doctor"));
    assert_eq!(ended.code(), 4, "{}", ended.output);
    assert!(ended.output.contains("FAIL  privilege"), "{}", ended.output);
    let missing = line(&ended, "Not here: captures in every mode. To do:");
    assert!(missing.contains("CAP_SYS_ADMIN"), "{missing}");
    let others = line(&ended, "Not here: processes of other users. To do:");
    assert!(others.contains("CAP_SYS_PTRACE"), "{others}");
}

/// The program counts its iterations, of two allocations each.
#[test]
fn a_busy_process_with_its_profiler_on() {
    let mut command = Command::new(program_path(&newest_go(), "churn"));
    command
        .args(["-memprofilerate", "65536"])
        .env("GOMEMLIMIT", "400MiB");
    let program = Program::spawn(&mut command);
    program.wait_for("ready");
    let iterations = || {
        let last = program.line();
        let lines = program.pending_lines();
        let last = lines.last().unwrap_or(&last);
        let (_, count) = last.split_once(' ').expect("a count");
        count.parse::<f64>().expect("a count")
    };
    let (before, started) = (iterations(), std::time::Instant::now());
    let ended = doctor(program.pid(), &[]);
    let per_s = 2.0 * (iterations() - before) / started.elapsed().as_secs_f64();
    assert_eq!(line(&ended, "memory  "), "read through /proc/PID/mem");
    assert_eq!(line(&ended, "heap profiler"), "on, one sample in 64 KiB");
    let limit = line(&ended, "memory limit");
    assert!(limit.ends_with("GOMEMLIMIT 400 MiB"), "{limit}");
    // Half a second of it: a busy machine may have given it more or less then.
    let found = figure(line(&ended, "allocates"), " allocations/s");
    assert!(
        (per_s / 3.0..per_s * 3.0).contains(&found),
        "{found}, {per_s}"
    );
    let exact = figure(line(&ended, "exact"), " %");
    assert!((5.0..99.0).contains(&exact), "{}", ended.output);
    assert!(
        line(&ended, "auto").starts_with("at most 5.0 %"),
        "{}",
        ended.output
    );
    let sampled = line(&ended, "sampled");
    assert!(sampled.contains("samples/s"), "{sampled}");
    assert!(figure(sampled, " %") < exact, "{}", ended.output);
}

#[test]
fn a_process_with_its_profiler_off() {
    let program = Program::start(&newest_go(), "quiet", &[]);
    program.wait_for("ready");
    let ended = doctor(program.pid(), &[]);
    let profiler = line(&ended, "heap profiler");
    assert!(
        profiler.starts_with("off: importing net/http/pprof"),
        "{profiler}"
    );
    let limit = line(&ended, "memory limit");
    assert!(limit.ends_with("GOMEMLIMIT none"), "{limit}");
    let sampled = line(&ended, "sampled");
    assert!(sampled.contains("the heap profiler is off"), "{sampled}");
}
