//! A real capture, rendered to every format, and captures as earlier versions wrote them.
//!
//! `tests/cmd/golden.json` was recorded of the program in `tests/cmd/golden` with `--mode exact --maps writes`; its paths
//! were replaced, and stacks that have nothing but page faults are put together with the first of their site. What
//! `tests/cmd/earlier` has is a part of it, without the fields that were not there yet; `tests/cmd/hello.json` is of the
//! first version. How text and folded stacks look is in `tests/cmd/golden.trycmd`.

use super::{ENDINGS, Format, Options, json, render};
use crate::report::{GroupBy, Grouped, Mode, PartKind, Report, SortBy, State, Step, Value};
use quick_xml::events::Event;
use serde_json::{Value as Json, json};
use tracer_common::family::Extra;

const GOLDEN: &[u8] = include_bytes!("../../tests/cmd/golden.json");

/// What it adds up to, as the program's runtime and the kernel counted.
const ALLOCS: u64 = 52_400;
const ALLOC_BYTES: u64 = 12_395_032;

/// Captures by the first version that no longer wrote them so.
const EARLIER: [(&str, &[u8]); 5] = [
    ("first", include_bytes!("../../tests/cmd/hello.json")),
    (
        "before maps",
        include_bytes!("../../tests/cmd/earlier/before-maps.json"),
    ),
    (
        "before page faults and the collector",
        include_bytes!("../../tests/cmd/earlier/before-faults.json"),
    ),
    (
        "before the heap",
        include_bytes!("../../tests/cmd/earlier/before-heap.json"),
    ),
    (
        "before types of stacks",
        include_bytes!("../../tests/cmd/earlier/before-types-of-stacks.json"),
    ),
];

fn read(mut capture: &[u8]) -> Report {
    json::read(&mut capture).unwrap()
}

fn rendered(format: Format, report: &Report, value: Value) -> Vec<u8> {
    let options = Options {
        value,
        ..Options::default()
    };
    let mut out = Vec::new();
    render(format, report, None, &options, &mut out)
        .unwrap_or_else(|error| panic!("{format:?} of {value:?}: {error:?}"));
    assert!(out.len() > 20, "{format:?}: {out:?}");
    out
}

/// Fails unless `bytes` are what a reader of the format reads, with the totals of the report.
fn check(format: Format, bytes: &[u8], report: &Report) {
    let totals = &report.totals;
    match format {
        Format::Text => {
            let text = str::from_utf8(bytes).unwrap();
            assert!(
                text.starts_with(report.target.exe.rsplit('/').next().unwrap()),
                "{text}"
            );
        }
        Format::Json => assert_eq!(&read(bytes), report),
        Format::Ndjson => {
            let lines = str::from_utf8(bytes).unwrap().lines();
            let lines: Vec<Json> = lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let last = lines.last().unwrap();
            assert_eq!(
                (&last["event"], last["totals"]["allocs"].as_u64()),
                (&Json::from("end"), Some(totals.allocs))
            );
        }
        Format::Html => {
            let page = str::from_utf8(bytes).unwrap();
            assert!(page.to_ascii_lowercase().contains("<html"), "{page:.200}");
        }
        Format::Pprof => super::pprof::check_sums(bytes, report),
        Format::Svg => {
            let mut reader = quick_xml::Reader::from_reader(bytes);
            let mut frames = 0;
            loop {
                match reader.read_event().unwrap() {
                    Event::Eof => break,
                    Event::Start(start) if start.name().as_ref() == b"g" => frames += 1,
                    _ => {}
                }
            }
            assert!(frames > 3, "{frames}");
        }
        Format::Folded => {
            let lines = str::from_utf8(bytes).unwrap().lines();
            let sum = lines
                .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
                .sum();
            assert_eq!(Some(sum), Value::Bytes.of(totals));
        }
    }
}

