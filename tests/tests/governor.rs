//! The budget of `--mode auto`, on a program that goes from a thousand allocations a second to millions and back.

use serde_json::Value;
use tracer_tests::{
    Agent, Program, assert_accounted, list, measure_again, newest_go, number, promise,
    wait_for_earlier_detaches,
};

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

/// Whether an estimate is within three of its standard errors, and half a percent for the whole spans in which the
/// runtime counts. By chance one in 370 is not.
fn check(what: &str, part: &Value, figure: &str, truth: f64) -> Result<(), String> {
    let estimated = of(part, &format!("/{figure}"));
    let error = of(part, &format!("/estimate/{figure}_error"));
    let text = format!("{what}: {estimated}, in truth {truth}, standard error {error}");
    eprintln!("{text}");
    let off = (estimated - truth).abs();
    promise(off <= 3.0 * error + 0.005 * truth, || text)
}

/// The intervals add up to what the program says, also those before the first window; the runtime counts whole spans.
fn check_course(capture: &Value, truth: f64) -> Result<(), String> {
    let points = capture["timeline"].as_array().expect("a timeline");
    let bytes = points
        .iter()
        .filter_map(|point| point["alloc_bytes"].as_f64());
    let off = (bytes.sum::<f64>() / truth - 1.0).abs();
    promise(off < 0.02, || {
        format!("the timeline is off by {:.1} %", 100.0 * off)
    })
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

/// The kernel's share of CPU time differs by points from run to run on a machine that others use, too, and each of the
/// estimates may be off by chance.
#[test]
fn a_surge_stays_within_the_budget_and_is_estimated() {
    measure_again(|| {
        wait_for_earlier_detaches();
        // What the kernel does for the program itself: the same phases, untraced.
        let own = surge(&mut started());
        let mut program = started();
        let agent = Agent::record(program.pid(), &["--mode", "auto"]);
        agent.wait_attached();
        let truth = surge(&mut program);
        let capture = agent.interrupt().capture();
        assert_accounted(&capture);
        check_steps(&capture)?;
        check_estimates(&capture, &truth)?;
        check_course(&capture, truth.bytes)?;
        check_cost(&capture, &truth, &own)
    });
}

/// Windows while it surges, everything again when it is calm.
fn check_steps(capture: &Value) -> Result<(), String> {
    let steps = list(&capture["window"], "mode_steps").iter();
    let steps: Vec<&str> = steps.filter_map(|step| step["mode"].as_str()).collect();
    let as_wanted = steps.contains(&"windows") && steps.last() == Some(&"exact");
    promise(as_wanted, || format!("{steps:?}"))
}

/// From outside: hits are handled in the kernel, and so is next to nothing else.
fn check_cost(capture: &Value, truth: &Truth, own: &Truth) -> Result<(), String> {
    let share = |truth: &Truth| truth.system_us / truth.cpu_us;
    let cost = share(truth) - share(own);
    let text = format!(
        "{:.1} % of CPU time in the kernel, {:.1} % without probes; by the report {:.1} % in probes",
        100.0 * share(truth),
        100.0 * share(own),
        of(capture, "/overhead/target_share_pct"),
    );
    eprintln!("{text}");
    promise(cost < BUDGET + POINTS, || text)
}

fn check_estimates(capture: &Value, truth: &Truth) -> Result<(), String> {
    let totals = &capture["totals"];
    check("allocations", totals, "allocs", truth.mallocs)?;
    check("bytes", totals, "alloc_bytes", truth.bytes)?;
    for (function, allocs, bytes) in &truth.sites {
        let site = site_of(capture, function);
        check(function, site, "allocs", *allocs)?;
        check(function, site, "alloc_bytes", *bytes)?;
    }
    Ok(())
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
