//! Comparisons of captures that differ in known ways.

use super::*;
use crate::report::fixture;
use crate::report::{Estimate, Family, Figures, Site, TimelinePoint};

fn terms(normalize: Normalize, by: By) -> Terms {
    Terms {
        normalize,
        by,
        ..Terms::default()
    }
}

/// A capture whose rates do not vary at all.
fn steady() -> Report {
    let mut report = fixture::report();
    report.timeline = (1..=20)
        .map(|tenth| TimelinePoint {
            t_ns: tenth * 500_000_000,
            allocs: Some(321_730),
            alloc_bytes: Some(59_370_822),
            ..TimelinePoint::default()
        })
        .collect();
    report
}

fn scaled(figures: &mut Figures, by: u64) {
    figures.allocs *= by;
    figures.alloc_bytes = figures.alloc_bytes.map(|bytes| bytes * by);
    figures.requested_bytes = figures.requested_bytes.map(|bytes| bytes * by);
}

/// Rows as `name, matched, presence, base total, candidate total`.
fn rows(base: &Report, candidate: &Report) -> Vec<(String, Match, Presence, u64, u64)> {
    let comparison = compare(base, candidate, terms(Normalize::Total, By::Site));
    let rows = comparison.rows.into_iter();
    rows.map(|row| {
        let change = *row.changes.of(Figure::Allocs);
        let total = |side: Side| side.total.unwrap_or(u64::MAX);
        (
            row.name,
            row.matched,
            row.presence,
            total(change.base),
            total(change.candidate),
        )
    })
    .collect()
}

fn site<'a>(report: &'a mut Report, function: &str) -> &'a mut Site {
    let named = |site: &&mut Site| {
        site.frames
            .first()
            .is_some_and(|frame| frame.function == function)
    };
    report.sites.iter_mut().find(named).unwrap()
}

const PUT: &str = "main.(*Cache).Put";
const GROW: &str = "strings.(*Builder).grow";

#[test]
fn a_capture_does_not_differ_from_itself() {
    for by in [By::Site, By::Type, By::Function, By::Package] {
        for normalize in [Normalize::Rate, Normalize::Total] {
            let report = fixture::with_heap();
            let comparison = compare(&report, &report, terms(normalize, by));
            assert!(!comparison.rows.is_empty());
            for row in &comparison.rows {
                assert_eq!(row.presence, Presence::Both);
                for figure in Figure::ALL {
                    let change = row.changes.of(figure);
                    assert!(
                        change.difference.is_none_or(|change| change == 0.0),
                        "{row:?}"
                    );
                    assert_ne!(change.significant, Some(true), "{row:?}");
                }
            }
            assert!(
                comparison
                    .warnings
                    .iter()
                    .all(|warning| !warning.contains("differ"))
            );
        }
    }
}

#[test]
fn rates_are_independent_of_the_length_and_totals_are_not() {
    let base = steady();
    let mut candidate = steady();
    candidate.window.duration_ns *= 2;
    scaled(&mut candidate.totals, 2);
    for site in &mut candidate.sites {
        scaled(&mut site.figures, 2);
    }
    let rate = compare(&base, &candidate, Terms::default());
    let total = |comparison: &Comparison<'_>, figure| *comparison.totals.of(figure);
    let change = total(&rate, Figure::AllocBytes);
    assert_eq!(change.difference, Some(0.0));
    assert_eq!(change.significant, Some(false));
    assert_eq!(change.base.value, Some(118_741_644.8));
    assert!(
        rate.warnings
            .iter()
            .any(|warning| warning.contains("lengths differ"))
    );
    let all = compare(&base, &candidate, terms(Normalize::Total, By::Site));
    let change = total(&all, Figure::AllocBytes);
    assert_eq!(change.relative, Some(1.0));
    assert_eq!(change.significant, Some(true));
    assert_eq!(change.candidate.total, Some(2 * 1_187_416_448));
}

#[test]
fn a_line_that_moved_is_the_same_site() {
    let base = fixture::report();
    let mut candidate = fixture::report();
    let moved = &mut site(&mut candidate, PUT).frames[0];
    moved.line = Some(97);
    moved.file = "/somewhere/else/cache.go".into();
    let rows = rows(&base, &candidate);
    let row = rows.iter().find(|row| row.0 == PUT).unwrap();
    assert_eq!((row.1, row.2), (Match::Moved, Presence::Both));
    assert_eq!(rows.len(), 3);
    let comparison = compare(&base, &candidate, Terms::default());
    let put = comparison.rows.iter().find(|row| row.name == PUT).unwrap();
    assert_eq!(put.moved_from(), Some(88));
}

