//! Looks at a heap for a while: what grows from cycle to cycle is found, and what is only dropped is not.

use crate::taken::{heap, parse};
use tracer_tests::{Program, builds_of, list, number, sites_in};

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
        let findings = list(&capture, "findings").iter();
        let mut leaks = findings.filter(|finding| finding["rule"] == "leak");
        let context = format!("{build}: {}", capture["findings"]);
        let [blocks] = sites_in(&capture, "main.leakBlocks")[..] else {
            panic!("one site: {context}");
        };
        assert!(leaks.any(|leak| leak["site"] == blocks["id"]), "{context}");
        for churn in sites_in(&capture, "main.churn") {
            let mut findings = list(&capture, "findings").iter();
            assert!(findings.all(|it| it["site"] != churn["id"]), "{context}");
        }
        let growth = &blocks["growth"];
        let context = format!("{build}: {growth}");
        assert!(number(growth, "/cycles") >= 8, "{context}");
        let figure = |name: &str| growth[name].as_f64().expect("a figure");
        let off = (figure("bytes_per_s") - BLOCKS_PER_S).abs();
        assert!(
            off <= 0.2 * BLOCKS_PER_S + 4.0 * figure("error"),
            "{context}"
        );
        assert!(figure("last_bytes") > figure("first_bytes"), "{context}");
    }
}
