//! `tracer run`: a program from its first instruction to its exit code.

use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tracer_tests::{
    Agent, Program, assert_accounted, go_versions, lost, newest_go, number, program_path, tracer,
};

/// A capture file of its own for each test.
fn capture_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tracer-run-{name}-{}.json", std::process::id()))
}

/// Runs `life` under the tracer with some input; gives what came out and the capture.
fn run(version: &str, name: &str, args: &[&str]) -> (Output, Value) {
    let path = capture_path(name);
    let mut command = tracer();
    command
        .args(["run", "--mode", "exact"])
        .arg("-o")
        .arg(&path)
        .arg("--")
        .arg(program_path(version, "life"))
        .args(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tracer runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"a line\n")
        .expect("the program reads");
    let output = child.wait_with_output().expect("the tracer ends");
    let capture = std::fs::read(&path).expect("a capture");
    std::fs::remove_file(&path).expect("the capture goes");
    (
        output,
        serde_json::from_slice(&capture).expect("a JSON capture"),
    )
}

/// `mallocs N total_alloc N` of the program's last line.
fn counted(output: &str) -> [u64; 2] {
    let words: Vec<&str> = output.lines().last().expect("a line").split(' ').collect();
    [words[1], words[3]].map(|word| word.parse().expect("a number"))
}

#[test]
fn the_capture_covers_the_whole_life_to_the_byte() {
    for version in go_versions() {
        let (output, capture) = run(&version, "life", &[]);
        let text = String::from_utf8(output.stdout).expect("text");
        let [mallocs, total_alloc] = counted(&text);
        assert_eq!(number(&capture, "/totals/allocs"), mallocs, "Go {version}");
        assert_eq!(
            number(&capture, "/totals/alloc_bytes"),
            total_alloc,
            "Go {version}"
        );
        assert_eq!(lost(&capture), 0, "Go {version}");
        assert_accounted(&capture);
        assert!(
            capture["target"]["exe"]
                .as_str()
                .is_some_and(|exe| exe.ends_with("/life")),
            "{}",
            capture["target"]
        );
        assert_eq!(capture["window"]["ended_by"], "target_exit");
    }
}

#[test]
fn input_output_and_exit_code_are_the_programs_own() {
    let (output, _) = run(&newest_go(), "streams", &["-exit", "7"]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().next(),
        Some("a line")
    );
}

#[test]
fn signals_reach_the_program() {
    for (signal, name) in [("TERM", "terminated"), ("INT", "interrupt")] {
        let life = program_path(&newest_go(), "life");
        let program = Program::spawn(
            tracer()
                .arg("run")
                .arg("--")
                .arg(life)
                .arg("-wait")
                .stderr(Stdio::null()),
        );
        program.wait_for("ready");
        let status = Command::new("kill")
            .args(["-s", signal, &program.pid().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()));
        assert_eq!(program.line(), name);
        assert!(program.line().starts_with("mallocs "));
    }
}

#[test]
fn a_program_killed_by_a_signal_gives_the_code_a_shell_would_give() {
    let script = format!(
        "exec \"$0\" run -- {} -wait 2>/dev/null",
        program_path(&newest_go(), "life").display()
    );
    let mut program = Program::spawn(
        Command::new("sh")
            .args(["-c", &script])
            .arg(tracer().get_program()),
    );
    program.wait_for("ready");
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", program.pid()))
        .expect("children");
    let child = children
        .split_whitespace()
        .next()
        .expect("the program")
        .to_owned();
    assert!(
        Command::new("kill")
            .args(["-s", "KILL", &child])
            .status()
            .is_ok_and(|status| status.success())
    );
    assert_eq!(program.wait().code(), Some(128 + 9));
}

#[test]
fn without_a_file_the_report_is_on_standard_error() {
    let ended = Agent::spawn(
        tracer()
            .arg("run")
            .arg("--")
            .arg(program_path(&newest_go(), "life")),
    )
    .wait();
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    assert_eq!(
        ended.output.lines().count(),
        1,
        "the program's own line only: {}",
        ended.output
    );
    assert!(ended.messages.contains("main.push"), "{}", ended.messages);
}

#[test]
fn what_cannot_be_run_is_an_error_and_leaves_nothing_behind() {
    let ended = Agent::spawn(tracer().args(["run", "--", "/no/such/program"])).wait();
    assert_eq!(ended.code(), 1);
    assert!(
        ended.messages.contains("/no/such/program") && ended.messages.contains("No such file"),
        "{}",
        ended.messages
    );
    // A number that no other process has.
    let seconds = format!("1000.{}", std::process::id());
    let ended = Agent::spawn(tracer().args(["run", "--", "sleep", &seconds])).wait();
    assert_eq!(ended.code(), 3);
    assert!(
        ended.messages.contains("no Go program"),
        "{}",
        ended.messages
    );
    let left = Command::new("pgrep")
        .args(["-f", &format!("^sleep {seconds}$")])
        .output()
        .expect("pgrep runs");
    assert!(left.stdout.is_empty(), "the program was left behind");
}
