//! The budget of `--mode auto`, on a program that goes from a thousand allocations a second to millions and back.

use serde_json::Value;
use tracer_tests::{Agent, Program, assert_accounted, newest_go, number};

/// How long the program allocates as fast as it can.
const SURGE: &str = "15s";
/// The budget.
const BUDGET: f64 = 0.05;
/// How far from it the cost may be, measured from outside.
const POINTS: f64 = 0.02;

/// What the program says of itself.
struct Truth {
    /// CPU time in microseconds, and the part of it in the kernel.
    cpu_us: f64,
    system_us: f64,
    /// Function, allocations and bytes of each site.
    sites: Vec<(String, f64, f64)>,
    mallocs: f64,
    bytes: f64,
}

/// Lets the program run through its phases.
fn surge(program: &mut Program) -> Truth {
    let mut truth = Truth {
        cpu_us: 0.0,
        system_us: 0.0,
        sites: Vec::new(),
        mallocs: 0.0,
        bytes: 0.0,
    };
    program.go_on();
    loop {
        let line = program.line();
        let words: Vec<&str> = line.split(' ').collect();
        let figure = |at: usize| words[at].parse::<f64>().expect("a number");
        match words.as_slice() {
            ["phase", _, "user_us", _, "system_us", _] => {
                truth.cpu_us += figure(3) + figure(5);
                truth.system_us += figure(5);
            }
            ["site", function, "allocs", _, "bytes", _] => {
                truth
                    .sites
                    .push(((*function).to_owned(), figure(3), figure(5)));
            }
            ["total", "mallocs", _, "bytes", _] => {
                truth.mallocs = figure(2);
                truth.bytes = figure(4);
            }
            ["done"] => return truth,
            _ => panic!("what is {line:?}?"),
        }
    }
}

fn started() -> Program {
    let program = Program::start(&newest_go(), "surge", &["-quiet", "3s", "-surge", SURGE]);
    program.wait_for("ready");
    program
}

/// An estimate is within three of its standard errors, and half a percent for the whole spans in which the runtime
/// counts.
fn assert_close(what: &str, estimated: f64, error: f64, truth: f64) {
    let off = (estimated - truth).abs();
    eprintln!("{what}: {estimated} of {truth}, standard error {error}");
    assert!(
        off <= 3.0 * error + 0.005 * truth,
        "{what}: {estimated}, in truth {truth}, standard error {error}"
    );
}

/// The intervals add up to what the program says, also those before the first window; the runtime counts whole spans.
fn assert_course(capture: &Value, truth: f64) {
    let points = capture["timeline"].as_array().expect("a timeline");
    let bytes = points
        .iter()
        .filter_map(|point| point["alloc_bytes"].as_f64());
    let off = (bytes.sum::<f64>() / truth - 1.0).abs();
    assert!(off < 0.02, "the timeline is off by {:.1} %", 100.0 * off);
}

/// The site in a function.
fn site_of<'a>(capture: &'a Value, function: &str) -> &'a Value {
    let mut sites = capture["sites"].as_array().expect("sites").iter();
    let site = sites.find(|site| site["frames"][0]["function"] == function);
    site.unwrap_or_else(|| panic!("no site {function}"))
}

fn of(part: &Value, pointer: &str) -> f64 {
    part.pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("no {pointer} in {part}"))
}

/// The kernel's share of CPU time differs by points from run to run on a machine that others use, too: what is over the
/// budget twice is over the budget.
const ATTEMPTS: usize = 2;

#[test]
fn a_surge_stays_within_the_budget_and_is_estimated() {
    let mut costs = Vec::new();
    for _ in 0..ATTEMPTS {
        let cost = cost_of_a_surge();
        if cost < BUDGET + POINTS {
            return;
        }
        costs.push(cost);
        tracer_tests::wait_for_earlier_detaches();
    }
    panic!("{costs:?} of the CPU time");
}

