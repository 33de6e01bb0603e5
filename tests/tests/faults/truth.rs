//! What the program `pages` says of itself, and where a capture should say the same.

use serde_json::Value;
use tracer_tests::{Build, Program, list, marked_line, number, sites_in, sum, trace_measured};

/// A capture of the program, and what the program says.
#[derive(Debug)]
pub struct Traced {
    pub build: Build,
    pub truth: Value,
    pub capture: Value,
}

/// Records what the program `pages` does in its scenes.
pub fn trace(build: &Build, program: &[&str], agent: &[&str]) -> Traced {
    let started = Program::start_at(&build.path(), program);
    let (capture, truth) = trace_measured(started, agent);
    Traced {
        build: build.clone(),
        truth,
        capture,
    }
}

/// Faults of both kinds.
pub fn both(json: &Value) -> u64 {
    number(json, "/minor") + number(json, "/major")
}

impl Traced {
    /// What the thread of a function was given by the kernel while it ran.
    pub fn counted(&self, function: &str) -> &Value {
        let mut functions = list(&self.truth, "functions").iter();
        let found = functions.find(|row| row["function"] == function);
        found.unwrap_or_else(|| panic!("{}: no {function} in {}", self.build, self.truth))
    }

    /// The sites at the line of a function that faults.
    pub fn sites_at(&self, function: &str) -> Vec<&Value> {
        let source = include_str!("../../programs/pages/steps.go");
        let line = marked_line(source, function, "// faults here");
        let mut sites = sites_in(&self.capture, function);
        sites.retain(|site| site["frames"][0]["line"] == line);
        assert!(
            !sites.is_empty(),
            "{}: no site at line {line} of {function}",
            self.build
        );
        sites
    }

    /// The sum of a figure over those sites, by its path below their faults.
    pub fn at(&self, function: &str, path: &str) -> u64 {
        sum(&self.sites_at(function), &format!("/faults/{path}"))
    }

    /// Faults of both kinds at those sites.
    pub fn both_at(&self, function: &str) -> u64 {
        self.at(function, "minor") + self.at(function, "major")
    }
}
