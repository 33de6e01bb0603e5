//! What the program `gc` says of itself, and where a capture should say the same.

use serde_json::Value;
use tracer_tests::{Build, Program, marked_line, number, sites_in, sum, trace_measured};

/// What is not the collector's: it is off where there are many builds, because the kernel takes a tenth of a second for
/// each probe to take out.
pub const WITHOUT_OTHERS: [&str; 4] = ["--maps", "off", "--faults", "off"];

/// A capture of the program, and what the program says.
#[derive(Debug)]
pub struct Traced {
    pub build: Build,
    pub truth: Value,
    pub capture: Value,
}

/// Records what the program `gc` does in a scene.
pub fn trace(build: &Build, program: &[&str], agent: &[&str]) -> Traced {
    let started = Program::start_at(&build.path(), program);
    let (capture, truth) = trace_measured(started, agent);
    Traced {
        build: build.clone(),
        truth,
        capture,
    }
}

impl Traced {
    /// By how much a figure of the runtime has grown.
    pub fn delta(&self, figure: &str) -> u64 {
        let at = |when: &str| number(&self.truth, &format!("/{when}/{figure}"));
        at("after") - at("before")
    }

    /// Whether the runtime says why it stops the world.
    pub fn has_reasons(&self) -> bool {
        self.build.minor() >= 21
    }

    /// The sum of a figure over the sites at the line of a function that ends in a mark.
    pub fn at(&self, function: &str, mark: &str, figure: &str) -> u64 {
        let source = include_str!("../../programs/gc/scenes.go");
        let line = marked_line(source, function, mark);
        let mut sites = sites_in(&self.capture, function);
        sites.retain(|site| site["frames"][0]["line"] == line);
        sum(&sites, &format!("/{figure}"))
    }
}