#[test]
fn of_several_lines_of_a_function_each_finds_its_own() {
    let at = |report: &mut Report, lines: &[(u32, u64)]| {
        let template = site(report, PUT).clone();
        report.sites = lines
            .iter()
            .zip(1..)
            .map(|((line, allocs), id)| {
                let mut site = template.clone();
                site.id = id;
                site.frames[0].line = Some(*line);
                site.figures.allocs = *allocs;
                site
            })
            .collect();
    };
    let (mut base, mut candidate) = (fixture::report(), fixture::report());
    at(&mut base, &[(10, 100), (20, 200), (30, 300)]);
    at(&mut candidate, &[(13, 100), (18, 7), (23, 200), (33, 300)]);
    let rows = rows(&base, &candidate);
    let pairs: Vec<(u64, u64)> = rows.iter().map(|row| (row.3, row.4)).collect();
    for pair in [(100, 100), (200, 200), (300, 300), (0, 7)] {
        assert!(pairs.contains(&pair), "{pairs:?}");
    }
    assert_eq!(rows.iter().filter(|row| row.2 == Presence::New).count(), 1);
}

#[test]
fn lines_inserted_above_do_not_exchange_places() {
    let at = |build: &str, lines: &[(u32, u64)]| {
        let mut report = fixture::report();
        report.target.build_id = Some(build.into());
        let template = site(&mut report, PUT).clone();
        let sites = lines.iter().zip(1..);
        report.sites = sites
            .map(|((line, allocs), id)| {
                let mut site = template.clone();
                site.id = id;
                site.frames[0].line = Some(*line);
                site.figures.allocs = *allocs;
                site
            })
            .collect();
        report
    };
    let base = at("one", &[(40, 100), (42, 900)]);
    let check = |candidate: &Report, expect: Match| {
        let rows = rows(&base, candidate);
        assert_eq!(rows.len(), 2, "{rows:?}");
        for row in rows {
            assert_eq!((row.1, row.3), (expect, row.4), "{row:?}");
        }
    };
    check(&at("other", &[(42, 100), (44, 900)]), Match::Moved);
    check(&at("other", &[(40, 100), (42, 900)]), Match::Frames);
    check(&at("one", &[(40, 100), (42, 900)]), Match::Frames);
    // In one build a line is a place, whatever else was seen.
    let rows = rows(&base, &at("one", &[(42, 900), (44, 100)]));
    assert!(
        rows.iter().any(|row| (row.3, row.4) == (900, 900)),
        "{rows:?}"
    );
}

#[test]
fn a_function_that_is_inlined_no_longer_is_found_by_its_name() {
    let base = fixture::report();
    let mut candidate = fixture::report();
    let frames = &mut site(&mut candidate, GROW).frames;
    frames.truncate(1);
    frames[0].inlined = false;
    let found = rows(&base, &candidate);
    let row = found.iter().find(|row| row.0 == GROW).unwrap();
    assert_eq!((row.1, row.2), (Match::Function, Presence::Both));
    // A library function inlined into another function of the program is another place.
    let mut candidate = fixture::report();
    site(&mut candidate, GROW).frames[2].function = "main.elsewhere".into();
    let found = rows(&base, &candidate);
    let presence: Vec<Presence> = found
        .iter()
        .filter(|row| row.0 == GROW)
        .map(|row| row.2)
        .collect();
    assert_eq!(presence.len(), 2);
    assert!(presence.contains(&Presence::New) && presence.contains(&Presence::Gone));
}

#[test]
fn what_a_complete_capture_does_not_have_is_nothing_there() {
    let base = steady();
    let mut candidate = steady();
    candidate.sites.retain(|site| site.id != 1);
    let comparison = compare(&base, &candidate, Terms::default());
    let gone = &comparison.rows[0];
    assert_eq!((gone.name.as_str(), gone.presence), (PUT, Presence::Gone));
    let change = gone.changes.of(Figure::Allocs);
    assert_eq!(change.candidate.value, Some(0.0));
    assert_eq!(change.significant, Some(true));
    assert_eq!(change.relative, Some(-1.0));
}

#[test]
fn what_an_incomplete_capture_does_not_have_is_not_known() {
    let base = steady();
    let mut incomplete = steady();
    incomplete.sites.retain(|site| site.id != 1);
    incomplete.completeness.lost[0].1 = 12;
    incomplete.completeness.delivered -= 12;
    let comparison = compare(&base, &incomplete, Terms::default());
    let row = &comparison.rows[0];
    assert_eq!(
        (row.name.as_str(), row.presence),
        (PUT, Presence::NotInCandidate)
    );
    let change = row.changes.of(Figure::AllocBytes);
    assert_eq!(
        (change.candidate.value, change.difference, change.relative),
        (None, None, None)
    );
    assert!(change.candidate.unseen);
    // So much would have been seen, had it been there.
    assert_eq!(change.significant, Some(true));
    assert!(
        comparison
            .warnings
            .iter()
            .any(|warning| warning.contains("CANDIDATE lost 12 events"))
    );
    // Most is lost: then nothing is said.
    incomplete.completeness.lost[0].1 = 3_000_000;
    let comparison = compare(&base, &incomplete, Terms::default());
    let row = comparison.rows.iter().find(|row| row.name == PUT).unwrap();
    assert_eq!(row.changes.of(Figure::AllocBytes).significant, None);
}

