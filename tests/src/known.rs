//! The program `known`, which measures what it allocates itself: traced in step with its measurement.

use crate::{Agent, Program};
use serde_json::Value;

/// Traces a `known` that has just been started, from its first measured allocation to its last; gives the capture and
/// the program's own figures.
///
/// # Panics
/// One of the two does not do its part.
pub fn trace_known(mut known: Program) -> (Value, Value) {
    known.wait_for("ready");
    let agent = Agent::record(known.pid(), &["--mode", "exact"]);
    agent.wait_attached();
    known.go_on();
    known.wait_for("done");
    let capture = agent.interrupt().capture();
    known.go_on();
    let expected = serde_json::from_str(&known.line()).expect("the program's figures");
    (capture, expected)
}
