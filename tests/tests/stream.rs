//! `tracer attach`: the stream for programs, the text for people.

use serde_json::Value;
use std::process::Command;
use std::sync::LazyLock;
use tracer_tests::{Agent, Program, newest_go, number, tracer};

fn churn() -> Program {
    let program = Program::start(&newest_go(), "churn", &["-goroutines", "1"]);
    program.wait_for("ready");
    program
}

/// Events of a stream of a second and a half, traced once for all tests here.
static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let program = churn();
    let args = [
        "--format",
        "ndjson",
        "--interval",
        "250ms",
        "--duration",
        "1500ms",
    ];
    let ended = Agent::attach(program.pid(), &args).wait();
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    ended
        .output
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect()
});

fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == kind)
}

#[test]
fn intervals_add_up_to_the_totals() {
    let events = &*EVENTS;
    assert_eq!(events[0]["event"], "start");
    assert_eq!(events[0]["schema"], "tracer.stream/1");
    let end = events.last().expect("an end");
    assert_eq!(end["event"], "end");
    assert!(of_kind(events, "interval").count() >= 5);
    for field in ["allocs", "alloc_bytes", "requested_bytes"] {
        let sum: u64 = of_kind(events, "interval")
            .map(|interval| number(interval, &format!("/{field}")))
            .sum();
        assert_eq!(sum, number(end, &format!("/totals/{field}")), "{field}");
    }
}

#[test]
fn sites_are_named_before_they_are_used_and_add_up() {
    let events = &*EVENTS;
    let mut named = std::collections::HashMap::new();
    let mut allocs = 0;
    for event in events {
        if event["event"] == "site" {
            named.insert(number(event, "/id"), event["frames"][0]["function"].clone());
        }
        for site in event["sites"].as_array().into_iter().flatten() {
            assert!(named.contains_key(&number(site, "/id")), "{site}");
            allocs += number(site, "/allocs");
        }
    }
    assert!(
        named
            .values()
            .any(|name| name.as_str().is_some_and(|name| name.starts_with("main."))),
        "{named:?}"
    );
    assert_eq!(
        allocs,
        number(events.last().expect("an end"), "/totals/allocs")
    );
}

#[test]
fn text_shows_each_interval_and_the_whole() {
    let program = churn();
    let ended = Agent::attach(program.pid(), &["--interval", "250ms", "--duration", "1s"]).wait();
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    assert!(ended.output.lines().count() > 10, "{}", ended.output);
    assert!(!ended.output.contains('\u{1b}'), "no colour in a pipe");
    assert!(ended.output.contains("delivered"), "{}", ended.output);
}

#[test]
fn a_closed_pipe_is_a_clean_end() {
    let program = churn();
    let script = format!(
        "\"$0\" attach --pid {} --format ndjson --interval 100ms 2>/dev/null | head -n 1; echo \"${{PIPESTATUS[0]}}\"",
        program.pid()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .arg(tracer().get_program())
        .output()
        .expect("a shell");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().last(), Some("0"), "{text}");
}

#[test]
fn verbose_shows_the_log_of_the_kernel_programs() {
    let program = churn();
    let messages = |args: &[&str]| {
        let ended = Agent::attach(program.pid(), &[args, &["--duration", "500ms"]].concat()).wait();
        assert_eq!(ended.code(), 0, "{}", ended.messages);
        ended.messages.clone()
    };
    assert!(messages(&["--verbose"]).contains("frames, flags"));
    assert!(!messages(&[]).contains("frames, flags"));
}
