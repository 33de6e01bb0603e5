//! What resident memory consists of, as the runtime and the kernel say.

use serde_json::Value;
use std::fs;
use std::time::Duration;
use tracer_tests::{
    Agent, Build, Program, assert_accounted, assert_close, builds_of, for_each_of, list, number,
};

const MIB: u64 = 1 << 20;

/// The kernel's figure, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the target's status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    1024 * kib.expect("a size").parse::<u64>().expect("a number")
}

/// The last build of each version, which is stripped where there is one: the runtime's variables are found by the code
/// that uses them, which is another in each version. And one in which they have their names.
fn builds() -> Vec<Build> {
    let mut builds = builds_of("gc");
    let named = builds
        .iter()
        .rfind(|build| build.variant == "plain")
        .cloned();
    builds.reverse();
    builds.dedup_by_key(|build| build.version.clone());
    builds.extend(named);
    builds
}

#[test]
fn memory_that_the_runtime_keeps_is_the_reason() {
    for_each_of(&builds(), |build| {
        let scene = ["-scene", "late", "-for", "1s"];
        let mut program = Program::start_at(&build.path(), &scene);
        program.wait_for("ready");
        let agent = Agent::record(program.pid(), &["--maps", "off"]);
        agent.wait_attached();
        program.go_on();
        program.wait_for("done");
        // One more point of the timeline.
        std::thread::sleep(Duration::from_millis(1500));
        let rss = resident(program.pid());
        let capture = agent.interrupt().capture();
        program.go_on();
        let truth: Value = serde_json::from_str(&program.line()).expect("figures");
        assert_accounted(&capture);

        let memory = &capture["memory"];
        let what = |part: &str| format!("{build}: {part}: {memory}, {truth}");
        let found = number(memory, "/rss_bytes");
        assert_close(&what("rss"), found, rss, 0.02, MIB);
        let after = |figure: &str| number(&truth, &format!("/after/{figure}"));
        let part = |name: &str| number(memory, &format!("/parts/{name}"));
        let free = after("heap_idle") - after("heap_released");
        assert_close(&what("free_spans"), part("free_spans"), free, 0.05, MIB);
        let live = part("live_heap") + part("not_collected");
        assert_close(&what("live"), live, after("heap_alloc"), 0.05, MIB);
        assert_close(
            &what("stacks"),
            part("stacks"),
            after("stack_inuse"),
            0.1,
            256 << 10,
        );
        assert_close(
            &what("runtime"),
            part("runtime"),
            after("metadata"),
            0.5,
            4 * MIB,
        );
        assert_eq!(memory["reason"], "free_spans", "{build}: {memory}");

        let parts = memory["parts"].as_object().expect("parts").values();
        let sum: u64 = parts.map(|bytes| bytes.as_u64().expect("bytes")).sum();
        let untouched = number(memory, "/untouched_bytes");
        assert_close(&what("sum"), sum - untouched, found, 0.02, MIB);

        let last = list(&capture, "timeline").last().expect("a point");
        assert_close(
            &what("timeline"),
            number(last, "/rss_bytes"),
            rss,
            0.02,
            MIB,
        );
        assert_eq!(
            number(last, "/heap_goal"),
            after("next_gc"),
            "{build}: {last}"
        );
        assert_close(
            &what("heap_live"),
            number(last, "/heap_live"),
            after("heap_alloc"),
            0.05,
            MIB,
        );
    });
}
