//! Memory that is kept, taken at once, or touched anew all the time.

use super::{Finding, Rule, Severity, place};
use crate::report::{FaultMemory, FaultsByMemory, PartKind, Report, Site};
use crate::units;
use tracer_common::family::Extra;

/// Free spans that are worth a word: at least so much, and this share of what is resident.
const MIN_FREE_BYTES: u64 = 32 << 20;
const MIN_FREE_SHARE: f64 = 0.3;
/// An object that is worth a word, and one that is more than that.
const HUGE_BYTES: u64 = 64 << 20;
const VERY_HUGE_BYTES: u64 = 256 << 20;
/// Share of the memory limit from which on an object is more than worth a word.
const HUGE_SHARE: f64 = 0.1;
/// Page faults a second at one site that are a storm, and a strong one; its least share of all, and least number.
const STORM_PER_S: f64 = 10_000.0;
const STRONG_STORM_PER_S: f64 = 100_000.0;
const STORM_SHARE: f64 = 0.3;
const STORM_FAULTS: u64 = 5_000;

/// What is wrong with how memory is taken and given back.
pub(super) fn find(report: &Report) -> Vec<Finding> {
    let of_sites = report.sites.iter().flat_map(|site| {
        let findings = [huge(report, site), storm(report, site)];
        findings.into_iter().flatten()
    });
    returned_late(report).into_iter().chain(of_sites).collect()
}

fn returned_late(report: &Report) -> Option<Finding> {
    let memory = report.memory.as_ref()?;
    let untouched = memory.untouched_bytes.unwrap_or(0);
    let free = memory.part(PartKind::FreeSpans)?.saturating_sub(untouched);
    let share = free as f64 / memory.rss_bytes.max(1) as f64;
    if free < MIN_FREE_BYTES || share < MIN_FREE_SHARE {
        return None;
    }
    let rss = |point: &crate::report::TimelinePoint| point.rss_bytes;
    let first = report.timeline.iter().find_map(rss);
    let fell = first.map(|first| first.saturating_sub(memory.rss_bytes));
    let mut evidence = format!(
        "{} of {} resident are free spans, {}",
        units::bytes(free),
        units::bytes(memory.rss_bytes),
        units::percent(Some(100.0 * share))
    );
    if let Some(fell) = fell {
        let time = units::duration(report.window.duration_ns);
        evidence += &format!("; resident memory fell by {} in {time}", units::bytes(fell));
    }
    Some(Finding {
        rule: Rule::MemoryReturnedLate,
        severity: Severity::Info,
        title: "much of the resident memory is free, and not returned".to_owned(),
        evidence,
        advice: "The heap was larger than it is. GOMEMLIMIT makes the runtime return memory near a limit, debug.FreeOSMemory at once; a lower peak is better than both."
            .to_owned(),
        site: None,
        map: None,
    })
}

fn huge(report: &Report, site: &Site) -> Option<Finding> {
    let largest = site.size.max;
    if largest < HUGE_BYTES || site.figures.allocs == 0 {
        return None;
    }
    let of_limit = report
        .target
        .memory_limit_bytes
        .map(|limit| largest as f64 / limit.max(1) as f64);
    let buckets = site.size.buckets.iter();
    let times = buckets
        .filter(|(size, _)| *size >= HUGE_BYTES)
        .map(|(_, count)| *count)
        .fold(0, u64::saturating_add);
    let mut evidence = format!(
        "{} of {} or more, the largest {}",
        units::plural(times, "allocation"),
        units::bytes(HUGE_BYTES),
        units::bytes(largest)
    );
    if let Some(share) = of_limit {
        let share = units::percent(Some(100.0 * share));
        evidence += &format!(", {share} of the memory limit");
    }
    let much = largest >= VERY_HUGE_BYTES || of_limit.is_some_and(|share| share >= HUGE_SHARE);
    Some(Finding {
        rule: Rule::HugeAllocation,
        severity: if much {
            Severity::Warning
        } else {
            Severity::Info
        },
        title: format!("{}: a huge object is allocated", place(&site.frames)),
        evidence,
        advice: "It counts against the heap's goal at once and is cleared before use: work in pieces, or reuse one buffer."
            .to_owned(),
        site: Some(site.id),
        map: None,
    })
}

