//! `tracer attach`: the stream for programs, the text for people.

use serde_json::Value;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tracer_tests::{Agent, Churn, PATIENCE, measure_again, number, promise, tracer};

/// Events of a stream of a second and a half, traced once for all tests here.
static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let churn = Churn::start(1);
    let args = [
        "--format",
        "ndjson",
        "--interval",
        "250ms",
        "--duration",
        "1500ms",
    ];
    // On a busy machine an interval may come so late that it takes the place of two.
    measure_again(|| {
        let ended = Agent::attach(churn.pid(), &args).wait();
        assert_eq!(ended.code(), 0, "{}", ended.messages);
        let lines = ended.output.lines();
        let events = lines.map(|line| serde_json::from_str(line).expect("a JSON line"));
        let events: Vec<Value> = events.collect();
        let intervals = of_kind(&events, "interval").count();
        promise(intervals >= 5, || format!("{intervals} intervals")).map(|()| events)
    })
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
    let churn = Churn::start(1);
    let ended = Agent::attach(churn.pid(), &["--interval", "250ms", "--duration", "1s"]).wait();
    assert_eq!(ended.code(), 0, "{}", ended.messages);
    assert!(ended.output.lines().count() > 10, "{}", ended.output);
    assert!(!ended.output.contains('\u{1b}'), "no colour in a pipe");
    assert!(ended.output.contains("delivered"), "{}", ended.output);
}

#[test]
fn a_closed_pipe_is_a_clean_end() {
    let churn = Churn::start(1);
    let script = format!(
        "\"$0\" attach --pid {} --format ndjson --interval 100ms 2>/dev/null | head -n 1; echo \"${{PIPESTATUS[0]}}\"",
        churn.pid()
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
    let churn = Churn::start(1);
    let messages = |args: &[&str]| {
        let agent = Agent::attach(churn.pid(), args);
        agent.wait_attached();
        churn.iterate(1000);
        let ended = agent.interrupt();
        assert_eq!(ended.code(), 0, "{}", ended.messages);
        ended.messages.clone()
    };
    assert!(messages(&["--verbose"]).contains("frames, flags"));
    assert!(!messages(&[]).contains("frames, flags"));
}

/// The stream of a capture whose reader does as the shell command `reader` says, and the tracer's exit code.
fn read_by(reader: &str, churn: &Churn, args: &str) -> (Vec<Value>, String) {
    let script = format!(
        "\"$0\" attach --pid {} --mode exact --format ndjson {args} 2>&3 | {reader}; echo \"${{PIPESTATUS[0]}}\" >&3",
        churn.pid()
    );
    let output = Command::new("bash")
        .args(["-c", &format!("exec 3>&2; {script}")])
        .arg(tracer().get_program())
        .output()
        .expect("a shell");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().map(serde_json::from_str::<Value>);
    // The last line may be cut where the tracer gave up.
    let events = lines.map_while(Result::ok).collect();
    (events, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn sum(events: &[Value], kind: &str, pointer: &str) -> u64 {
    of_kind(events, kind)
        .map(|event| number(event, pointer))
        .sum()
}

#[test]
fn each_allocation_has_a_line_or_is_counted() {
    let churn = Churn::start(1);
    // Lines are left out while a reader that has no processor is behind.
    let (events, written) = measure_again(|| {
        let (events, messages) = read_by("cat", &churn, "--events --duration 400ms");
        assert!(messages.ends_with("0\n"), "{messages}");
        let written = of_kind(&events, "event").count() as u64;
        promise(written > 10_000, || format!("{written} lines")).map(|()| (events, written))
    });
    let end = events.last().expect("an end");
    let not_written = sum(&events, "lost", "/events_not_written");
    assert_eq!(
        written + not_written,
        number(end, "/completeness/delivered")
    );
    assert_eq!(
        number(end, "/completeness/delivered"),
        number(end, "/completeness/hits")
    );
    let stacks: std::collections::HashMap<&str, &Value> = of_kind(&events, "stack")
        .map(|stack| (stack["id"].as_str().expect("an id"), &stack["frames"]))
        .collect();
    let mut last = std::collections::HashMap::new();
    let mut entries = 0;
    for event in of_kind(&events, "event") {
        let frames = stacks[event["stack"].as_str().expect("a stack")];
        if event["type"] == "main.entry" {
            assert_eq!(event["size"], 48);
            let functions = frames.as_array().expect("frames").iter();
            assert!(
                functions
                    .clone()
                    .any(|frame| frame["function"] == "main.descend"),
                "{frames}"
            );
            entries += 1;
        }
        // Records of a goroutine keep their order.
        let t_ns = number(event, "/t_ns");
        let before = last.insert(event["goroutine"].as_str().expect("a goroutine"), t_ns);
        assert!(before.is_none_or(|before| before <= t_ns), "{event}");
        assert!(t_ns <= number(end, "/window/duration_ns"), "{event}");
    }
    // The program allocates as many of these as of the others.
    assert!(
        entries * 3 > written && entries * 3 < written * 2,
        "{entries} of {written}"
    );
}

#[test]
fn a_slow_reader_costs_lines_and_no_figure() {
    let churn = Churn::start(1);
    let args = "--events --interval 50ms --duration 1500ms";
    let reader = "(read -r first; echo \"$first\"; sleep 1.5; cat)";
    measure_again(|| {
        let (events, messages) = read_by(reader, &churn, args);
        assert!(messages.ends_with("0\n"), "{messages}");
        let end = events.last().expect("an end");
        assert_eq!(end["event"], "end", "{messages}");
        let delivered = number(end, "/completeness/delivered");
        assert_eq!(
            delivered,
            number(end, "/completeness/hits"),
            "the kernel side lost nothing"
        );
        assert_eq!(sum(&events, "interval", "/allocs"), delivered);
        let written = of_kind(&events, "event").count() as u64;
        let not_written = sum(&events, "lost", "/events_not_written");
        assert_eq!(written + not_written, delivered);
        promise(not_written > 0, || "the reader was not slow".to_owned())
    });
}

/// Most time from the start of a capture of half a second to its end: the reader is waited for two seconds.
const HELD_UP: Duration = Duration::from_secs(10);

#[test]
fn a_reader_that_has_stopped_does_not_hold_up_the_end() {
    let churn = Churn::start(1);
    measure_again(|| {
        let started = Instant::now();
        let mut child = tracer()
            .args(["attach", "--pid", &churn.pid().to_string()])
            .args(["--mode", "exact", "--format", "ndjson", "--events"])
            .args(["--interval", "50ms", "--duration", "500ms"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the tracer starts");
        // Nobody reads what is in the pipe.
        let mut has_ended = false;
        while !has_ended && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
            has_ended = child.try_wait().expect("a child").is_some();
        }
        let took = started.elapsed();
        if !has_ended {
            child.kill().expect("a signal");
        }
        let status = child.wait().expect("its end");
        assert_eq!(status.code(), Some(1), "it ends by itself");
        promise(took < HELD_UP, || format!("{took:?}"))
    });
}
