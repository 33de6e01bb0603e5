//! Each finding for the program that it is about, and for no other.

use serde_json::Value;
use tracer_tests::{
    Build, Program, assert_accounted, list, marked_line, oldest_and_newest, rules_found, timed,
    trace_measured,
};

/// The rules about pages, the collector and memory.
pub const RULES: [&str; 5] = [
    "heap_near_limit",
    "gc_thrashing",
    "memory_returned_late",
    "huge_allocation",
    "page_fault_storm",
];

/// A scene, and what is to be found.
struct Scene {
    program: &'static str,
    args: &'static [&'static str],
    found: Option<Found>,
}

struct Found {
    rule: &'static str,
    /// The function at whose marked line it is found, if it is about a site.
    function: Option<&'static str>,
}

const fn found(rule: &'static str, function: Option<&'static str>) -> Option<Found> {
    Some(Found { rule, function })
}

/// The leak towards a limit has its own test.
const SCENES: [Scene; 7] = [
    Scene {
        program: "gc",
        args: &["-scene", "thrash"],
        found: found("gc_thrashing", None),
    },
    Scene {
        program: "gc",
        args: &["-scene", "late", "-for", "4s"],
        found: found("memory_returned_late", None),
    },
    Scene {
        program: "gc",
        args: &["-scene", "huge", "-for", "1s"],
        found: found("huge_allocation", Some("main.huge")),
    },
    Scene {
        program: "pages",
        args: &["-scene", "steady", "-for", "3s"],
        found: found("page_fault_storm", Some("main.touchPages")),
    },
    Scene {
        program: "pages",
        args: &["-scene", "steady", "-for", "3s", "-rate", "1000"],
        found: None,
    },
    Scene {
        program: "gc",
        args: &["-scene", "limit", "-for", "4s", "-rate", "4000000"],
        found: None,
    },
    Scene {
        program: "gc",
        args: &["-scene", "stw"],
        found: None,
    },
];

impl Scene {
    fn check(&self, build: &Build) {
        let program = Program::start_at(&build.path(), self.args);
        let (capture, _) = trace_measured(program, &[]);
        assert_accounted(&capture);
        let rules: Vec<&str> = self.found.iter().map(|found| found.rule).collect();
        let mut found = rules_found(&capture, &RULES);
        if self.args.contains(&"thrash") {
            // Under so tight a limit the runtime (of Go 1.19 most) returns pages and touches them anew: on a fast machine
            // that is a storm of page faults, which is true as well.
            found.retain(|rule| *rule != "page_fault_storm");
        }
        let context = format!("{build} {:?}: {}", self.args, capture["findings"]);
        assert_eq!(found, rules, "{context}");
        if let Some(found) = &self.found {
            found.check(&capture, &context);
        }
    }
}

impl Found {
    fn check(&self, capture: &Value, context: &str) {
        let findings = list(capture, "findings").iter();
        let findings: Vec<&Value> = findings.filter(|it| it["rule"] == self.rule).collect();
        let [finding] = findings[..] else {
            panic!("more than one: {context}");
        };
        for text in ["title", "evidence", "advice"] {
            let text = finding[text].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{context}");
        }
        let Some(function) = self.function else {
            assert!(finding["site"].is_null(), "{context}");
            return;
        };
        let mut sites = list(capture, "sites").iter();
        let site = sites
            .find(|site| site["id"] == finding["site"])
            .unwrap_or_else(|| panic!("no site: {context}"));
        let frame = &site["frames"][0];
        let line = match function {
            "main.huge" => marked_line(
                include_str!("../../programs/gc/scenes.go"),
                function,
                "// allocates here",
            ),
            _ => marked_line(
                include_str!("../../programs/pages/steps.go"),
                function,
                "// faults here",
            ),
        };
        assert_eq!(frame["function"], function, "{context}");
        assert_eq!(frame["line"], line, "{context}");
    }
}

#[test]
fn each_finding_is_for_its_scene_and_for_no_other() {
    for scene in &SCENES {
        for build in &oldest_and_newest(scene.program) {
            timed(build, || scene.check(build));
        }
    }
}
