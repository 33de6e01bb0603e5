//! A real terminal: a tmux server of its own with one window, in which a shell runs.

use crate::{PATIENCE, wait_until};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// A terminal with a shell in it, ended on drop.
#[derive(Debug)]
pub struct Terminal {
    server: String,
}

impl Terminal {
    /// Opens a terminal.
    ///
    /// # Panics
    /// tmux is not installed.
    pub fn open(columns: u16, rows: u16) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal {
            server: format!("tracer-test-{}-{number}", std::process::id()),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let size = ["-x", &columns, "-y", &rows];
        // The environment of whoever runs the tests says nothing about colours.
        let shell = "env -u NO_COLOR PS1='$ ' sh -i";
        let start = [&["new-session", "-d"], &size[..], &[shell]].concat();
        terminal.tmux(&start);
        terminal.wait_for("a prompt", |text| text.contains('$'));
        terminal
    }

    /// Runs a command line in its shell.
    pub fn run(&self, line: &str) {
        self.text_keys(line);
        self.keys(&["Enter"]);
    }

    /// Presses keys, by tmux's names of them.
    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text.
    pub fn text_keys(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Changes its size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What it shows.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What it shows, with escape sequences of styles.
    pub fn styled(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// What tmux knows of it, such as `alternate_on`.
    pub fn fact(&self, name: &str) -> String {
        let format = format!("#{{{name}}}");
        let fact = self.tmux(&["display-message", "-p", &format]);
        fact.trim().to_owned()
    }

    /// Waits until what it shows is as wanted, and gives it.
    ///
    /// # Panics
    /// That does not happen within [`PATIENCE`].
    pub fn wait_for(&self, what: &str, mut is_wanted: impl FnMut(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let text = self.text();
            if is_wanted(&text) {
                return text;
            }
            assert!(start.elapsed() < PATIENCE, "not seen: {what}\n{text}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The process that its shell runs now.
    pub fn child(&self) -> u32 {
        let shell = self.fact("pane_pid");
        let mut child = None;
        wait_until("the shell runs a program", || {
            let path = format!("/proc/{shell}/task/{shell}/children");
            let children = std::fs::read_to_string(path).unwrap_or_default();
            child = children.split_whitespace().next().map(str::to_owned);
            child.is_some()
        });
        child.expect("a process").parse().expect("its id")
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.server, "-f", "/dev/null"])
            .args(arguments)
            .output()
            .unwrap_or_else(|e| panic!("cannot run tmux, which these tests need: {e}"));
        assert!(
            output.status.success(),
            "tmux {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ends the shell and what it runs.
        let end = Command::new("tmux")
            .args(["-L", &self.server, "kill-server"])
            .output();
        drop(end);
    }
}
