//! The live tests: compiled as the user, then run with privilege, one file of tests after the other. Hides where cargo
//! puts what it compiles, and how the time of each test is known although libtest does not tell it.

mod busy;
mod stopwatch;

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write, stdout},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tracer_object::Place;

use self::{busy::Busy, stopwatch::Stopwatch};
use crate::{build, programs, progress, sudo::Privilege, test::HOST_PACKAGES, workspace};

/// How many of the slowest tests are shown.
const SLOWEST: usize = 10;

/// How the live tests are run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run the live tests so many times
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Keep so many processors busy while the live tests run
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=64))]
    beside: u32,
}

/// A file of tests, compiled.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Binary {
    name: String,
    path: PathBuf,
}

/// What came of all tests so far.
#[derive(Debug, Default)]
struct Outcome {
    /// The longest time of each test, by its name with that of its file.
    durations: BTreeMap<String, Duration>,
    failed: Vec<String>,
}

/// Compiles the live tests and runs those whose name contains `filter`; shows the slowest.
pub(crate) fn run(
    privilege: &Privilege,
    agent: &Path,
    object: Place,
    filter: Option<&str>,
    options: &Options,
) -> Result<()> {
    let binaries = compile(object)?;
    let mut outcome = Outcome::default();
    let busy = Busy::start(options.beside)?;
    for round in 1..=options.times {
        if options.times > 1 {
            progress::say(&format!("live tests, {round} of {}", options.times));
        }
        for binary in &binaries {
            outcome.add(binary, privilege, agent, filter)?;
        }
    }
    drop(busy);
    outcome.show_slowest();
    ensure!(
        outcome.failed.is_empty(),
        "failed, see above: {}",
        outcome.failed.join(", ")
    );
    Ok(())
}

impl Outcome {
    /// Runs one file of tests to its end, whatever fails in it.
    fn add(
        &mut self,
        binary: &Binary,
        privilege: &Privilege,
        agent: &Path,
        filter: Option<&str>,
    ) -> Result<()> {
        progress::say(&format!("live tests: {}", binary.name));
        let mut tests = privilege.command("env");
        tests
            .arg(format!("TRACER_BIN={}", agent.display()))
            .arg(format!(
                "TRACER_PROGRAMS={}",
                programs::directory().display()
            ))
            .arg(&binary.path)
            .args(filter)
            .arg("--test-threads=1")
            .current_dir(workspace::root().join("tests"));
        let (stopwatch, succeeded) = watched(&mut tests, &mut stdout())?;
        for test in &stopwatch.tests {
            let name = format!("{}: {}", binary.name, test.name);
            if !test.succeeded {
                self.failed.push(name.clone());
            }
            let longest = self.durations.entry(name).or_default();
            *longest = test.duration.max(*longest);
        }
        if let Some(test) = stopwatch.running() {
            self.failed
                .push(format!("{}: {test} did not end", binary.name));
        } else if !succeeded && stopwatch.tests.iter().all(|test| test.succeeded) {
            self.failed.push(format!("{} as a whole", binary.name));
        }
        Ok(())
    }

    fn show_slowest(&self) {
        let mut slowest: Vec<(&String, &Duration)> = self.durations.iter().collect();
        slowest.sort_by_key(|(_, duration)| std::cmp::Reverse(**duration));
        slowest.truncate(SLOWEST);
        progress::say(&format!(
            "the slowest of {} live tests (where tests share captures, the first of them has their time):",
            self.durations.len()
        ));
        for (name, duration) in slowest {
            progress::say(&format!("{:7.1} s  {name}", duration.as_secs_f64()));
        }
    }
}

/// Runs tests, hands on what they print while they do, and gives their times and whether all is well.
fn watched(tests: &mut Command, to: &mut impl Write) -> Result<(Stopwatch, bool)> {
    let mut child = tests
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run the live tests")?;
    let mut output = child.stdout.take().context("a pipe")?;
    let (started, mut stopwatch) = (Instant::now(), Stopwatch::default());
    let mut bytes = [0; 4096];
    loop {
        let count = output
            .read(&mut bytes)
            .context("cannot read what the tests print")?;
        let read = bytes.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        stopwatch.take(read, started.elapsed());
        to.write_all(read)?;
        to.flush()?;
    }
    Ok((stopwatch, child.wait()?.success()))
}

/// Compiles every live test.
fn compile(object: Place) -> Result<Vec<Binary>> {
    let mut test = workspace::cargo();
    test.envs(build::embedding(object))
        .args([
            "test",
            "--no-run",
            "--locked",
            "--message-format=json-render-diagnostics",
        ])
        .args(HOST_PACKAGES)
        .args(names()?.iter().flat_map(|name| ["--test", name.as_str()]))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = test.output().context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "the live tests do not compile, see above"
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut binaries: Vec<Binary> = messages.lines().filter_map(compiled).collect();
    ensure!(!binaries.is_empty(), "cargo compiled no live test");
    binaries.sort();
    Ok(binaries)
}

/// The file of tests that a message of cargo's is about.
fn compiled(message: &str) -> Option<Binary> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = message.get("target")?;
    let is_test = target
        .get("kind")?
        .as_array()?
        .iter()
        .any(|kind| kind == "test");
    let (name, path) = (target.get("name")?, message.get("executable")?);
    is_test.then_some(Binary {
        name: name.as_str()?.to_owned(),
        path: path.as_str()?.into(),
    })
}

/// The names of the live tests' files and directories, as cargo knows them.
fn names() -> Result<Vec<String>> {
    let directory = workspace::root().join("tests/tests");
    let entries =
        fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let stems = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()));
    let names: Vec<String> = stems.collect();
    ensure!(!names.is_empty(), "{} has no tests", directory.display());
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_of_each_file_of_tests_is_found_in_what_cargo_says() {
        let of_kind = |kind: &str| {
            compiled(&format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"gc"}},"executable":"/target/gc-1"}}"#
            ))
        };
        let expected = Binary {
            name: "gc".to_owned(),
            path: "/target/gc-1".into(),
        };
        assert_eq!(of_kind("test"), Some(expected));
        assert_eq!(of_kind("bin"), None);
        assert_eq!(
            compiled(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(compiled("no JSON"), None);
    }

    #[test]
    fn what_tests_print_is_watched_to_its_end_and_so_is_their_exit() {
        let script = |code: u8| format!("echo 'test a ... ok'; exit {code}");
        for code in [0, 1] {
            let mut shown = Vec::new();
            let mut tests = Command::new("sh");
            tests.args(["-c", &script(code)]);
            let (stopwatch, succeeded) = watched(&mut tests, &mut shown).unwrap();
            assert_eq!(shown, b"test a ... ok\n");
            assert_eq!(stopwatch.tests.len(), 1);
            assert_eq!(succeeded, code == 0);
        }
    }
}