#[test]
fn the_golden_capture_renders_to_every_format() {
    let report = read(GOLDEN);
    assert_eq!(
        (report.totals.allocs, report.totals.alloc_bytes),
        (ALLOCS, Some(ALLOC_BYTES))
    );
    assert!(report.maps.is_some() && report.gc.is_some() && report.memory.is_some());
    assert!(report.stacks.iter().any(|stack| !stack.labels.is_empty()));
    assert_eq!(crate::findings::find(&report).len(), 2);
    for (_, format) in ENDINGS {
        check(format, &rendered(format, &report, Value::Bytes), &report);
    }
}

#[test]
fn the_golden_capture_has_every_figure_of_flame_graphs() {
    let report = read(GOLDEN);
    for value in [Value::Bytes, Value::Allocs, Value::Live, Value::Faults] {
        for format in [Format::Folded, Format::Svg] {
            rendered(format, &report, value);
        }
        let all = value.of(&report.totals).unwrap();
        let stacks = report.stacks_by(value).unwrap();
        let sum: u64 = stacks.iter().map(|(_, weight)| weight).sum();
        // What is alive is rounded for each stack.
        let noise = if value == Value::Live {
            stacks.len() as u64
        } else {
            0
        };
        assert!(sum.abs_diff(all) <= noise, "{value:?}: {sum} of {all}");
    }
}

#[test]
fn the_golden_capture_is_written_as_it_was_read() {
    let mut written = Vec::new();
    json::write(&read(GOLDEN), None, &mut written).unwrap();
    let value = |bytes: &[u8]| -> Json { serde_json::from_slice(bytes).unwrap() };
    assert_eq!(value(&written), value(GOLDEN));
}

/// The golden capture as a version would have written it that knows more words than this one.
fn of_a_newer_version() -> Json {
    let mut capture: Json = serde_json::from_slice(GOLDEN).unwrap();
    let window = &mut capture["window"];
    window["mode"] = "dreamed".into();
    window["ended_by"] = "host_gone".into();
    window["end"] = json!({"of": "host", "code": 7});
    window["mode_steps"] = json!([
        {"at_ns": 1_000_000, "mode": "no_dreams", "reason": "they cost too much"},
        {"at_ns": 2_000_000, "mode": "no_faults", "reason": "they, too"},
    ]);
    capture["heap"]["source"] = "arenas".into();
    capture["memory"]["parts"]["huge_pages"] = 4096.into();
    capture["memory"]["parts"]["cgroup"] = 4096.into();
    capture["completeness"]["lost"]["gremlins"] = 0.into();
    capture["completeness"]["truncated_by"]["gremlins"] = 1.into();
    capture["completeness"]["families"]["dreams"] =
        json!({"hits": 3, "delivered": 2, "lost": {"gremlins": 1}});
    capture
}

