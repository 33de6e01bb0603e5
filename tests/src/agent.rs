//! The tracer under test: started, watched, stopped.

use crate::{PATIENCE, waited_for_processor};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Path of the agent under test.
const TRACER: &str = "TRACER_BIN";

/// A running tracer, killed on drop.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    messages: Receiver<String>,
    output: JoinHandle<Vec<u8>>,
    capture: Option<PathBuf>,
    started: Instant,
}

/// A tracer that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub messages: String,
    /// From the request to end until its exit was seen, without what it waited for a processor.
    pub took: Duration,
    capture: Option<PathBuf>,
}

/// A command that runs the tracer.
///
/// # Panics
/// The tests are not run by `cargo xtask test`.
pub fn tracer() -> Command {
    Command::new(
        std::env::var_os(TRACER)
            .unwrap_or_else(|| panic!("{TRACER} is not set: run `cargo xtask test`")),
    )
}

/// A command that runs the tracer as a user without any privilege.
pub fn tracer_unprivileged() -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(tracer().get_program());
    command
}

/// Arguments that ask for every allocation, unless they name a mode.
fn exact_unless_told<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mode: &[&str] = if args.contains(&"--mode") {
        &[]
    } else {
        &["--mode", "exact"]
    };
    [mode, args].concat()
}

impl Agent {
    /// Starts `tracer record --pid PID` with a JSON capture as its output, and more arguments.
    pub fn record(pid: u32, args: &[&str]) -> Self {
        Self::record_by(tracer(), pid, args)
    }

    /// The same with a command that ends up being the tracer.
    pub fn record_by(mut command: Command, pid: u32, args: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let capture =
            std::env::temp_dir().join(format!("tracer-test-{}-{number}.json", std::process::id()));
        command
            .args(["record", "--pid", &pid.to_string()])
            .args(exact_unless_told(args))
            .arg("-o")
            .arg(&capture);
        let mut agent = Self::spawn(&mut command);
        agent.capture = Some(capture);
        agent
    }

    /// Starts `tracer attach --pid PID` with more arguments.
    pub fn attach(pid: u32, args: &[&str]) -> Self {
        Self::spawn(
            tracer()
                .args(["attach", "--pid", &pid.to_string()])
                .args(exact_unless_told(args)),
        )
    }

    /// Starts a prepared command.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let mut stdout = child.stdout.take().expect("a pipe");
        let output = thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(stdout.read_to_end(&mut bytes));
            bytes
        });
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Agent {
            child,
            messages,
            output,
            capture: None,
            started,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until every probe is live; gives the time since its start, without what it waited for a processor.
    pub fn wait_attached(&self) -> Duration {
        self.wait_message("attached to");
        own(self.started, Duration::ZERO, self.waited())
    }

    /// The longest time that a thread of it has waited for a processor.
    fn waited(&self) -> Duration {
        waited_for_processor(self.pid()).unwrap_or_default()
    }

    /// Waits for a message that starts with `beginning`; gives how long, without what it waited for a processor.
    ///
    /// # Panics
    /// It ends or stays silent instead.
    pub fn wait_message(&self, beginning: &str) -> Duration {
        let (asked, before) = (Instant::now(), self.waited());
        let mut seen = Vec::new();
        loop {
            match self.messages.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(beginning) => {
                    return own(asked, before, self.waited());
                }
                Ok(line) => seen.push(line),
                Err(error) => panic!("the tracer did not say {beginning:?} ({error}): {seen:?}"),
            }
        }
    }

    /// Sends a signal by its name (`INT`, `KILL`).
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "cannot send {name}"
        );
    }

    /// Ends the capture as Ctrl-C does and waits for the exit.
    pub fn interrupt(self) -> Finished {
        self.signal("INT");
        self.wait()
    }

    /// Waits for the exit.
    ///
    /// # Panics
    /// It does not end within [`PATIENCE`].
    pub fn wait(mut self) -> Finished {
        let (asked, before) = (Instant::now(), self.waited());
        let mut waited = before;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(asked.elapsed() < PATIENCE, "the tracer does not end");
            // Of the threads that have not ended yet.
            waited = waited.max(self.waited());
            thread::sleep(Duration::from_millis(1));
        };
        let took = own(asked, before, waited);
        let output = std::mem::replace(&mut self.output, thread::spawn(Vec::new))
            .join()
            .expect("a reader");
        let messages: Vec<String> = self.messages.iter().collect();
        Finished {
            status,
            output: String::from_utf8_lossy(&output).into_owned(),
            messages: messages.join("\n"),
            took,
            capture: self.capture.take(),
        }
    }
}

/// The time since `start`, when a process had waited for `before`, without what it has waited for a processor since.
fn own(start: Instant, before: Duration, now: Duration) -> Duration {
    start.elapsed().saturating_sub(now.saturating_sub(before))
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Finished {
    /// The exit code.
    ///
    /// # Panics
    /// It was killed by a signal.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("killed: {:?}\n{}", self.status, self.messages))
    }

    /// The JSON capture of [`Agent::record`].
    ///
    /// # Panics
    /// It failed or wrote none.
    pub fn capture(&self) -> Value {
        assert!(
            self.status.success(),
            "the tracer failed: {}",
            self.messages
        );
        let path = self.capture.as_ref().expect("a recording");
        let text =
            std::fs::read(path).unwrap_or_else(|e| panic!("no capture: {e}; {}", self.messages));
        serde_json::from_slice(&text).expect("a JSON capture")
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if let Some(capture) = &self.capture {
            drop(std::fs::remove_file(capture));
        }
    }
}