#[test]
fn samples_that_were_lost_are_told() {
    let base = fixture::with_heap();
    let mut candidate = fixture::with_heap();
    candidate.completeness.families.push(Family {
        name: "heap_samples".into(),
        hits: Some(1000),
        delivered: 750,
        lost: vec![("heap_samples_ring_full".into(), 250)],
    });
    let comparison = compare(&base, &candidate, Terms::default());
    let told = "CANDIDATE lost 250 events (25.0 % of its samples): its figures are too low";
    assert!(
        comparison.warnings.iter().any(|warning| warning == told),
        "{:#?}",
        comparison.warnings
    );
}

#[test]
fn estimates_are_compared_by_their_standard_errors() {
    let check = |percent: u64, error: Option<u64>, expect: Option<bool>| {
        let mut base = steady();
        base.window.mode = Mode::Sampled;
        let estimate = Some(Estimate {
            allocs_error: error,
            alloc_bytes_error: error.map(|error| error * 150),
        });
        base.totals.estimate = estimate;
        for site in &mut base.sites {
            site.figures.estimate = estimate;
        }
        let mut candidate = base.clone();
        let figures = &mut site(&mut candidate, PUT).figures;
        figures.allocs = 52_000 * percent;
        let comparison = compare(&base, &candidate, Terms::default());
        let put = comparison.rows.iter().find(|row| row.name == PUT).unwrap();
        let change = put.changes.of(Figure::Allocs);
        assert_eq!(change.significant, expect, "{percent} {error:?} {change:?}");
    };
    check(105, Some(50_000), Some(true));
    check(104, Some(50_000), Some(false));
    check(100, Some(50_000), Some(false));
    check(200, None, None);
}

#[test]
fn many_rows_take_a_larger_change_to_be_significant() {
    let check = |rows: usize, expect: f64| {
        assert!(
            (limit(rows) - expect).abs() < 0.03,
            "{rows}: {}",
            limit(rows)
        );
    };
    // Two-sided quantiles of the normal distribution at 0.01 / rows.
    check(1, 3.0);
    check(0, 3.0);
    check(100, 3.89);
    check(10_000, 4.89);
    assert!(limit(usize::MAX).is_finite());
}

#[test]
fn rates_that_vary_hide_changes() {
    let mut base = steady();
    for (i, point) in (0..).zip(&mut base.timeline) {
        let less = if i % 4 < 2 { 1 } else { 3 };
        point.allocs = point.allocs.map(|allocs| allocs / less);
        point.alloc_bytes = point.alloc_bytes.map(|bytes| bytes / less);
    }
    let mut candidate = base.clone();
    scaled(&mut candidate.totals, 11);
    candidate.totals.allocs = 7_000_000;
    let rate = compare(&base, &candidate, Terms::default());
    assert_eq!(rate.totals.of(Figure::Allocs).significant, Some(false));
    let total = compare(&base, &candidate, terms(Normalize::Total, By::Site));
    assert_eq!(total.totals.of(Figure::Allocs).significant, Some(true));
}

#[test]
fn without_a_course_significance_of_rates_is_not_known() {
    let mut base = steady();
    base.timeline.truncate(3);
    let mut candidate = base.clone();
    scaled(&mut candidate.totals, 2);
    let comparison = compare(&base, &candidate, Terms::default());
    let change = comparison.totals.of(Figure::Allocs);
    assert_eq!((change.significant, change.error), (None, None));
    assert!(
        comparison
            .warnings
            .iter()
            .any(|warning| warning.contains("too few intervals"))
    );
}

#[test]
fn types_add_up_to_the_totals_of_the_sites() {
    let report = steady();
    for by in [By::Type, By::Function, By::Package] {
        let comparison = compare(&report, &report, terms(Normalize::Total, by));
        let sum: u64 = comparison
            .rows
            .iter()
            .filter_map(|row| row.changes.of(Figure::Allocs).base.total)
            .sum();
        assert_eq!(sum, report.totals.allocs, "{by:?}");
        assert!(comparison.rows.iter().all(|row| row.matched == Match::Name));
    }
}

