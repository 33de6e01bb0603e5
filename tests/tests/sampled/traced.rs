//! A program traced in mode sampled while it plays its scene.

use serde_json::Value;
use tracer_tests::{Build, Program, assert_accounted, builds_of, lost, trace_measured};

/// What the tracer and the program say of one scene.
#[derive(Debug)]
pub struct Traced {
    /// The program.
    pub build: Build,
    /// What the tracer found.
    pub capture: Value,
    /// What the program says.
    pub report: Value,
}

/// Plays the scene under the tracer; nothing may be lost.
pub fn trace(build: &Build, args: &[&str]) -> Traced {
    let program = Program::start_at(&build.path(), args);
    let (capture, report) = trace_measured(program, &["--mode", "sampled"]);
    assert_accounted(&capture);
    assert_eq!(lost(&capture), 0, "{build}: {}", capture["completeness"]);
    assert_eq!(capture["window"]["mode"], "sampled", "{build}");
    Traced {
        build: build.clone(),
        capture,
        report,
    }
}

/// The builds without any special flag: of each layout of the profile one.
pub fn plain(name: &str) -> Vec<Build> {
    let mut builds = builds_of(name);
    builds.retain(|build| build.variant == "plain" && build.minor() != 24);
    builds
}

/// The square root of a sum of squares of a figure: the standard error of a sum.
pub fn error_of(sites: &[&Value], path: &str) -> f64 {
    let figures = sites.iter().filter_map(|site| site.pointer(path)?.as_f64());
    figures.map(|error| error * error).sum::<f64>().sqrt()
}