fn storm(report: &Report, site: &Site) -> Option<Finding> {
    let here = site.faults.filter(|faults| faults.all() >= STORM_FAULTS)?;
    let all = report.faults?.all();
    let window = &report.window;
    let recorded_ns = window.given_up(Extra::Faults).unwrap_or(window.duration_ns);
    let per_s = units::per_second(here.all(), recorded_ns)?;
    let share = here.all() as f64 / all.max(1) as f64;
    if per_s < STORM_PER_S || share < STORM_SHARE {
        return None;
    }
    Some(Finding {
        rule: Rule::PageFaultStorm,
        severity: if per_s >= STRONG_STORM_PER_S || here.major >= STORM_FAULTS {
            Severity::Warning
        } else {
            Severity::Info
        },
        title: format!("{}: touches new pages all the time", place(&site.frames)),
        evidence: format!(
            "{} page faults at {}, {} of all; {} major",
            units::exact(here.all()),
            units::rate(Some(per_s)),
            units::percent(Some(100.0 * share)),
            units::exact(here.major)
        ),
        advice: storm_advice(&here.by_memory).to_owned(),
        site: Some(site.id),
        map: None,
    })
}

/// What to do depends on what the pages are.
fn storm_advice(by_memory: &FaultsByMemory) -> &'static str {
    let of_each = by_memory.of_each().into_iter();
    let most = of_each.max_by_key(|(_, count)| *count);
    match most.map_or(FaultMemory::Other, |(memory, _)| memory) {
        FaultMemory::Heap => {
            "The heap grows here, or takes back what it had returned: reuse buffers, or keep the heap's size steady (GOGC, GOMEMLIMIT)."
        }
        FaultMemory::Stack => {
            "Goroutines with deep stacks begin and end: keep them, as a pool of workers."
        }
        FaultMemory::File | FaultMemory::Binary => {
            "A mapped file is read page by page: read it in larger pieces, or ask for it ahead (madvise with MADV_WILLNEED)."
        }
        FaultMemory::Other => {
            "Memory outside the Go heap is mapped and touched anew: keep the mapping."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn rules(report: &Report) -> Vec<Rule> {
        find(report).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn free_spans_that_are_much_of_what_is_resident_are_found() {
        let mut report = fixture::with_pages();
        assert_eq!(rules(&report), [Rule::MemoryReturnedLate]);
        // Never touched: they are not resident.
        report.memory.as_mut().unwrap().untouched_bytes = Some(100 << 20);
        assert_eq!(rules(&report), []);
    }

    #[test]
    fn a_huge_object_is_found_at_its_site() {
        let mut report = fixture::report();
        report.sites[1].size.max = 300 << 20;
        report.sites[1].size.buckets.push((300 << 20, 2));
        let findings = find(&report);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].rule, findings[0].site),
            (Rule::HugeAllocation, Some(2))
        );
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0]
                .evidence
                .starts_with("2 allocations of 64 MiB or more, the largest 300 MiB")
        );
    }

    #[test]
    fn a_storm_is_found_where_most_of_the_faults_are() {
        let mut report = fixture::with_pages();
        report.memory = None;
        assert_eq!(rules(&report), []);
        report.window.duration_ns = 2_000_000_000;
        let findings = find(&report);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].rule, findings[0].site),
            (Rule::PageFaultStorm, Some(1))
        );
        assert!(
            findings[0]
                .evidence
                .starts_with("48,012 page faults at 24.0k/s, 96.8 % of all"),
            "{}",
            findings[0].evidence
        );
    }
}
