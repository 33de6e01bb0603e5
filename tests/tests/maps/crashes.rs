//! Programs that die of what they do to a map: the writer is found, and the report is written although the target is
//! gone.

use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tracer_tests::{
    Agent, Build, Program, assert_accounted, builds_of, for_each_of, list, oldest_and_newest,
    some_builds_of, tracer,
};

/// How a program dies.
struct Death {
    /// What makes it.
    scene: &'static [&'static str],
    /// The function of the runtime that is told why.
    function: &'static str,
    message: &'static str,
    /// The function that wrote to the map.
    writer: &'static str,
    /// The rule that finds it.
    rule: &'static str,
}

const NIL_MAP: Death = Death {
    scene: &["-scene", "nil", "-die"],
    function: "runtime.gopanic",
    message: "assignment to entry in nil map",
    writer: "main.setInNil",
    rule: "nil_map_write",
};

const CONCURRENT: Death = Death {
    scene: &["-scene", "concurrent"],
    function: "runtime.fatal",
    message: "concurrent map writes",
    writer: "main.writeShared",
    rule: "concurrent_map_writes",
};

/// The exit code of a program that panics or that the runtime ends.
const PANICKED: i32 = 2;

impl Death {
    fn check(&self, build: &Build, capture: &Value) {
        let crashes = list(capture, "crashes");
        // Both writers may notice each other.
        assert!((1..=2).contains(&crashes.len()), "{build}: {crashes:?}");
        for crash in crashes {
            assert_eq!(crash["function"], self.function, "{build}: {crash}");
            assert_eq!(crash["message"], self.message, "{build}: {crash}");
            assert_eq!(
                crash["frames"][0]["function"], self.writer,
                "{build}: {crash}"
            );
            let goroutine = crash["goroutine"].as_u64();
            assert!(goroutine.is_some_and(|it| it > 0), "{build}: {crash}");
        }
        let findings = list(capture, "findings").iter();
        let found = findings.filter(|found| found["rule"] == self.rule);
        assert_eq!(found.count(), crashes.len(), "{build}: {crashes:?}");
        assert_accounted(capture);
        assert_eq!(capture["window"]["ended_by"], "target_exit", "{build}");
    }

    fn recorded(&self, build: &Build, options: &[&str]) {
        let mut command = Command::new(build.path());
        let mut program = Program::spawn(command.args(self.scene).stderr(Stdio::null()));
        program.wait_for("ready");
        let agent = Agent::record(program.pid(), options);
        agent.wait_attached();
        program.go_on();
        let capture = agent.wait().capture();
        assert_eq!(program.wait().code(), Some(PANICKED), "{build}");
        self.check(build, &capture);
    }

    fn run(&self, build: &Build) {
        let name = format!("tracer-maps-{}-{}.json", self.rule, std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut command = tracer();
        command.args(["run", "--mode", "exact", "-o"]).arg(&path);
        command.arg("--").arg(build.path()).args(self.scene);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the tracer runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(b"\n").expect("the program reads");
        let status = child.wait().expect("the tracer ends");
        let text = std::fs::read(&path).expect("a capture");
        std::fs::remove_file(&path).expect("the capture goes");
        assert_eq!(status.code(), Some(PANICKED), "{build}");
        let capture = serde_json::from_slice(&text).expect("a JSON capture");
        self.check(build, &capture);
    }
}

#[test]
fn a_program_that_writes_to_a_nil_map_is_recorded_to_its_end() {
    for_each_of(&oldest_and_newest("maps"), |build| {
        NIL_MAP.recorded(build, &[])
    });
}

/// Whom the runtime tells of it differs by version.
#[test]
fn a_program_with_two_writers_is_recorded_to_its_end() {
    let options = ["--faults", "off", "--gc", "off"];
    for_each_of(&some_builds_of("maps"), |build| {
        CONCURRENT.recorded(build, &options)
    });
}

#[test]
fn a_program_that_dies_is_run_to_its_end() {
    for build in &oldest_and_newest("maps") {
        NIL_MAP.run(build);
        CONCURRENT.run(build);
    }
}

#[test]
fn a_leak_is_found_although_its_process_is_killed() {
    let build = &builds_of("maps")[0];
    let scene = ["-scene", "leak", "-for", "60s"];
    let mut program = Program::start_at(&build.path(), &scene);
    program.wait_for("ready");
    let agent = Agent::record(program.pid(), &[]);
    agent.wait_attached();
    program.go_on();
    std::thread::sleep(std::time::Duration::from_secs(4));
    // As the kernel does when memory is short.
    drop(program);
    let capture = agent.wait().capture();
    assert_eq!(capture["window"]["ended_by"], "target_exit", "{build}");
    let mut rules = list(&capture, "findings").iter().map(|it| &it["rule"]);
    assert!(
        rules.any(|rule| rule == "map_grows_without_bound"),
        "{build}: {}",
        capture["findings"]
    );
}
