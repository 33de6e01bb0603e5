//! Rules as they are typed, and what becomes of them for captures that differ in known ways.

use super::*;
use crate::report::TimelinePoint;
use crate::report::fixture;

fn steady() -> Report {
    let mut report = fixture::report();
    report.timeline = (1..=20)
        .map(|half| TimelinePoint {
            t_ns: half * 500_000_000,
            allocs: Some(321_730),
            alloc_bytes: Some(59_370_822),
            ..TimelinePoint::default()
        })
        .collect();
    report
}

fn grown(percent: u64) -> Report {
    let mut report = steady();
    let scaled = |number: u64| number * (100 + percent) / 100;
    report.totals.allocs = scaled(report.totals.allocs);
    report.totals.alloc_bytes = report.totals.alloc_bytes.map(scaled);
    let figures = &mut report.sites[0].figures;
    figures.allocs = scaled(figures.allocs);
    figures.alloc_bytes = figures.alloc_bytes.map(scaled);
    report
}

fn verdict(rule: &str, base: &Report, candidate: &Report) -> Verdict {
    let rule: Rule = rule.parse().unwrap();
    check(&[rule], base, candidate, Normalize::Rate).remove(0)
}

fn outcome(rule: &str, base: &Report, candidate: &Report) -> Outcome {
    verdict(rule, base, candidate).outcome
}

#[test]
fn rules_are_read_as_they_are_typed() {
    let check = |text: &str, subject: Subject, inclusive: bool, limit: Limit| {
        let rule: Rule = text.parse().unwrap();
        assert_eq!(
            (rule.subject, rule.inclusive, rule.limit),
            (subject, inclusive, limit),
            "{text}"
        );
    };
    let bytes = Subject::Total(Figure::AllocBytes);
    check("alloc_bytes>10%", bytes, false, Limit::Relative(0.1));
    check(
        " alloc_bytes >= 2.5 % ",
        bytes,
        true,
        Limit::Relative(0.025),
    );
    check(
        "alloc_bytes>10MiB/s",
        bytes,
        false,
        Limit::Rate(10_485_760.0),
    );
    check("alloc_bytes>1MiB", bytes, false, Limit::Total(1_048_576.0));
    check("alloc_bytes>512", bytes, false, Limit::Total(512.0));
    check(
        "allocs>1000/s",
        Subject::Total(Figure::Allocs),
        false,
        Limit::Rate(1000.0),
    );
    check(
        "site:faults>0",
        Subject::Site(Figure::Faults),
        false,
        Limit::Total(0.0),
    );
    check(
        "live_bytes>1GB",
        Subject::Total(Figure::LiveBytes),
        false,
        Limit::Total(1e9),
    );
    check("findings>0", Subject::Findings, false, Limit::Total(0.0));
}

#[test]
fn what_is_no_rule_is_told_with_the_grammar() {
    for text in [
        "",
        ">",
        "alloc_bytes",
        "alloc_bytes<5%",
        "alloc_bytes>",
        "alloc_bytes>-1%",
        "alloc_bytes>x%",
        "bytes>5%",
        "site:findings>0",
        "findings>5%",
        "live_bytes>1MiB/s",
        "allocs>1KiB",
        "allocs>nan",
        "allocs>inf",
        "alloc_bytes=>5%",
        "alloc_bytes>5%/s",
    ] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(
            error.contains("write FIGURE OP NUMBER[UNIT]"),
            "{text}: {error}"
        );
    }
}

#[test]
fn growth_beyond_the_limit_breaks_a_rule() {
    let base = steady();
    let candidate = grown(50);
    for (rule, expect) in [
        ("alloc_bytes>10%", Outcome::Broken),
        ("alloc_bytes>60%", Outcome::Kept),
        ("alloc_bytes>50MiB/s", Outcome::Broken),
        ("alloc_bytes>60MiB/s", Outcome::Kept),
        ("alloc_bytes>500MiB", Outcome::Broken),
        ("alloc_bytes>600MiB", Outcome::Kept),
        ("site:allocs>49%", Outcome::Broken),
        ("site:allocs>51%", Outcome::Kept),
        ("allocs>=0%", Outcome::Broken),
    ] {
        assert_eq!(outcome(rule, &base, &candidate), expect, "{rule}");
    }
    // Less is no growth.
    assert_eq!(outcome("alloc_bytes>10%", &candidate, &base), Outcome::Kept);
}

