//! Nothing is lost silently: each way to lose something is provoked, counted exactly, and in every report.

use serde_json::Value;
use tracer_tests::{
    Agent, Churn, Program, assert_accounted, for_each_build, lost, newest_go, number, tracer,
};

/// As small as a ring can be: 85 events.
const SMALL_RING: [&str; 4] = ["--mode", "exact", "--ring-size", "4KiB"];
/// So large that it holds all that a test makes.
const LARGE_RING: [&str; 8] = [
    "--mode",
    "exact",
    "--ring-size",
    "128MiB",
    "--faults",
    "off",
    "--gc",
    "off",
];

/// Stacks that user space is told of once, because the kernel half remembers them: its table has as many places.
const REMEMBERED: u64 = 1 << 16;
/// Stacks that are kept whole.
const KEPT: u64 = 100_000;

/// Iterations of `churn` that fill a small ring, whoever has the processors meanwhile: each time that it runs longer than
/// the tracer rests.
const OVERFLOWING: u64 = 50_000;

/// The capture of everything that a program does between its lines `ready` and `done`.
fn traced(mut program: Program, options: &[&str]) -> Value {
    program.wait_for("ready");
    let agent = Agent::record(program.pid(), options);
    agent.wait_attached();
    program.go_on();
    program.wait_for("done");
    let capture = agent.interrupt().capture();
    program.go_on();
    assert!(program.wait().success(), "the program goes on unharmed");
    assert_accounted(&capture);
    capture
}

fn tree(leaves: u64, passes: u64, options: &[&str]) -> Value {
    let (leaves, passes) = (leaves.to_string(), passes.to_string());
    let args = ["-leaves", &leaves, "-passes", &passes];
    traced(Program::start(&newest_go(), "tree", &args), options)
}

/// The site whose innermost frame is this function.
fn site<'a>(capture: &'a Value, function: &str) -> &'a Value {
    let mut sites = capture["sites"].as_array().expect("sites").iter();
    let found = sites.find(|site| site["frames"][0]["function"] == function);
    found.unwrap_or_else(|| panic!("no site {function}"))
}

/// What each stack of a site allocated.
fn by_stack(site: &Value) -> Vec<u64> {
    let stacks = site["stacks"].as_array().expect("stacks of a site");
    stacks
        .iter()
        .map(|stack| number(stack, "/allocs"))
        .collect()
}

