//! Examples of the agent's package that measure one of its stages by itself and print a JSON object for each figure.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;

use super::Bench;
use crate::command;

/// Runs an example, as the user, and reads the objects it prints.
pub(super) fn measure<T: DeserializeOwned>(
    bench: &Bench,
    name: &str,
    arguments: &[&str],
) -> Result<Vec<T>> {
    let program = bench.example(name);
    ensure!(
        program.is_file(),
        "the package tracer has no example `{name}`"
    );
    let output = command::output(Command::new(program).args(arguments).arg("--json"))?;
    parse(&output).with_context(|| format!("the example `{name}` printed something else"))
}

fn parse<T: DeserializeOwned>(output: &str) -> Result<Vec<T>> {
    let objects = output.lines().map(serde_json::from_str);
    let objects: Vec<T> = objects.collect::<Result<_, _>>()?;
    ensure!(!objects.is_empty(), "it printed nothing");
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn each_line_is_an_object_and_no_line_is_an_error() {
        assert_eq!(parse::<Value>("{\"a\":1}\n{\"a\":2}\n").unwrap().len(), 2);
        assert!(parse::<Value>("").is_err());
        assert!(parse::<Value>("tracer: 3 ms\n").is_err());
    }
}