#[test]
fn words_of_a_newer_version_are_read_and_shown_in_every_format() {
    let report = read(of_a_newer_version().to_string().as_bytes());
    let window = &report.window;
    assert_eq!(window.mode, Mode::Other("dreamed".into()));
    assert_eq!(window.state, State::Other("host_gone".into()));
    assert_eq!(window.mode_steps[0].to, Step::Other("no_dreams".into()));
    assert_eq!(window.given_up(Extra::Faults), Some(2_000_000));
    let memory = report.memory.as_ref().unwrap();
    assert_eq!(memory.part(PartKind::Unknown), Some(8192));
    for value in [Value::Bytes, Value::Live] {
        for (_, format) in ENDINGS {
            let bytes = rendered(format, &report, value);
            if value == Value::Bytes {
                check(format, &bytes, &report);
            }
        }
    }
    let text = String::from_utf8(rendered(Format::Text, &report, Value::Bytes)).unwrap();
    for shown in [
        "dreamed for",
        "ended: host gone",
        "no_dreams",
        "dreams lost 1",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[test]
fn words_of_a_newer_version_are_written_as_they_were_read() {
    let newer = of_a_newer_version();
    let mut written = Vec::new();
    json::write(&read(newer.to_string().as_bytes()), None, &mut written).unwrap();
    let written: Json = serde_json::from_slice(&written).unwrap();
    for word in [
        "/window/mode",
        "/window/ended_by",
        "/window/mode_steps",
        "/heap/source",
    ] {
        assert_eq!(written.pointer(word), newer.pointer(word), "{word}");
    }
}

#[test]
fn what_earlier_versions_know_is_written_in_their_words() {
    let mut captures = EARLIER.map(|(_, capture)| capture).to_vec();
    captures.push(GOLDEN);
    for capture in captures {
        let mut written = Vec::new();
        json::write(&read(capture), None, &mut written).unwrap();
        let [before, now] =
            [capture, &written].map(|bytes| -> Json { serde_json::from_slice(bytes).unwrap() });
        let (before, now) = (
            before["window"].as_object().unwrap(),
            now["window"].as_object().unwrap(),
        );
        for (field, value) in before {
            assert_eq!(now.get(field), Some(value), "{field}");
        }
        assert!(!now.contains_key("running"), "{now:?}");
    }
}

#[test]
fn a_running_capture_says_so_and_has_ended_for_earlier_versions() {
    let mut report = read(GOLDEN);
    report.window.state = State::Running;
    let rendered = |format| rendered(format, &report, Value::Bytes);
    let capture: Json = serde_json::from_slice(&rendered(Format::Json)).unwrap();
    assert_eq!(capture["window"]["running"], true);
    // They refuse a word that they do not know.
    assert_eq!(capture["window"]["ended_by"], "duration");
    for (_, format) in ENDINGS {
        check(format, &rendered(format), &report);
    }
    let lines = String::from_utf8(rendered(Format::Ndjson)).unwrap();
    let last: Json = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["window"]["running"], true);
    for format in [Format::Text, Format::Html, Format::Svg] {
        let bytes = rendered(format);
        let text = str::from_utf8(&bytes).unwrap();
        assert!(text.contains("still running"), "{format:?}");
    }
}

#[test]
fn the_golden_capture_groups_by_everything() {
    let report = read(GOLDEN);
    for by in [
        GroupBy::Stack,
        GroupBy::Type,
        GroupBy::Function,
        GroupBy::Package,
    ] {
        let groups = Grouped::of(&report, by, SortBy::Bytes).groups;
        let allocs: u64 = groups.iter().map(|group| group.figures.allocs).sum();
        assert_eq!(allocs, ALLOCS, "{by:?}");
    }
    let tenants = Grouped::of(&report, GroupBy::Label("label:tenant"), SortBy::Live).groups;
    let tenants: Vec<&str> = tenants.iter().map(|group| group.name.as_str()).collect();
    assert!(
        tenants.contains(&"acme") && tenants.contains(&"globex"),
        "{tenants:?}"
    );
}

#[test]
fn captures_of_earlier_versions_render_to_every_format() {
    for (version, capture) in EARLIER {
        let report = read(capture);
        assert!(report.totals.allocs > 0, "{version}");
        for (_, format) in ENDINGS {
            check(format, &rendered(format, &report, Value::Bytes), &report);
        }
        // Nothing that was not measured is 0.
        let has_faults = ![
            "first",
            "before maps",
            "before page faults and the collector",
        ]
        .contains(&version);
        assert_eq!(report.faults.is_some(), has_faults, "{version}");
        assert_eq!(report.gc.is_some(), has_faults, "{version}");
        assert_eq!(report.totals.faults.is_some(), has_faults, "{version}");
        assert_eq!(
            report.heap.is_some(),
            version == "before types of stacks",
            "{version}"
        );
        assert_eq!(
            report.stacks_by(Value::Faults).is_some(),
            has_faults,
            "{version}"
        );
    }
}

#[test]
fn types_of_stacks_are_told_from_earlier_captures_where_the_site_tells_them() {
    let (_, earlier) = EARLIER[4];
    let report = read(earlier);
    let mut told = 0;
    for site in &report.sites {
        let tells = site.types.len() == 1 || site.stacks.len() == 1;
        for stack in site.stacks.iter().filter(|stack| stack.figures.allocs > 0) {
            assert_eq!(!stack.types.is_empty(), tells, "site {}", site.id);
            told += usize::from(tells);
        }
    }
    assert!(told > 0);
}
