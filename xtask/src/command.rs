//! Runs other programs, and makes the error of one that failed say what was run and what it printed.

use std::{
    ffi::OsStr,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Of a program that failed, so many lines are shown.
const LAST_LINES: usize = 30;

/// Runs a program that shows its own output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a program in silence and gives what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    checked(command, &output)
}

/// Like [`output`], but ends a program that takes longer than `limit`. For programs that print a few lines only.
pub(crate) fn output_within(command: &mut Command, limit: Duration) -> Result<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    let deadline = Instant::now() + limit;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            bail!("`{}` took longer than {limit:?}", shown(command));
        }
        thread::sleep(Duration::from_millis(50));
    }
    checked(command, &child.wait_with_output()?)
}

fn checked(command: &Command, output: &Output) -> Result<String> {
    if !output.status.success() {
        let told = [&output.stdout, &output.stderr].map(|told| String::from_utf8_lossy(told));
        bail!(
            "`{}` failed ({})\n{}",
            shown(command),
            output.status,
            last_lines(&told.concat()),
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The end of what a program printed, which has the reason why it failed.
fn last_lines(told: &str) -> String {
    let lines: Vec<&str> = told.lines().collect();
    let cut = lines.len().saturating_sub(LAST_LINES);
    let end = lines.get(cut..).unwrap_or_default().join("\n");
    if cut == 0 {
        return end;
    }
    format!("(the last {LAST_LINES} lines)\n{end}")
}

/// The command line as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_printed() {
        let error =
            output(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh -c"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.contains("no luck"), "{text}");
    }

    #[test]
    fn a_failure_shows_the_end_of_a_long_output() {
        let error = output(Command::new("sh").args(["-c", "seq 1000; echo no luck >&2; exit 3"]))
            .unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("\n1000\nno luck"), "{text}");
        assert!(!text.contains("\n971\n"), "{text}");
        assert!(text.contains("the last 30 lines"), "{text}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/program"));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let started = Instant::now();
        let limit = Duration::from_millis(100);
        let error = output_within(Command::new("sleep").arg("60"), limit).unwrap_err();
        assert!(error.to_string().contains("longer than"));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn output_within_the_limit_is_returned() {
        let text = output_within(
            Command::new("echo").arg("go1.27.3"),
            Duration::from_secs(10),
        );
        assert_eq!(text.unwrap(), "go1.27.3\n");
    }
}