#[test]
fn what_was_not_recorded_stays_unknown() {
    let base = fixture::report();
    let candidate = fixture::with_pages();
    let comparison = compare(&base, &candidate, Terms::default());
    for changes in comparison
        .rows
        .iter()
        .map(|row| &row.changes)
        .chain([&comparison.totals])
    {
        let change = changes.of(Figure::Faults);
        assert_eq!(
            (change.base.value, change.difference, change.significant),
            (None, None, None)
        );
    }
    assert!(comparison.warnings.iter().any(
        |warning| warning.contains("BASE has not recorded") && warning.contains("page faults")
    ));
}

#[test]
fn what_is_alive_is_a_level_and_has_no_rate() {
    let base = fixture::with_heap();
    let mut candidate = fixture::with_heap();
    candidate.window.duration_ns *= 3;
    let comparison = compare(
        &base,
        &candidate,
        Terms {
            value: Some(Value::Live),
            ..Terms::default()
        },
    );
    let change = comparison.totals.of(Figure::LiveBytes);
    assert_eq!(change.difference, Some(0.0));
    assert_eq!(
        change.base.value,
        change.base.total.map(|total| total as f64)
    );
    assert_eq!(comparison.figure, Figure::LiveBytes);
    // Out of what was allocated since the capture began, and out of everything: not the same.
    candidate.heap.as_mut().unwrap().history = None;
    let comparison = compare(&base, &candidate, Terms::default());
    assert_eq!(comparison.totals.of(Figure::LiveBytes).difference, None);
}

#[test]
fn a_capture_of_no_length_has_no_rates() {
    let mut empty = fixture::empty();
    empty.window.duration_ns = 0;
    let full = steady();
    let comparison = compare(&empty, &full, Terms::default());
    assert_eq!(comparison.totals.of(Figure::AllocBytes).base.value, None);
    assert_eq!(comparison.totals.of(Figure::AllocBytes).difference, None);
    let comparison = compare(&empty, &empty, terms(Normalize::Total, By::Type));
    assert!(comparison.rows.is_empty());
}

#[test]
fn hostile_captures_are_compared() {
    let sane = fixture::report();
    let nasty = fixture::nasty();
    for (base, candidate) in [(&sane, &nasty), (&nasty, &sane), (&nasty, &nasty)] {
        for by in [By::Site, By::Type, By::Function, By::Package] {
            for normalize in [Normalize::Rate, Normalize::Total] {
                let comparison = compare(base, candidate, terms(normalize, by));
                for row in &comparison.rows {
                    for figure in Figure::ALL {
                        let change = row.changes.of(figure);
                        assert!(change.error.is_none_or(|error| error >= 0.0), "{change:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_order_follows_what_was_asked_for() {
    let base = steady();
    let mut candidate = steady();
    scaled(&mut site(&mut candidate, GROW).figures, 3);
    let first = |order| {
        let comparison = compare(
            &base,
            &candidate,
            Terms {
                order,
                ..Terms::default()
            },
        );
        assert_eq!(comparison.rows[0].rank, 1);
        comparison.rows[0].name.clone()
    };
    assert_eq!(first(Order::Change), GROW);
    site(&mut candidate, GROW).figures.alloc_bytes = Some(600_000_000);
    let first = |order| {
        compare(
            &base,
            &candidate,
            Terms {
                order,
                ..Terms::default()
            },
        )
        .rows[0]
            .name
            .clone()
    };
    assert_eq!(first(Order::Candidate), PUT);
}

#[test]
fn what_did_not_change_comes_by_size_and_nothing_last() {
    let mut report = steady();
    let mut empty = site(&mut report, PUT).clone();
    empty.id = 99;
    empty.frames[0].function = "a.first".into();
    empty.figures = Figures {
        alloc_bytes: Some(0),
        requested_bytes: Some(0),
        ..Figures::default()
    };
    report.sites.insert(0, empty);
    for order in [Order::Change, Order::Candidate] {
        let terms = Terms {
            order,
            ..Terms::default()
        };
        let comparison = compare(&report, &report, terms);
        let rows = comparison.rows.iter();
        let sizes: Vec<u64> = rows
            .filter_map(|row| row.changes.of(Figure::AllocBytes).candidate.total)
            .collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!(comparison.rows.last().unwrap().name, "a.first");
    }
}

#[test]
fn many_sites_of_one_name_take_no_quadratic_time() {
    let many = |shift: u32| {
        let mut report = steady();
        let template = site(&mut report, PUT).clone();
        report.sites = (0..20_000)
            .map(|i| {
                let mut site = template.clone();
                site.id = i + 1;
                site.frames[0].line = Some(3 * i + shift);
                site
            })
            .collect();
        report
    };
    let mut candidate = many(1);
    candidate.sites.pop();
    let stopwatch = crate::stopwatch::Stopwatch::start();
    let base = many(0);
    let comparison = compare(&base, &candidate, Terms::default());
    assert!(comparison.rows.len() <= 20_000);
    let took = stopwatch.worked();
    assert!(took.as_secs() < 20, "{took:?}");
}
