//! Comparisons in each format: what changed is there, and no name does harm.

use super::*;
use crate::compare::{By, Normalize, Rule, Terms, check as judge, compare};
use crate::output::text::TextOptions;
use crate::report::fixture;
use crate::report::{Report, Value};

const FORMATS: [Format; 5] = [
    Format::Text,
    Format::Json,
    Format::Html,
    Format::Svg,
    Format::Folded,
];

fn written(
    format: Format,
    base: &Report,
    candidate: &Report,
    terms: Terms,
    width: usize,
) -> String {
    let rules: Vec<Rule> = [
        "alloc_bytes>10%",
        "site:allocs>1/s",
        "findings>0",
        "live_bytes>0",
    ]
    .iter()
    .map(|rule| rule.parse().unwrap())
    .collect();
    let verdicts = judge(&rules, base, candidate, terms.normalize);
    let comparison = compare(base, candidate, terms);
    let text = TextOptions {
        width,
        ..TextOptions::default()
    };
    let options = Options {
        text,
        value: Value::Allocs,
    };
    let mut out = Vec::new();
    render(format, &comparison, &verdicts, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The lines of a comparison of a small report with one in which things changed.
fn changed() -> (Report, Report) {
    let base = fixture::report();
    let mut candidate = fixture::report();
    let figures = &mut candidate.sites[0].figures;
    figures.allocs *= 2;
    figures.alloc_bytes = figures.alloc_bytes.map(|bytes| bytes * 2);
    candidate.totals.allocs += 5_200_000;
    candidate.totals.alloc_bytes = candidate
        .totals
        .alloc_bytes
        .map(|bytes| bytes + 871_366_656);
    candidate.sites[0].frames[0].line = Some(91);
    candidate.sites.remove(2);
    (base, candidate)
}

#[test]
fn text_says_what_changed_and_where() {
    let (base, candidate) = changed();
    let terms = Terms {
        normalize: Normalize::Total,
        ..Terms::default()
    };
    let text = written(Format::Text, &base, &candidate, terms, 100);
    for part in [
        "+831 MiB",
        "allocated bytes of 2 of 3 sites changed by more than noise · 1 gone",
        "main.(*Cache).Put",
        "cache.go:91 (was :88)",
        "+100 %",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn hostile_captures_are_written_and_harm_nothing() {
    let sane = fixture::report();
    let nasty = fixture::nasty();
    for (base, candidate) in [(&sane, &nasty), (&nasty, &sane), (&nasty, &nasty)] {
        for by in [By::Site, By::Type, By::Function, By::Package] {
            for format in FORMATS {
                let terms = Terms {
                    by,
                    ..Terms::default()
                };
                let text = written(format, base, candidate, terms, 100);
                assert!(!text.contains('\u{1b}'), "{format:?}");
                match format {
                    Format::Json => drop(serde_json::from_str::<serde_json::Value>(&text).unwrap()),
                    Format::Html => assert!(!text.contains("<script>alert"), "{text}"),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn text_keeps_to_its_width() {
    let (sane, nasty) = (fixture::report(), fixture::nasty());
    for width in [40, 60, 80, 100, 200] {
        let text = written(Format::Text, &sane, &nasty, Terms::default(), width);
        for line in text.lines() {
            let wide: usize = line
                .chars()
                .map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(1))
                .sum();
            assert!(wide <= width, "{width}: {wide}: {line}");
        }
    }
}

#[test]
fn json_has_what_is_not_known_as_null() {
    let (base, candidate) = changed();
    let json = written(Format::Json, &base, &candidate, Terms::default(), 100);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "tracer.diff/1");
    let faults = &json["rows"][0]["figures"]["faults"];
    for field in [
        "base",
        "candidate",
        "change",
        "relative",
        "error",
        "significant",
    ] {
        assert!(faults[field].is_null(), "{field}: {faults}");
    }
    let put = &json["rows"][0];
    assert_eq!(put["matched"], "moved");
    assert_eq!(put["base"]["frames"][0]["line"], 88);
    assert_eq!(put["candidate"]["frames"][0]["line"], 91);
    assert_eq!(put["figures"]["allocs"]["candidate_total"], 10_400_000);
    let outcomes = json["rules"].as_array().unwrap().iter();
    let outcomes: Vec<&str> = outcomes
        .map(|rule| rule["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes.len(), 4);
    assert_eq!(outcomes[3], "unknown");
}

#[test]
fn stacks_have_both_values_in_the_time_of_the_candidate() {
    let (base, mut candidate) = changed();
    candidate.window.duration_ns /= 2;
    let lines = written(Format::Folded, &base, &candidate, Terms::default(), 100);
    let put = lines.lines().find(|line| line.contains("Put")).unwrap();
    assert!(put.ends_with("main.(*Cache).Put 2600000 5200000"), "{put}");
    let svg = written(Format::Svg, &base, &candidate, Terms::default(), 100);
    assert!(svg.contains("base scaled to 5.0 s"), "{svg}");
}

#[test]
fn a_flame_graph_is_as_wide_as_the_larger_of_both() {
    let report = fixture::report();
    let twice = {
        let mut twice = fixture::report();
        for site in &mut twice.sites {
            site.figures.allocs *= 2;
            for stack in &mut site.stacks {
                stack.figures.allocs *= 2;
            }
        }
        twice
    };
    let root = |base: &Report, candidate: &Report| {
        let terms = Terms {
            normalize: Normalize::Total,
            ..Terms::default()
        };
        let svg = written(Format::Svg, base, candidate, terms, 100);
        let (_, root) = svg.split_once("<title>all (").unwrap();
        let (count, _) = root.split_once(" allocations").unwrap();
        count.replace(',', "").parse::<u64>().unwrap()
    };
    let all: u64 = report.sites.iter().map(|site| site.figures.allocs).sum();
    assert_eq!(root(&report, &report), all);
    assert_eq!(root(&report, &twice), 2 * all);
    assert_eq!(root(&twice, &report), 2 * all);
}

#[test]
fn a_format_without_comparisons_is_refused() {
    let report = fixture::report();
    let comparison = compare(&report, &report, Terms::default());
    for format in [Format::Pprof, Format::Ndjson] {
        let error = render(
            format,
            &comparison,
            &[],
            &Options::default(),
            &mut Vec::new(),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("cannot write a comparison as"), "{error}");
    }
}

#[test]
fn captures_count_what_their_figures_are_made_of() {
    let (sampled, heap) = (fixture::with_heap(), fixture::only_history());
    let json = written(Format::Json, &sampled, &heap, Terms::default(), 100);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["base"]["records"], "samples");
    for field in ["records", "hits", "delivered", "lost"] {
        assert!(json["candidate"][field].is_null(), "{field}");
    }
}
