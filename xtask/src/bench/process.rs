//! Child processes whose output is read line by line, each line with the time at which it came. Every wait has a
//! limit, and what a process said is in the error when it did not do its part.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    io::Errno,
    process::{WaitOptions, getpid, set_child_subreaper, wait},
};

/// The end of a program that has nothing left to do.
const EXIT_LIMIT: Duration = Duration::from_secs(30);
/// All probes of a capture: each takes about 0.1 s to detach.
const DETACH_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Messages,
}

/// A line of output.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: Instant,
    pub(super) stream: Stream,
    pub(super) text: String,
}

/// A running child, killed on drop.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    started: Instant,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().context("a pipe")?;
        let stderr = child.stderr.take().context("a pipe")?;
        forward(stdout, Stream::Output, sender.clone());
        forward(stderr, Stream::Messages, sender);
        Ok(Self {
            name,
            input: child.stdin.take(),
            child,
            lines,
            started,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// The next line, or `None` after the last one.
    pub(super) fn line(&self, limit: Duration) -> Result<Option<Line>> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("{} is silent for {limit:?}", self.name),
        }
    }

    /// Lines that are there already are passed over.
    pub(super) fn skip_pending(&self) {
        self.lines.try_iter().for_each(drop);
    }

    /// Waits for a line that starts with `beginning`.
    pub(super) fn wait_for(&self, beginning: &str, limit: Duration) -> Result<Line> {
        let mut said = String::new();
        let deadline = Instant::now() + limit;
        while let Some(line) = self.line(deadline.saturating_duration_since(Instant::now()))? {
            if line.text.starts_with(beginning) {
                return Ok(line);
            }
            said += "\n  ";
            said += &line.text;
        }
        bail!("{} ended without `{beginning}`:{said}", self.name)
    }

    /// Writes an empty line to its input.
    pub(super) fn go_on(&mut self) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        let written = input.write_all(b"\n").and_then(|()| input.flush());
        written.with_context(|| format!("{} does not listen", self.name))
    }

    /// Lets it see the end of its input.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for its end, and gives what it wrote to standard output since the last line that was read.
    pub(super) fn finish(mut self, limit: Duration) -> Result<(String, Instant)> {
        let deadline = Instant::now() + limit + EXIT_LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "{} does not end", self.name);
            thread::sleep(POLL);
        };
        let ended = Instant::now();
        let lines: Vec<Line> = self.lines.iter().collect();
        let of = |stream| {
            let lines = lines.iter().filter(move |line| line.stream == stream);
            lines
                .map(|line| line.text.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        };
        ensure!(
            status.success(),
            "{} failed ({status}): {}",
            self.name,
            of(Stream::Messages)
        );
        Ok((of(Stream::Output), ended))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either call fails only when the process has ended already, or is root's and ends by itself.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

fn forward(from: impl Read + Send + 'static, stream: Stream, to: Sender<Line>) {
    thread::spawn(move || {
        for text in BufReader::new(from).lines().map_while(Result::ok) {
            let at = Instant::now();
            if to.send(Line { at, stream, text }).is_err() {
                break;
            }
        }
    });
}

/// From now on the children that ended captures leave behind to detach their probes are this process's, so that
/// [`wait_for_detaches`] can wait for them.
pub(super) fn adopt_orphans() -> Result<()> {
    set_child_subreaper(Some(getpid())).context("cannot become the parent of orphans")
}

/// Waits until the probes of earlier captures are gone: a detach slows the whole machine, and lets nobody attach
/// meanwhile. Nothing that was started here may run any more.
pub(super) fn wait_for_detaches() -> Result<()> {
    let deadline = Instant::now() + DETACH_LIMIT;
    loop {
        match wait(WaitOptions::NOHANG) {
            Err(Errno::CHILD) => return Ok(()),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => thread::sleep(POLL),
            Err(error) => return Err(error).context("cannot wait for detaching processes"),
        }
        ensure!(
            Instant::now() < deadline,
            "the probes of an earlier capture do not go away"
        );
    }
}

/// The same while a target goes on to run.
pub(super) fn wait_for_detaches_beside(target: u32) -> Result<()> {
    let own = i32::try_from(std::process::id())?;
    let target = i32::try_from(target)?;
    let is_detaching = |process: procfs::process::Process| {
        let stat = process.stat();
        stat.is_ok_and(|stat| stat.ppid == own && stat.pid != target && stat.state != 'Z')
    };
    let deadline = Instant::now() + DETACH_LIMIT;
    while procfs::process::all_processes()?
        .flatten()
        .any(is_detaching)
    {
        ensure!(
            Instant::now() < deadline,
            "the probes of an earlier capture do not go away"
        );
        thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_line_is_waited_for_past_others_and_on_both_streams() {
        let process = shell("echo starting; echo 'attached to it' >&2; echo '{}'");
        let line = process.wait_for("attached to", LIMIT).unwrap();
        assert_eq!(line.stream, Stream::Messages);
        assert!(line.at >= process.started());
        assert!(process.finish(LIMIT).is_ok());
    }

    #[test]
    fn output_and_messages_are_kept_apart() {
        let process = shell("echo one; echo two >&2; echo three");
        assert_eq!(process.finish(LIMIT).unwrap().0, "one\nthree");
    }

    #[test]
    fn a_process_that_ends_or_fails_is_told_with_what_it_said() {
        let error = shell("echo no luck").wait_for("ready", LIMIT).unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
        let error = shell("echo no luck >&2; exit 3").finish(LIMIT).unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
    }

    #[test]
    fn a_silent_process_is_not_waited_for_for_ever() {
        let process = shell("exec sleep 600");
        let limit = Duration::from_millis(50);
        assert!(process.wait_for("ready", limit).is_err());
    }

    #[test]
    fn a_process_can_wait_for_the_end_of_its_input() {
        let mut process = shell("cat; echo over");
        process.close_input();
        assert_eq!(process.finish(LIMIT).unwrap().0, "over");
    }
}
