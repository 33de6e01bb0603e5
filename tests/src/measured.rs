//! The programs that measure themselves, traced in step with their measurement.

use crate::{Agent, Program};
use serde_json::Value;
use std::time::Duration;

/// Traces a program that has just been started, from the begin of its measurement to the end; gives the capture and the
/// program's own figures. `options` are the agent's.
///
/// # Panics
/// One of the two does not do its part.
pub fn trace_measured(program: Program, options: &[&str]) -> (Value, Value) {
    trace_lingering(program, options, Duration::ZERO)
}

/// The same; the capture goes on for a while after the measurement.
///
/// # Panics
/// One of the two does not do its part.
pub fn trace_lingering(mut program: Program, options: &[&str], linger: Duration) -> (Value, Value) {
    program.wait_for("ready");
    let agent = Agent::record(program.pid(), options);
    agent.wait_attached();
    program.go_on();
    program.wait_for("done");
    std::thread::sleep(linger);
    let capture = agent.interrupt().capture();
    program.go_on();
    let expected = serde_json::from_str(&program.line()).expect("the program's figures");
    (capture, expected)
}