/// Whether a text says `what` and then this number, grouped by thousands.
fn says(text: &str, what: &str, count: u64) -> bool {
    let words = text
        .replace(',', "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    words.contains(&format!("{what} {count}"))
}

/// The text report of a capture that was made into a file.
fn as_text(capture: &Value) -> String {
    let file = std::env::temp_dir().join(format!("tracer-loss-{}.json", std::process::id()));
    std::fs::write(&file, capture.to_string()).expect("a file");
    let output = tracer()
        .arg("report")
        .arg(&file)
        .output()
        .expect("the tracer runs");
    std::fs::remove_file(&file).expect("the file");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn events_that_find_the_ring_full_are_counted_one_by_one() {
    let churn = Churn::start(2);
    let agent = Agent::record(churn.pid(), &SMALL_RING);
    agent.wait_attached();
    churn.iterate(OVERFLOWING);
    let capture = agent.interrupt().capture();
    assert_accounted(&capture);
    let ring_full = number(&capture, "/completeness/lost/ring_full");
    assert!(ring_full > 0, "{}", capture["completeness"]);
    assert_eq!(lost(&capture), ring_full, "no other cause");
    let delivered = number(&capture, "/completeness/delivered");
    assert_eq!(number(&capture, "/totals/allocs"), delivered);
    let coverage = capture["completeness"]["coverage"]
        .as_f64()
        .expect("a share");
    assert!(coverage < 1.0, "{coverage}");
    let text = as_text(&capture);
    assert!(says(&text, "lost", ring_full), "{text}");
    assert!(says(&text, "ring_full", ring_full), "{text}");
}

#[test]
fn a_stream_tells_of_losses_in_its_intervals_and_at_its_end() {
    let churn = Churn::start(2);
    let options = ["--format", "ndjson", "--interval", "100ms"];
    let agent = Agent::attach(churn.pid(), &[&SMALL_RING[..], &options].concat());
    agent.wait_attached();
    // More than one interval.
    churn.iterate(OVERFLOWING);
    churn.iterate(OVERFLOWING);
    let ended = agent.interrupt();
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    let lines = ended
        .output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    let intervals = lines.iter().filter(|line| line["event"] == "interval");
    let in_intervals: u64 = intervals.map(|line| number(line, "/lost")).sum();
    let end = lines.last().expect("a line");
    assert_eq!(end["event"], "end");
    assert_accounted(end);
    let ring_full = number(end, "/completeness/lost/ring_full");
    assert!(ring_full > 0 && in_intervals > 0, "{}", end["completeness"]);
    assert!(in_intervals <= ring_full, "{in_intervals} of {ring_full}");
}

#[test]
fn stacks_that_fall_out_of_the_kernels_table_are_sent_again_and_none_is_lost() {
    let (leaves, passes) = (80_000, 2);
    assert!(REMEMBERED < leaves && leaves < KEPT);
    let capture = tree(leaves, passes, &LARGE_RING);
    let completeness = &capture["completeness"];
    assert_eq!(lost(&capture), 0, "{completeness}");
    for nothing in [
        "undefined_stacks",
        "truncated_stacks",
        "overflowed",
        "unknown_pcs",
    ] {
        assert_eq!(completeness[nothing], 0, "{completeness}");
    }
    let definitions = number(
        &capture,
        "/completeness/families/stack_definitions/delivered",
    );
    assert!(
        definitions > leaves,
        "{definitions} definitions of {leaves} stacks"
    );
    let site = site(&capture, "main.allocate");
    assert_eq!(number(site, "/allocs"), leaves * passes);
    let by_stack = by_stack(site);
    assert_eq!(by_stack.len() as u64, leaves);
    assert!(by_stack.iter().all(|allocs| *allocs == passes));
}

#[test]
fn events_whose_stack_found_no_room_are_counted_without_a_site() {
    let leaves = 50_000;
    let capture = tree(leaves, 1, &SMALL_RING);
    let completeness = &capture["completeness"];
    let not_sent = number(
        &capture,
        "/completeness/families/stack_definitions/lost/stack_ring_full",
    );
    assert!(not_sent > 0, "{completeness}");
    let undefined = number(&capture, "/completeness/undefined_stacks");
    assert!(undefined > 0, "{completeness}");
    let sites = capture["sites"].as_array().expect("sites");
    let at_sites: u64 = sites.iter().map(|site| number(site, "/allocs")).sum();
    let delivered = number(&capture, "/completeness/delivered");
    assert_eq!(at_sites + undefined, delivered, "{completeness}");
    assert_eq!(number(&capture, "/totals/allocs"), delivered);
    let text = as_text(&capture);
    assert!(says(&text, "stack never arrived", undefined), "{text}");
    assert!(says(&text, "stack definitions lost", not_sent), "{text}");
}

#[test]
fn an_unreadable_stack_is_recorded_up_to_where_it_can_be_read() {
    let calls = 20_000;
    for_each_build("badframe", |build| {
        let args = ["-calls", &calls.to_string()];
        let capture = traced(Program::start_at(&build.path(), &args), &LARGE_RING);
        let completeness = &capture["completeness"];
        assert_eq!(lost(&capture), 0, "{completeness}");
        let unreadable = number(&capture, "/completeness/truncated_by/unreadable");
        let walks = number(&capture, "/completeness/counters/stack_unreadable");
        assert_eq!((unreadable, walks), (calls, calls), "{completeness}");
        let site = site(&capture, "main.allocate");
        assert_eq!(number(site, "/allocs"), calls);
        let id = site["stacks"][0]["id"].as_str().expect("an id");
        let outermost = capture["stacks"][id].as_array().expect("frames").last();
        let index = outermost.and_then(Value::as_u64).expect("a frame");
        let frame = &capture["frames"][usize::try_from(index).expect("an index")];
        assert_eq!(frame["function"], "main.withoutFramePointer");
        let text = as_text(&capture);
        assert!(says(&text, "unreadable", calls), "{text}");
    });
}

#[test]
fn beyond_the_bound_on_stacks_a_site_stays_exact() {
    let leaves = 1 << 17;
    assert!(leaves > KEPT);
    let capture = tree(leaves, 1, &LARGE_RING);
    let completeness = &capture["completeness"];
    assert_eq!(lost(&capture), 0, "{completeness}");
    let folded = number(&capture, "/completeness/truncated_by/folded");
    // The program's other stacks, and what the runtime allocates, take a few places.
    assert!(
        (leaves - KEPT..leaves - KEPT + 100).contains(&folded),
        "{completeness}"
    );
    assert_eq!(completeness["overflowed"], 0);
    let site = site(&capture, "main.allocate");
    assert_eq!(number(site, "/allocs"), leaves);
    assert_eq!(number(site, "/requested_bytes"), 32 * leaves);
    let text = as_text(&capture);
    assert!(says(&text, "folded", folded), "{text}");
}

#[test]
fn page_faults_that_find_the_ring_full_are_counted_one_by_one() {
    let program = Program::start(&newest_go(), "pages", &["-scene", "touch"]);
    let (capture, truth) = tracer_tests::trace_measured(program, &SMALL_RING);
    assert_accounted(&capture);
    let family = &capture["completeness"]["families"]["faults"];
    let lost = number(family, "/lost/faults_ring_full");
    assert!(lost > 0, "{family}");
    // What was lost is in no figure, and what the program counts is what the kernel half has seen.
    let found = number(&capture, "/totals/faults_minor") + number(&capture, "/totals/faults_major");
    assert_eq!(found + lost, number(family, "/hits"));
    let counted = number(&truth, "/minor") + number(&truth, "/major");
    tracer_tests::assert_close("pages", found + lost, counted, 0.01, 0);
}

#[test]
fn goroutines_that_go_on_are_accounted_for() {
    // Goroutines change their P in the middle of an allocation where a garbage collection has them assist.
    let args = ["-goroutines", "4", "-gc"];
    let program = Program::start(&newest_go(), "known", &args);
    let (capture, _) = tracer_tests::trace_measured(program, &[]);
    assert_accounted(&capture);
    let resumes = number(&capture, "/completeness/families/resumes/hits");
    assert!(resumes > 0, "{}", capture["completeness"]);
}
