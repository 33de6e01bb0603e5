//! A terminal with `tracer top` in it, its targets, and what is read off its screen.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tracer_tests::{Program, Terminal, breakpoints, newest_go, tracer};

/// What the terminal is like without anything running in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    stty: String,
    alternate: String,
    cursor: String,
}

/// A terminal in a directory of its own, whose settings are known from before.
pub(crate) struct Scene {
    pub(crate) terminal: Terminal,
    pub(crate) directory: PathBuf,
    before: Settings,
}

impl Scene {
    pub(crate) fn new(name: &str, columns: u16, rows: u16) -> Self {
        let directory =
            std::env::temp_dir().join(format!("tracer-top-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let terminal = Terminal::open(columns, rows);
        terminal.run(&format!("cd {}", directory.display()));
        let mut scene = Scene {
            terminal,
            directory,
            before: Settings {
                stty: String::new(),
                alternate: String::new(),
                cursor: String::new(),
            },
        };
        scene.before = scene.settings();
        scene
    }

    /// The settings of the terminal, as soon as its shell answers.
    pub(crate) fn settings(&self) -> Settings {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // What is typed is on the screen, too: the answer must differ from it.
        self.terminal.run(&format!(
            "stty -a > stty; echo settings-$(({number} + 1000))"
        ));
        let answer = format!("settings-{}", number + 1000);
        self.terminal
            .wait_for("the settings", |text| text.contains(&answer));
        let file = self.directory.join("stty");
        Settings {
            stty: std::fs::read_to_string(file).expect("settings"),
            alternate: self.terminal.fact("alternate_on"),
            cursor: self.terminal.fact("cursor_flag"),
        }
    }

    /// Starts `tracer top`, and waits until it shows something.
    pub(crate) fn top(&self, pid: u32, arguments: &str) {
        let tracer = tracer();
        let tracer = tracer.get_program().to_str().expect("a path");
        let line = format!("{tracer} top --pid {pid} {arguments}; echo exit=$?");
        self.terminal.run(&line);
        self.terminal.wait_for("figures", |text| {
            text.contains(&format!("pid {pid} · ")) && text.contains("last ")
        });
    }

    /// Waits until the shell has its terminal again, with this exit code, and gives what is on it.
    pub(crate) fn wait_for_exit(&self, code: u8) -> String {
        let exit = format!("exit={code}");
        let text = self
            .terminal
            .wait_for("the shell", |text| text.contains(&exit));
        assert_eq!(self.settings(), self.before);
        text
    }

    pub(crate) fn keys(&self, keys: &[&str]) {
        self.terminal.keys(keys);
    }

    pub(crate) fn wait_for(&self, what: &str, is_wanted: impl FnMut(&str) -> bool) -> String {
        self.terminal.wait_for(what, is_wanted)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// A target that allocates one object of 32 bytes every 10 ms.
pub(crate) fn hello() -> Program {
    let program = Program::start(&newest_go(), "hello", &[]);
    program.wait_for("ready");
    program
}

/// [`hello`], which says of each object that it allocates it.
pub(crate) fn counting() -> Program {
    let program = Program::start(&newest_go(), "hello", &["count"]);
    program.wait_for("ready");
    program
}

/// How many objects a second the program [`counting`] has allocated lately, as far as the test has seen.
#[derive(Debug, Default)]
pub(crate) struct OwnRates {
    /// When the program had said how much.
    counts: Vec<(Instant, usize)>,
}

/// An interval of the screen, and how much older what it shows may be.
const INTERVAL: Duration = Duration::from_secs(1);
const SHOWN: Duration = Duration::from_millis(2500);

impl OwnRates {
    /// Takes what the program has said since the last time.
    pub(crate) fn look(&mut self, program: &Program) {
        let before = self.counts.last().map_or(0, |(_, count)| *count);
        let more = program.pending_lines().len();
        self.counts.push((Instant::now(), before + more));
        self.counts
            .retain(|(at, _)| at.elapsed() < INTERVAL + SHOWN);
    }

    /// The least and the largest rate over one of the intervals that the screen may show.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let rates = self.counts.iter().filter_map(|(start, before)| {
            let mut later = self.counts.iter();
            let (end, after) = later.find(|(at, _)| *at >= *start + INTERVAL)?;
            Some((after - before) as f64 / (*end - *start).as_secs_f64())
        });
        let rates: Vec<f64> = rates.collect();
        let least = rates.iter().copied().reduce(f64::min)?;
        Some((least, rates.iter().copied().reduce(f64::max)?))
    }
}

/// A target that fills a map, and allocates at several places.
pub(crate) fn leaking() -> Program {
    let arguments = ["-scene", "leak", "-for", "5m"];
    let mut program = Program::start(&newest_go(), "maps", &arguments);
    program.wait_for("ready");
    program.go_on();
    program
}

/// The lines below the titles of the columns, but for the last line, which is about keys.
pub(crate) fn rows(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains('▼'))
        .collect();
    lines.pop();
    let rows = lines.into_iter().skip(1);
    rows.filter(|line| !line.trim().is_empty()).collect()
}

/// Names in the order of a list.
pub(crate) fn names(text: &str) -> Vec<String> {
    let rows = rows(text).into_iter();
    rows.filter_map(|row| row.split("  ").last())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Seconds since the start of recording, as the first line has them.
pub(crate) fn seconds(text: &str) -> f64 {
    let parts = text.lines().next().unwrap_or_default().split(" · ");
    let mut times = parts.filter_map(|part| {
        let (number, unit) = part.trim().split_once(' ')?;
        let number: f64 = number.parse().ok()?;
        match unit.trim() {
            "s" => Some(number),
            "ms" => Some(number / 1000.0),
            _ => None,
        }
    });
    times.next().unwrap_or_else(|| panic!("no time: {text}"))
}

/// Waits for a later interval than the one that `text` shows.
pub(crate) fn later(scene: &Scene, text: &str) -> String {
    let before = seconds(text);
    scene.wait_for("a later interval", |text| seconds(text) > before + 0.9)
}

/// Waits until the target has none.
pub(crate) fn assert_no_probe(pid: u32, addresses: &[u64]) {
    tracer_tests::wait_until("the probes are gone", || breakpoints(pid, addresses) == 0);
}