/// Traces a surge, checks the estimates, and gives the share of the CPU time that it took, measured from outside.
fn cost_of_a_surge() -> f64 {
    // What the kernel does for the program itself: the same phases, untraced.
    let own = surge(&mut started());
    tracer_tests::wait_for_earlier_detaches();
    let mut program = started();
    let agent = Agent::record(program.pid(), &["--mode", "auto"]);
    agent.wait_attached();
    let truth = surge(&mut program);
    let capture = agent.interrupt().capture();
    assert_accounted(&capture);

    let steps = capture["window"]["mode_steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["mode"].as_str().expect("a mode"));
    let steps: Vec<&str> = steps.collect();
    assert!(steps.contains(&"windows"), "{steps:?}");
    assert_eq!(steps.last(), Some(&"exact"), "{steps:?}");

    // From outside: hits are handled in the kernel, and so is next to nothing else.
    let share = |truth: &Truth| truth.system_us / truth.cpu_us;
    let cost = share(&truth) - share(&own);
    eprintln!(
        "{:.1} % of CPU time in the kernel, {:.1} % without probes; by the report {:.1} % in probes",
        100.0 * share(&truth),
        100.0 * share(&own),
        of(&capture, "/overhead/target_share_pct"),
    );

    let totals = &capture["totals"];
    assert_close(
        "allocations",
        of(totals, "/allocs"),
        of(totals, "/estimate/allocs_error"),
        truth.mallocs,
    );
    assert_close(
        "bytes",
        of(totals, "/alloc_bytes"),
        of(totals, "/estimate/alloc_bytes_error"),
        truth.bytes,
    );
    assert_course(&capture, truth.bytes);
    for (function, allocs, bytes) in &truth.sites {
        let site = site_of(&capture, function);
        assert_close(
            function,
            of(site, "/allocs"),
            of(site, "/estimate/allocs_error"),
            *allocs,
        );
        assert_close(
            function,
            of(site, "/alloc_bytes"),
            of(site, "/estimate/alloc_bytes_error"),
            *bytes,
        );
    }
    cost
}

#[test]
fn a_quiet_program_is_traced_exactly() {
    let mut program = Program::start(&newest_go(), "surge", &["-quiet", "3s", "-surge", "0s"]);
    program.wait_for("ready");
    let agent = Agent::record(program.pid(), &["--mode", "auto"]);
    agent.wait_attached();
    let truth = surge(&mut program);
    let capture = agent.interrupt().capture();
    assert_accounted(&capture);
    assert_eq!(capture["window"]["mode"], "auto");
    assert_eq!(capture["window"]["mode_steps"], Value::Array(vec![]));
    assert_eq!(capture["totals"]["estimate"], Value::Null);
    for (function, allocs, bytes) in &truth.sites {
        let site = site_of(&capture, function);
        assert_eq!(
            (of(site, "/allocs"), of(site, "/alloc_bytes")),
            (*allocs, *bytes)
        );
    }
    assert!(number(&capture, "/completeness/hits") > 0);
}

#[test]
fn a_program_that_does_nothing_but_maps_is_spared_its_writes() {
    let mut program = Program::start(&newest_go(), "maps", &["-scene", "heavy", "-for", "6s"]);
    program.wait_for("ready");
    let agent = Agent::record(program.pid(), &["--mode", "auto", "--maps", "writes"]);
    agent.wait_attached();
    program.go_on();
    program.wait_for("done");
    let capture = agent.interrupt().capture();
    assert_accounted(&capture);
    let steps = capture["window"]["mode_steps"].as_array().expect("steps");
    assert_eq!(steps[0]["mode"], "no_map_writes", "{steps:?}");
    // Hits go on until the probes are out, but are not recorded.
    let recorded = of(&capture, "/totals/map_writes");
    let seen = recorded + of(&capture, "/completeness/counters/map_writes_paused");
    assert!(
        recorded > 0.0 && recorded < 0.5 * seen,
        "{recorded} of {seen}"
    );
}
