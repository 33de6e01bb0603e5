//! What cannot be looked at, and what can although it does nothing.

use crate::taken::{heap, parse};
use std::process::Command;
use tracer_tests::{Agent, Program, newest_go, number, tracer_unprivileged};

fn leak() -> Program {
    let program = Program::start(&newest_go(), "leak", &["-rate", "65536"]);
    program.wait_for("ready");
    program
}

#[test]
fn no_such_process() {
    let ended = heap(4_194_303, &[]);
    assert_eq!(ended.code(), 3, "{}", ended.messages);
    assert!(ended.messages.contains("no process"), "{}", ended.messages);
}

#[test]
fn a_process_that_is_no_go_program() {
    let mut sleep = Command::new("sleep").arg("60").spawn().expect("a process");
    let ended = heap(sleep.id(), &[]);
    sleep.kill().expect("its end");
    sleep.wait().expect("its end");
    assert_eq!(ended.code(), 3, "{}", ended.messages);
    assert!(
        ended.messages.contains("no Go program"),
        "{}",
        ended.messages
    );
}

#[test]
fn no_privilege() {
    let program = leak();
    let mut command = tracer_unprivileged();
    command.args(["heap", "--pid", &program.pid().to_string()]);
    let ended = Agent::spawn(&mut command).wait();
    assert_eq!(ended.code(), 4, "{}", ended.messages);
    assert!(
        ended.messages.contains("CAP_SYS_PTRACE"),
        "{}",
        ended.messages
    );
}

/// Nothing of the target has to run for it.
#[test]
fn a_process_that_is_stopped() {
    let program = leak();
    let pid = program.pid().to_string();
    let stop = Command::new("kill").args(["-s", "STOP", &pid]).status();
    assert!(stop.is_ok_and(|status| status.success()));
    let capture = parse(&heap(program.pid(), &["--format", "json"]));
    assert!(
        number(&capture, "/heap/history/buckets") > 0,
        "{}",
        capture["heap"]
    );
}