#[test]
fn the_reason_names_both_figures_and_the_worst_site() {
    let reason = verdict("alloc_bytes>10%", &steady(), &grown(50)).reason;
    for part in [
        "113 MiB/s → 170 MiB/s",
        "+56.6 MiB/s (+50.0 %)",
        "main.(*Cache).Put (cache.go:88)",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[test]
fn growth_within_the_noise_keeps_a_rule_and_is_told() {
    let mut base = steady();
    for (i, point) in (0..).zip(&mut base.timeline) {
        if i % 4 < 2 {
            (point.allocs, point.alloc_bytes) = (Some(1), Some(1));
        }
    }
    let mut candidate = grown(20);
    candidate.timeline = base.timeline.clone();
    for rule in ["alloc_bytes>10%", "site:alloc_bytes>10%"] {
        let verdict = verdict(rule, &base, &candidate);
        assert_eq!(verdict.outcome, Outcome::Noise, "{verdict:?}");
        assert!(verdict.reason.contains("within the noise"), "{verdict:?}");
    }
    base.timeline.clear();
    let unknown = verdict("alloc_bytes>10%", &base, &candidate);
    assert_eq!(unknown.outcome, Outcome::Unknown);
    assert!(
        unknown.outcome.fails() && unknown.reason.contains("not known"),
        "{unknown:?}"
    );
    assert_eq!(outcome("alloc_bytes>30%", &base, &candidate), Outcome::Kept);
}

#[test]
fn a_figure_that_is_not_known_never_passes() {
    let base = steady();
    for rule in [
        "faults>10%",
        "site:faults>10%",
        "live_bytes>1GiB",
        "site:live_bytes>10%",
    ] {
        let verdict = verdict(rule, &base, &base);
        assert_eq!(verdict.outcome, Outcome::Unknown, "{rule}");
        assert!(verdict.reason.contains("not known"), "{verdict:?}");
    }
}

#[test]
fn a_new_site_is_endless_growth() {
    let mut base = steady();
    base.sites.remove(1);
    let candidate = steady();
    assert_eq!(
        outcome("site:alloc_bytes>1000%", &base, &candidate),
        Outcome::Broken
    );
    assert_eq!(
        outcome("site:alloc_bytes>50MiB/s", &base, &candidate),
        Outcome::Kept
    );
    // In an incomplete capture it may have been there; so much would have been seen.
    base.completeness.lost[0].1 = 5;
    let verdict = verdict("site:alloc_bytes>1000%", &base, &candidate);
    assert_eq!(verdict.outcome, Outcome::Broken);
    assert!(verdict.reason.contains("not seen"), "{verdict:?}");
}

#[test]
fn new_findings_are_counted() {
    let healthy = steady();
    let sick = fixture::with_maps();
    let verdict = verdict("findings>0", &healthy, &sick);
    assert_eq!(verdict.outcome, Outcome::Broken);
    assert!(verdict.reason.contains("new: "), "{verdict:?}");
    assert_eq!(outcome("findings>100", &healthy, &sick), Outcome::Kept);
    assert_eq!(outcome("findings>0", &sick, &sick), Outcome::Kept);
    assert_eq!(
        outcome("findings>0", &sick, &healthy),
        Outcome::Unknown,
        "maps were not recorded"
    );
}

#[test]
fn what_a_candidate_lost_never_passes() {
    let base = steady();
    let mut lossy = steady();
    lossy.completeness.lost[0].1 = lossy.completeness.hits / 2;
    let mut blind = steady();
    blind.completeness.unseen = true;
    for (candidate, why) in [(&lossy, "CANDIDATE lost"), (&blind, "too few windows")] {
        for rule in [
            "alloc_bytes>10%",
            "site:alloc_bytes>10%",
            "allocs>0%",
            "findings>0",
        ] {
            let verdict = verdict(rule, &base, candidate);
            assert_eq!(verdict.outcome, Outcome::Unknown, "{verdict:?}");
            assert!(verdict.reason.contains(why), "{verdict:?}");
        }
        // It may have been more before.
        let verdict = verdict("alloc_bytes>10%", candidate, &grown(50));
        assert_eq!(verdict.outcome, Outcome::Unknown, "{verdict:?}");
        assert!(verdict.reason.contains("but BASE "), "{verdict:?}");
        assert_eq!(
            outcome("site:alloc_bytes>10%", candidate, &grown(50)),
            Outcome::Unknown
        );
        assert_eq!(outcome("alloc_bytes>10%", candidate, &base), Outcome::Kept);
        let comparison = compare(&base, candidate, Terms::default());
        let change = comparison.totals.of(Figure::AllocBytes);
        assert_eq!(change.significant, None);
    }
    let mut trifle = steady();
    trifle.completeness.lost[0].1 = 12;
    assert_eq!(outcome("alloc_bytes>10%", &base, &trifle), Outcome::Kept);
}

#[test]
fn findings_that_a_candidate_could_not_have_are_not_known() {
    let base = fixture::with_heap();
    assert_eq!(outcome("findings>0", &base, &base), Outcome::Kept);
    let changed = |change: &dyn Fn(&mut Report)| {
        let mut candidate = fixture::with_heap();
        change(&mut candidate);
        outcome("findings>0", &base, &candidate)
    };
    assert_eq!(
        changed(&|report| report.window.duration_ns /= 4),
        Outcome::Unknown
    );
    assert_eq!(
        changed(&|report| report.sites.iter_mut().for_each(|site| site.growth = None)),
        Outcome::Unknown
    );
    assert_eq!(changed(&|report| report.heap = None), Outcome::Unknown);
}

#[test]
fn hostile_captures_are_judged() {
    let (sane, nasty) = (steady(), fixture::nasty());
    for rule in [
        "alloc_bytes>1%",
        "site:allocs>1%",
        "allocs>1/s",
        "findings>0",
        "site:faults>1",
        "live_bytes>=0",
    ] {
        for (base, candidate) in [(&sane, &nasty), (&nasty, &sane), (&nasty, &nasty)] {
            verdict(rule, base, candidate);
        }
    }
}
