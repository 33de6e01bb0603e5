//! The Go program `churn` as a target: it allocates as fast as it can, and says every 100 ms how often it has.

use crate::{PATIENCE, Program, cpu_time, newest_go, program_path};
use std::process::Command;
use std::time::{Duration, Instant};

/// CPU time over which its speed is measured.
const MEASURED: Duration = Duration::from_millis(500);

/// A running `churn`, killed on drop. Each of its iterations makes two objects.
#[derive(Debug)]
pub struct Churn {
    /// The process.
    pub program: Program,
}

impl Churn {
    /// Starts it, with so many goroutines that allocate.
    pub fn start(goroutines: u32) -> Self {
        Self::with(&["-goroutines", &goroutines.to_string()])
    }

    /// Starts it with other arguments.
    pub fn with(args: &[&str]) -> Self {
        Self::spawn(Command::new(program_path(&newest_go(), "churn")).args(args))
    }

    /// Starts it by any command that ends up being it.
    pub fn spawn(command: &mut Command) -> Self {
        let program = Program::spawn(command);
        program.wait_for("ready");
        Churn { program }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Waits for it to say how many iterations it has done since its start.
    ///
    /// # Panics
    /// It says something else.
    pub fn iterations(&self) -> u64 {
        // What it said before is no news.
        drop(self.program.pending_lines());
        let line = self.program.line();
        let count = line.strip_prefix("iterations ");
        count
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| panic!("not a count: {line:?}"))
    }

    /// Waits until it has done so many more iterations.
    ///
    /// # Panics
    /// It does not within [`PATIENCE`].
    pub fn iterate(&self, count: u64) {
        let (started, before) = (Instant::now(), self.iterations());
        while self.iterations() < before + count {
            assert!(started.elapsed() < PATIENCE, "churn does not go on");
        }
    }

    /// Iterations per second of the CPU time that it uses: what its neighbours use is not in it.
    ///
    /// # Panics
    /// It ends, or gets no processor within [`PATIENCE`].
    pub fn speed(&self) -> f64 {
        let used = || cpu_time(self.pid()).expect("churn runs");
        let (started, before, start) = (Instant::now(), self.iterations(), used());
        while used() < start + MEASURED {
            assert!(started.elapsed() < PATIENCE, "churn gets no processor");
            std::thread::sleep(Duration::from_millis(10));
        }
        (self.iterations() - before) as f64 / (used() - start).as_secs_f64()
    }
}
