//! Profiles as a reader decodes them: every figure against the report they are made of.

use super::proto::{Label, Profile, Sample};
use super::write;
use crate::report::{Alive, Estimate, Family, Mode, Report, StackFigures, TypeFigures, fixture};
use flate2::read::GzDecoder;
use prost::Message as _;
use std::io::Read as _;

fn written(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    out
}

fn read(report: &Report) -> Profile {
    decoded(&written(report))
}

fn decoded(gzip: &[u8]) -> Profile {
    let mut bytes = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut bytes).unwrap();
    Profile::decode(bytes.as_slice()).unwrap()
}

impl Profile {
    fn text(&self, position: i64) -> &str {
        &self.string_table[usize::try_from(position).unwrap()]
    }

    fn kinds(&self) -> Vec<&str> {
        let kinds = self.sample_type.iter();
        kinds.map(|kind| self.text(kind.r#type)).collect()
    }

    fn sum(&self, kind: &str) -> Option<i64> {
        let at = self.kinds().iter().position(|known| *known == kind)?;
        Some(self.sample.iter().map(|sample| sample.value[at]).sum())
    }

    /// Functions of each location, innermost first, and whether it is inlined into the next.
    fn stack(&self, sample: &Sample) -> Vec<String> {
        let mut names = Vec::new();
        for id in &sample.location_id {
            let location = self
                .location
                .iter()
                .find(|location| location.id == *id)
                .unwrap();
            let host = location.line.len() - 1;
            for (at, line) in location.line.iter().enumerate() {
                let function = &self.function[usize::try_from(line.function_id).unwrap() - 1];
                assert_eq!(function.id, line.function_id);
                let mark = if at < host { " (inlined)" } else { "" };
                names.push(format!("{}:{}{mark}", self.text(function.name), line.line));
            }
        }
        names
    }

    fn labels(&self, sample: &Sample) -> Vec<String> {
        let shown = |label: &Label| match label.str {
            0 => format!(
                "{}={} {}",
                self.text(label.key),
                label.num,
                self.text(label.num_unit)
            ),
            text => format!("{}={}", self.text(label.key), self.text(text)),
        };
        sample.label.iter().map(shown).collect()
    }
}

/// Fails unless the profile adds up to the totals of `report`.
pub(in crate::output) fn check_sums(gzip: &[u8], report: &Report) {
    let profile = decoded(gzip);
    let signed = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap());
    let totals = &report.totals;
    assert_eq!(profile.sum("alloc_objects"), signed(Some(totals.allocs)));
    assert_eq!(profile.sum("alloc_space"), signed(totals.alloc_bytes));
    assert_eq!(
        profile.sum("requested_space"),
        signed(totals.requested_bytes)
    );
    assert_eq!(profile.sum("faults"), signed(totals.faults));
    assert_eq!(profile.sum("inuse_space"), signed(totals.live_bytes));
    for sample in &profile.sample {
        assert!(sample.value.iter().all(|value| *value >= 0), "{sample:?}");
        assert!(!sample.location_id.is_empty());
    }
}

#[test]
fn samples_add_up_to_the_totals() {
    let mut with_rest = fixture::report();
    with_rest.totals.allocs += 17;
    with_rest.totals.alloc_bytes = Some(2_000_000_000);
    let mut without_types = fixture::report();
    for site in &mut without_types.sites {
        site.stacks.iter_mut().for_each(|stack| stack.types.clear());
    }
    for report in [
        fixture::report(),
        fixture::empty(),
        fixture::with_pages(),
        fixture::with_heap(),
        fixture::only_history(),
        fixture::of_spans(),
        fixture::estimated(),
        with_rest,
        without_types,
    ] {
        check_sums(&written(&report), &report);
    }
}

#[test]
fn what_is_at_no_stack_has_a_name() {
    let mut report = fixture::report();
    report.totals.allocs += 17;
    let profile = read(&report);
    let last = profile.sample.last().unwrap();
    assert_eq!(profile.stack(last), ["[stack not known]:0"]);
    // The unnamed site has 40.
    assert_eq!(last.value[0], 57);
}

#[test]
fn a_sample_is_a_stack_from_its_site_on_and_a_type() {
    let mut report = fixture::report();
    report.stacks[0].frames.insert(0, 6);
    report.stacks[1].creator = Some(6);
    report.stacks[1].labels = vec![("tenant".into(), "acme".into())];
    let profile = read(&report);
    let shown: Vec<_> = profile
        .sample
        .iter()
        .map(|sample| (profile.labels(sample), sample.value.clone()))
        .collect();
    let labels = |labels: &[&str]| {
        labels
            .iter()
            .map(|label| (*label).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        profile.kinds(),
        ["alloc_objects", "alloc_space", "requested_space"]
    );
    assert_eq!(
        shown,
        [
            (
                labels(&["type=main.User", "bytes=160 bytes"]),
                vec![5_000_000, 800_000_000, 735_072_000]
            ),
            (
                labels(&["bytes=356 bytes"]),
                vec![200_000, 71_366_656, 55_328_000]
            ),
            (
                labels(&[
                    "type=[]uint8",
                    "goroutine=net/http.(*conn).serve /usr/local/go/src/net/http/server.go:2102",
                    "tenant=acme",
                    "bytes=256 bytes"
                ]),
                vec![1_000_000, 256_000_000, 244_000_000]
            ),
            (
                labels(&["type=[]uint8", "bytes=256 bytes"]),
                vec![234_567, 60_049_152, 57_234_000]
            ),
            (labels(&["bytes=16 bytes"]), vec![40, 640, 600]),
        ]
    );
    assert_eq!(profile.stack(&profile.sample[0])[0], "main.(*Cache).Put:88");
    assert_eq!(
        profile.stack(&profile.sample[2])[..4],
        [
            "strings.(*Builder).grow:65 (inlined)",
            "strings.(*Builder).WriteString:114 (inlined)",
            "main.render:31",
            "main.(*Server).order:140"
        ]
    );
}

#[test]
fn what_belongs_to_no_type_is_a_sample_of_its_own_unless_there_is_one_type() {
    let mut report = fixture::report();
    for site in &mut report.sites {
        site.stacks
            .iter_mut()
            .for_each(|stack| stack.figures.faults = Some(10));
    }
    report.totals.faults = Some(45);
    let profile = read(&report);
    let faults: Vec<_> = profile
        .sample
        .iter()
        .map(|sample| (profile.labels(sample).len(), sample.value[3]))
        .collect();
    // Of two types neither has them: they may be of both. The second has no name.
    assert_eq!(faults, [(2, 0), (1, 10), (2, 10), (2, 10), (1, 15)]);
}

#[test]
fn what_is_alive_is_counted_once() {
    let report = fixture::with_heap();
    assert_eq!(Alive::of(&report), Alive::Ever);
    let profile = read(&report);
    assert_eq!(profile.sum("inuse_objects"), Some(900_000));
    assert_eq!(profile.sum("inuse_space"), Some(140 << 20));
    assert_eq!(profile.sum("recent_objects"), Some(125_000));
    assert_eq!(profile.sum("recent_space"), Some(19 << 20));
    let mut since = report.clone();
    since.heap.as_mut().unwrap().history = None;
    since.totals.live_bytes = Some(19 << 20);
    check_sums(&written(&since), &since);
    assert_eq!(read(&since).sum("inuse_objects"), Some(125_000));
    assert_eq!(read(&since).sum("recent_objects"), None);
}

#[test]
fn a_kind_of_which_nothing_is_known_is_left_out() {
    let mut report = fixture::of_spans();
    report.totals.requested_bytes = None;
    report.totals.alloc_bytes = None;
    let profile = read(&report);
    assert_eq!(profile.kinds(), ["alloc_objects"]);
    assert_eq!(profile.text(profile.default_sample_type), "alloc_objects");
}

#[test]
fn the_profile_says_what_it_is_of() {
    let report = fixture::report();
    let profile = read(&report);
    assert_eq!(profile.text(profile.default_sample_type), "alloc_space");
    assert_eq!(
        (profile.time_nanos, profile.duration_nanos),
        (1_790_000_000_123_456_789, 10_000_000_000)
    );
    let period = profile.period_type.unwrap();
    assert_eq!(
        (
            profile.text(period.r#type),
            profile.text(period.unit),
            profile.period
        ),
        ("space", "bytes", 1)
    );
    let mapping = &profile.mapping[0];
    assert_eq!(
        (
            profile.text(mapping.filename),
            profile.text(mapping.build_id)
        ),
        ("/srv/shop/bin/shop-api", "d1f0c2")
    );
    assert!(mapping.has_functions && mapping.has_inline_frames);

    let sampled = read(&fixture::with_heap());
    assert_eq!(sampled.period, 512 << 10);
    let mut heap = fixture::only_history();
    heap.window.mode = Mode::Heap;
    let heap = read(&heap);
    assert_eq!(heap.text(heap.default_sample_type), "inuse_space");
}

fn comments(report: &Report) -> Vec<String> {
    let profile = read(report);
    let comments = profile.comment.iter();
    comments.map(|at| profile.text(*at).to_owned()).collect()
}

#[test]
fn comments_count_what_figures_are_made_of() {
    let mut report = fixture::with_heap();
    report.completeness.families.push(Family {
        name: "heap_samples".into(),
        hits: Some(2270),
        delivered: 2265,
        lost: vec![("heap_samples_ring_full".into(), 5)],
    });
    let sampled = comments(&report);
    assert!(
        sampled[1].starts_with(
            "delivered 2,265 of 2,270 samples, sampled out 0, lost heap_samples_ring_full 5;"
        ),
        "{sampled:#?}"
    );

    // Nothing was recorded.
    let heap = comments(&fixture::only_history());
    assert!(heap[0].ends_with("mode heap"), "{heap:#?}");
    assert!(!heap.concat().contains("hits"), "{heap:#?}");
}

#[test]
fn comments_tell_what_is_missing_and_what_it_cost() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        comments(&fixture::report()),
        [
            format!("tracer {version}: /srv/shop/bin/shop-api pid 48213, go1.27.3 amd64, mode exact, 10.0 s"),
            "delivered 6,434,607 of 6,434,607 hits, sampled out 0, lost 0; at no stack 0; stacks cut short 0; coverage 100 %".to_owned(),
            "probes took 58.7 % of one CPU, 39.1 % of what the target used; 643k/s hits; agent 3.1 % of one CPU, 43 MiB resident".to_owned(),
        ]
    );
    let estimated = comments(&fixture::estimated());
    assert!(
        estimated[1].starts_with("after 62 ms: windows: recording 756175"),
        "{estimated:#?}"
    );
    assert!(
        estimated
            .iter()
            .any(|line| line.contains("standard error of all allocations 12,345")),
        "{estimated:#?}"
    );
}

#[test]
fn the_same_report_is_the_same_bytes() {
    assert_eq!(
        written(&fixture::with_heap()),
        written(&fixture::with_heap())
    );
    // RFC 1952: bytes 4 to 7 are the time.
    assert_eq!(
        written(&fixture::report())[..10],
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
    );
}

#[test]
fn hostile_figures_and_names_make_a_profile() {
    let profile = read(&fixture::nasty());
    assert!(
        profile
            .string_table
            .iter()
            .all(|text| !text.contains('\u{1b}'))
    );
    let mut report = fixture::report();
    let site = &mut report.sites[0];
    site.types = vec![];
    let of_type = TypeFigures {
        name: "a".into(),
        allocs: u64::MAX,
        alloc_bytes: None,
        bytes: Some(u64::MAX),
        pointer_bytes: None,
        live_bytes: None,
    };
    site.stacks[0].types = vec![of_type; 3];
    let unknown = StackFigures {
        id: 99,
        ..site.stacks[0].clone()
    };
    site.stacks.push(unknown);
    report.totals.estimate = Some(Estimate::default());
    check_sums(&written(&report), &report);
}
