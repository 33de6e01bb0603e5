//! The text as a whole: golden files, and what holds for every report at every width.

use super::{TextOptions, line::width, write, write_interval};
use crate::live::interval::{Interval, IntervalGroup, IntervalGroups, IntervalSite};
use crate::report::{
    EndedBy, Figures, GroupBy, Grouped, Report, SizeSummary, SortBy, State, fixture,
};

fn text(report: &Report, options: &TextOptions) -> String {
    let mut out = Vec::new();
    write(report, None, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const ALL_GROUPS: [GroupBy; 4] = [
    GroupBy::Type,
    GroupBy::Function,
    GroupBy::Package,
    GroupBy::Stack,
];

/// The table of groups alone, and the block of an interval, for one kind of groups.
fn by(report: &Report, by: GroupBy, options: &TextOptions) -> String {
    let grouped = Grouped::of(report, by, SortBy::Bytes);
    let mut out = Vec::new();
    write(report, Some(&grouped), options, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let table = text.split("\n\n").nth(2).unwrap_or_default();
    format!(
        "{}\n{}",
        table.trim_end(),
        live_by(report, Some(&grouped), options)
    )
}

fn by_each(report: &Report, options: &TextOptions) -> String {
    let texts = ALL_GROUPS.map(|kind| format!("by {}\n{}", kind.name(), by(report, kind, options)));
    texts.join("\n")
}

fn live(report: &Report, options: &TextOptions) -> String {
    live_by(report, None, options)
}

/// The report as if it had been the second second of a stream.
fn live_by(report: &Report, grouped: Option<&Grouped>, options: &TextOptions) -> String {
    let twice = |figures: Figures| Figures {
        allocs: figures.allocs.saturating_mul(2),
        alloc_bytes: figures.alloc_bytes.map(|bytes| bytes.saturating_mul(2)),
        requested_bytes: figures.requested_bytes.map(|bytes| bytes.saturating_mul(2)),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate: None,
    };
    let sites = report.sites.iter().map(|site| IntervalSite {
        id: site.id,
        frames: &site.frames,
        figures: site.figures,
        total: twice(site.figures),
    });
    let interval = Interval {
        timely: true,
        t_ns: 2_000_000_000,
        duration_ns: 1_000_000_000,
        figures: report.totals,
        hits: report.completeness.hits,
        lost: report.completeness.lost[0].1,
        point: report.timeline.first().cloned().unwrap_or_default(),
        sites: sites.collect(),
        groups: grouped.map(|grouped| IntervalGroups {
            by: grouped.by,
            groups: grouped
                .groups
                .iter()
                .map(|group| IntervalGroup {
                    id: group.id,
                    group,
                    figures: group.figures,
                })
                .collect(),
        }),
    };
    let mut out = Vec::new();
    write_interval(&interval, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The usual report, with every kind of shortcoming.
fn lossy() -> Report {
    let mut report = fixture::report();
    report.window.state = State::Ended(EndedBy::Signal);
    report.completeness.hits += 1500;
    report.completeness.lost[0].1 = 1400;
    report.completeness.unknown_pcs = 3;
    report.completeness.truncated_stacks = 12_345;
    report.completeness.truncated_by = vec![
        ("too_deep".into(), 12_000),
        ("unreadable".into(), 0),
        ("folded".into(), 345),
    ];
    report.completeness.families[0].hits = Some(20);
    report.completeness.families[0].lost[0].1 = 5;
    report.completeness.undefined_stacks = 2;
    report.completeness.overflowed = 1;
    report.completeness.coverage = Some(0.9997);
    report.overhead = crate::report::Overhead {
        hits_per_s: 643_610.7,
        ..Default::default()
    };
    report.totals.alloc_bytes = None;
    report.sites[1].figures.alloc_bytes = None;
    report.sites[1].size = SizeSummary {
        max: 40 << 20,
        ..report.sites[1].size.clone()
    };
    report.timeline.truncate(1);
    report
}

#[test]
fn a_report_reads_like_this() {
    let golden = include_str!("golden/report.txt");
    assert_eq!(text(&fixture::report(), &TextOptions::default()), golden);
}

#[test]
fn what_is_missing_is_said_per_cause() {
    let options = TextOptions {
        limit: 2,
        callers: false,
        ..TextOptions::default()
    };
    assert_eq!(text(&lossy(), &options), include_str!("golden/lossy.txt"));
}

#[test]
fn an_empty_report_says_so() {
    let golden = include_str!("golden/empty.txt");
    assert_eq!(text(&fixture::empty(), &TextOptions::default()), golden);
}

#[test]
fn findings_come_first_and_maps_after_the_sites() {
    let golden = include_str!("golden/maps.txt");
    assert_eq!(text(&fixture::with_maps(), &TextOptions::default()), golden);
}

#[test]
fn what_is_alive_reads_as_the_golden_file() {
    let texts = [
        fixture::with_heap(),
        fixture::only_history(),
        fixture::of_spans(),
    ]
    .map(|report| text(&report.sorted(SortBy::Live), &TextOptions::default()));
    assert_eq!(texts.join("\n"), include_str!("golden/heap.txt"));
}

#[test]
fn a_capture_with_pages_reads_as_the_golden_file() {
    let golden = include_str!("golden/pages.txt");
    assert_eq!(
        text(&fixture::with_pages(), &TextOptions::default()),
        golden
    );
}

#[test]
fn estimates_are_marked() {
    let golden = include_str!("golden/estimated.txt");
    assert_eq!(text(&fixture::estimated(), &TextOptions::default()), golden);
}

#[test]
fn a_narrow_terminal_gets_fewer_columns() {
    let options = TextOptions {
        width: 60,
        ..TextOptions::default()
    };
    assert_eq!(
        text(&fixture::report(), &options),
        include_str!("golden/narrow.txt")
    );
}

#[test]
fn an_interval_reads_like_this() {
    let golden = include_str!("golden/interval.txt");
    let options = TextOptions::default();
    assert_eq!(
        live(&fixture::report(), &options) + &live(&lossy(), &options),
        golden
    );
}

#[test]
fn groups_read_like_this() {
    let mut report = fixture::report();
    // A type of several sites, more than are shown.
    for id in 4..9 {
        let mut site = report.sites[0].clone();
        site.id = id;
        site.frames[0].line = Some(id);
        let (totals, figures) = (&mut report.totals, site.figures);
        totals.allocs += figures.allocs;
        totals.requested_bytes = totals
            .requested_bytes
            .zip(figures.requested_bytes)
            .map(|(all, more)| all + more);
        *totals.alloc_bytes.as_mut().unwrap() += figures.alloc_bytes.unwrap();
        report.sites.push(site);
    }
    assert_eq!(
        by_each(&report, &TextOptions::default()),
        include_str!("golden/groups.txt")
    );
}

#[test]
fn the_sites_beyond_the_limit_are_summed_up() {
    let report = fixture::report();
    let tail = |limit| {
        let text = text(
            &report,
            &TextOptions {
                limit,
                ..TextOptions::default()
            },
        );
        text.lines()
            .find(|line| line.starts_with('…'))
            .map(str::to_owned)
    };
    assert_eq!(tail(0).as_deref(), Some("… and 3 more sites (100 %)"));
    assert_eq!(tail(1).as_deref(), Some("… and 2 more sites (26.6 %)"));
    assert_eq!(tail(2).as_deref(), Some("… and 1 more site (<0.1 %)"));
    assert_eq!(tail(3), None);
}

#[test]
fn no_line_is_wider_than_asked() {
    for report in [
        fixture::report(),
        fixture::empty(),
        fixture::nasty(),
        fixture::with_heap(),
        fixture::only_history(),
        lossy(),
    ] {
        for columns in (40..=140).step_by(3) {
            let options = TextOptions {
                width: columns,
                ..TextOptions::default()
            };
            for line in
                (text(&report, &options) + &live(&report, &options) + &by_each(&report, &options))
                    .lines()
            {
                assert!(
                    width(line) <= columns,
                    "{} > {columns}: {line}",
                    width(line)
                );
            }
        }
    }
}

#[test]
fn lines_do_not_end_in_blanks() {
    let mut untyped = fixture::report();
    untyped.sites[0].types.clear();
    for report in [
        untyped,
        fixture::report(),
        fixture::empty(),
        fixture::nasty(),
        fixture::with_heap(),
        fixture::of_spans(),
        lossy(),
    ] {
        let options = TextOptions::default();
        for line in
            (text(&report, &options) + &live(&report, &options) + &by_each(&report, &options))
                .lines()
        {
            assert_eq!(line.trim_end(), line);
        }
    }
}

#[test]
fn without_colour_there_is_no_escape_byte_and_with_colour_the_same_text() {
    for report in [fixture::report(), fixture::nasty(), lossy()] {
        let plain = TextOptions::default();
        let coloured = TextOptions {
            color: true,
            ..plain.clone()
        };
        for render in [text, live] {
            let expect = render(&report, &plain);
            assert!(!expect.bytes().any(|byte| byte < b' ' && byte != b'\n'));
            assert_eq!(without_escapes(&render(&report, &coloured)), expect);
        }
    }
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}

#[test]
fn colour_tells_whether_anything_is_missing() {
    let coloured = TextOptions {
        color: true,
        ..TextOptions::default()
    };
    let complete = text(&fixture::report(), &coloured);
    assert!(complete.contains("\u{1b}[32mdelivered 6,434,607 of 6,434,607 hits, lost 0\u{1b}[0m"));
    let lossy = text(&lossy(), &coloured);
    assert!(lossy.contains("\u{1b}[1m\u{1b}[31mdelivered 6,434,607 of 6,436,107 hits, lost 1,400"));
    assert!(lossy.contains("\u{1b}[1m\u{1b}[31mring_full 1,400\u{1b}[0m"));
}
