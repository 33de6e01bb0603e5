//! What is missing from a report is in every format of it.

use super::{Format, Options, render};
use crate::aggregate::Aggregator;
use crate::aggregate::Counters;
use crate::collect::Collecting;
use crate::decode::encoded;
use crate::plan::MapPlan;
use crate::report::{self, Capture, Family, HeapFacts, Report, fixture};
use crate::stream::Replay;
use crate::symbolize::Symbols;
use tracer_common::counter::Counter;

/// The report in each format, numbers without separators of thousands.
fn in_each_format(report: &Report) -> [String; 3] {
    [Format::Text, Format::Json, Format::Ndjson].map(|format| {
        let mut out = Vec::new();
        render(format, report, None, &Options::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap().replace(',', "")
    })
}

#[test]
fn records_of_an_unknown_kind_are_in_every_report() {
    let records = vec![
        encoded::stack(1, &[7]),
        encoded::alloc(0, 1, 8, 0),
        vec![200; 40],
        vec![],
    ];
    let thread = Collecting::start().unwrap();
    let source = Replay::new(records);
    let collector = thread.add(source, Aggregator::for_tests(), None);
    let totals = collector.unwrap().finish().unwrap();
    let sample = fixture::report();
    let report = report::build(Capture {
        target: sample.target,
        window: sample.window,
        totals: &totals,
        map_plan: &MapPlan::off(),
        faults: false,
        gc_plan: None,
        heap: HeapFacts::none(),
        memory: None,
        start_monotonic_ns: 0,
        counters: &Counters::of(&[(Counter::Hits, 3)]),
        probed_share: Some(1.0),
        unseen: false,
        symbols: &Symbols::default(),
        timeline: Vec::new(),
        overhead: sample.overhead,
    });
    assert_eq!(report.completeness.delivered, 1);
    let [text, json, ndjson] = in_each_format(&report);
    assert!(text.contains("undecodable 2"), "{text}");
    for json in [json, ndjson] {
        assert!(json.contains(r#""undecodable":2"#), "{json}");
    }
}

#[test]
fn every_shortcoming_is_in_every_report() {
    let mut report = fixture::report();
    let completeness = &mut report.completeness;
    completeness.hits = 9_000_000;
    completeness.sampled_out = 811_001;
    completeness.lost = vec![
        ("ring_full".into(), 822_001),
        ("scratch_busy".into(), 833_001),
    ];
    completeness.unknown_pcs = 844_001;
    completeness.truncated_stacks = 855_001;
    completeness.truncated_by = vec![("unreadable".into(), 855_002), ("folded".into(), 855_003)];
    completeness.undefined_stacks = 866_001;
    completeness.overflowed = 877_001;
    completeness.unbinned_sizes = 877_002;
    completeness.unsure_bytes = Some(888_001);
    completeness.families = vec![Family {
        name: "stack_definitions".into(),
        hits: None,
        delivered: 12,
        lost: vec![("stack_ring_full".into(), 899_001)],
    }];
    let numbers = [
        9_000_000, 811_001, 822_001, 833_001, 844_001, 855_001, 855_002, 855_003, 866_001, 877_001,
        877_002, 888_001, 899_001,
    ];
    for output in in_each_format(&report) {
        for number in numbers {
            assert!(output.contains(&number.to_string()), "{number}: {output}");
        }
    }
}

#[test]
fn lower_bounds_are_told_as_such() {
    let mut report = fixture::report();
    report.completeness.unseen = true;
    report.totals.estimate = Some(report::Estimate::default());
    let [text, json, ndjson] = in_each_format(&report);
    assert!(text.contains("figures are lower bounds"), "{text}");
    for json in [json, ndjson] {
        assert!(json.contains(r#""unseen":true"#), "{json}");
    }
}

#[test]
fn what_is_unaccounted_for_is_said_per_kind_of_record() {
    let mut report = fixture::report();
    report.completeness.families[0].hits = Some(20);
    let [text, ..] = in_each_format(&report);
    assert!(text.contains("resumes unaccounted for 8"), "{text}");
}
