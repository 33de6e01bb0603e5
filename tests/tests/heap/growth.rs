//! Looks at a heap for a while: what grows from cycle to cycle is found, and what is only dropped is not.

use crate::taken::{heap, parse};
use serde_json::Value;
use tracer_tests::{Program, builds_of, list, measure_again, number, promise, sites_in};

/// The program leaks 8 MB a second for longer than it is looked at, and collects four times a second.
const SCENE: [&str; 10] = [
    "-rate",
    "65536",
    "-leak",
    "64000000",
    "-churn",
    "640000000",
    "-cycles",
    "32",
    "-for",
    "8s",
];
/// Bytes a second of main.leakBlocks: three tenths.
const BLOCKS_PER_S: f64 = 64e6 * 0.3 / 8.0;

#[test]
fn what_leaks_is_found_without_a_probe() {
    let builds = builds_of("leak");
    for build in [&builds[0], &builds[builds.len() - 1]] {
        // On a busy machine the program may fall behind its own clock.
        measure_again(|| {
            let mut program = Program::start_at(&build.path(), &SCENE);
            program.wait_for("ready");
            program.go_on();
            let args = [
                "--format",
                "json",
                "--duration",
                "5s",
                "--interval",
                "500ms",
            ];
            let capture = parse(&heap(program.pid(), &args));
            program.kill();
            check(&capture).map_err(|off| format!("{build}: {off}"))
        });
    }
}

/// The leak is found where it is, as large as it is, and churn is none.
fn check(capture: &Value) -> Result<(), String> {
    let findings = list(capture, "findings");
    for churn in sites_in(capture, "main.churn") {
        let found = findings.iter().find(|it| it["site"] == churn["id"]);
        assert!(found.is_none(), "{found:?}");
    }
    let [blocks] = sites_in(capture, "main.leakBlocks")[..] else {
        panic!("one site: {findings:?}");
    };
    let mut leaks = findings.iter().filter(|finding| finding["rule"] == "leak");
    promise(leaks.any(|leak| leak["site"] == blocks["id"]), || {
        format!("{findings:?}")
    })?;
    let growth = &blocks["growth"];
    promise(number(growth, "/cycles") >= 8, || growth.to_string())?;
    let figure = |name: &str| growth[name].as_f64().expect("a figure");
    assert!(figure("last_bytes") > figure("first_bytes"), "{growth}");
    let off = (figure("bytes_per_s") - BLOCKS_PER_S).abs();
    let within = 0.2 * BLOCKS_PER_S + 4.0 * figure("error");
    promise(off <= within, || growth.to_string())
}
