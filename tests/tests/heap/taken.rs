//! One look at the heap of a program whose scene is over, in which nothing is collected any more.

use serde_json::Value;
use std::time::Duration;
use tracer_tests::{Agent, Build, Finished, Program, tracer};

/// What the tracer and the program say of one moment.
#[derive(Debug)]
pub struct Taken {
    /// The program.
    pub build: Build,
    /// What the tracer found.
    pub capture: Value,
    /// What the program says.
    pub report: Value,
    /// From the start of the tracer to its end, without what it waited for a processor.
    pub took: Duration,
}

/// Plays the scene to its end, and looks.
pub fn take(build: &Build, args: &[&str]) -> Taken {
    let mut program = Program::start_at(&build.path(), args);
    program.wait_for("ready");
    program.go_on();
    program.wait_for("done");
    let finished = heap(program.pid(), &["--format", "json"]);
    program.go_on();
    Taken {
        build: build.clone(),
        capture: parse(&finished),
        report: serde_json::from_str(&program.line()).expect("the program's figures"),
        took: finished.took,
    }
}

/// Runs `tracer heap` to its end.
pub fn heap(pid: u32, args: &[&str]) -> Finished {
    let mut command = tracer();
    command.args(["heap", "--pid", &pid.to_string()]).args(args);
    Agent::spawn(&mut command).wait()
}

/// The JSON on standard output.
pub fn parse(finished: &Finished) -> Value {
    assert_eq!(finished.code(), 0, "{}", finished.messages);
    serde_json::from_str(&finished.output)
        .unwrap_or_else(|e| panic!("no capture: {e}; {}", finished.messages))
}
