//! What is wrong with maps.

use super::limit::{Limit, SOON};
use super::{Finding, Rule, Severity, place};
use crate::report::{Crash, MapInstance, MapSite, Maps, Report};
use crate::units;
use std::collections::HashSet;
use std::iter;

/// Least time and entries in which a map can be seen to grow without bound.
const MIN_GROWTH_NS: u64 = 1_000_000_000;
const MIN_GROWTH_ENTRIES: u64 = 100;
/// Parts of the capture in each of which it has grown.
const PARTS: u64 = 3;
/// Entries of a map that has not grown yet.
const SMALL: u64 = 8;
/// Least growths of one map that are worth a word, and bytes that all of a site's took: of everything, or at all.
const MIN_STEPS: u64 = 3;
const MIN_STEP_BYTES: u64 = 16 << 10;
const MIN_STEP_SHARE: f64 = 0.01;
const MANY_STEP_BYTES: u64 = 1 << 20;
/// From this share of all bytes on, it is more than worth knowing.
const MUCH_STEP_SHARE: f64 = 0.1;
/// Bytes of one map's table that the collector scans: less takes it no time.
const MIN_SCANNED_BYTES: u64 = 1 << 20;
/// What starts a panic, which a program may recover from, and what the runtime says if it wrote to a nil map.
const PANIC: &str = "runtime.gopanic";
const NIL_MAP: &str = "assignment to entry in nil map";
/// What the runtime says if two goroutines use a map at the same time: what it checks first, and what it finds when it
/// grows (`evacuate` in `src/runtime/map.go` up to Go 1.23).
const CONCURRENT: [&str; 3] = ["concurrent map", "bad map state", "bad evacuatedN"];

/// What is wrong with the maps of a report.
pub(super) fn find(report: &Report) -> Vec<Finding> {
    let Some(maps) = &report.maps else {
        return Vec::new();
    };
    let unbounded = one_for_each_site(maps, |instance| grows_without_bound(report, maps, instance));
    let sites_without_bound: HashSet<u32> = unbounded.iter().filter_map(|f| f.map).collect();
    let heavy = one_for_each_site(maps, |instance| pointer_heavy(maps, instance));
    let of_sites = maps.sites.iter().flat_map(|site| {
        // A map without bound has no size to be made with.
        let steps = (!sites_without_bound.contains(&site.id))
            .then(|| grown_step_by_step(report, site))
            .flatten();
        [steps, pointer_keys(site)].into_iter().flatten()
    });
    let of_sites: Vec<Finding> = of_sites.collect();
    [unbounded, of_sites, heavy].concat()
}

/// Findings about single maps: of each place only the first, that of its largest map.
fn one_for_each_site(maps: &Maps, find: impl Fn(&MapInstance) -> Option<Finding>) -> Vec<Finding> {
    let mut found: HashSet<u32> = HashSet::new();
    let mut findings = Vec::new();
    for instance in &maps.instances {
        if !found.contains(&instance.site)
            && let Some(finding) = find(instance)
        {
            found.insert(instance.site);
            findings.push(finding);
        }
    }
    findings
}

/// The site of a map, if it has one.
fn site_of<'a>(maps: &'a Maps, instance: &MapInstance) -> Option<&'a MapSite> {
    maps.sites.iter().find(|site| site.id == instance.site)
}

fn grows_without_bound(report: &Report, maps: &Maps, instance: &MapInstance) -> Option<Finding> {
    if instance.alive == Some(false) {
        return None;
    }
    let growth = steady_growth(&instance.curve, report.window.duration_ns)?;
    let frames = site_of(maps, instance).map(|site| site.frames.as_slice());
    let seconds = growth.duration_ns as f64 / 1e9;
    let per_s = (growth.to - growth.from) as f64 / seconds;
    let fewer = match instance.deletes {
        Some(deletes @ 1..) => format!("in spite of {}", units::plural(deletes, "delete")),
        _ => "never fewer".to_owned(),
    };
    let mut evidence = format!(
        "from {} to {} entries in {seconds:.1} s, {}, {fewer}",
        units::exact(growth.from),
        units::exact(growth.to),
        units::rate(Some(per_s)),
    );
    if let Some(bytes) = instance.table_bytes {
        evidence += &format!("; its table has {}", units::bytes(bytes));
    }
    let limit = Limit::of(report);
    let left = limit.and_then(|limit| limit.left());
    if let Some((limit, left)) = limit.zip(left) {
        let time = units::duration(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
        evidence += &format!(
            "; the memory limit of {} is {time} away at the process's rate of growth",
            units::bytes(limit.bytes)
        );
    }
    Some(Finding {
        rule: Rule::MapGrowsWithoutBound,
        severity: match left {
            Some(left) if left < SOON => Severity::Critical,
            _ => Severity::Warning,
        },
        title: format!(
            "{}: a {} only grows",
            place(frames.unwrap_or_default()),
            instance.type_name
        ),
        evidence,
        advice: "Delete what is no longer needed or bound the map: it keeps every entry, and what that points to, alive."
            .to_owned(),
        site: None,
        map: site_of(maps, instance).map(|site| site.id),
    })
}

/// A map that only grows.
#[derive(Debug, PartialEq)]
struct Steady {
    from: u64,
    to: u64,
    duration_ns: u64,
}

/// How a map grew, if it never shrank and grew in each part of a capture of `capture_ns`: one that is only being filled was
/// not there at the start, or is full before the end. Of one that was large already when it was seen first, the time since
/// then counts, if it is long enough.
fn steady_growth(curve: &[(u64, u64)], capture_ns: u64) -> Option<Steady> {
    let (&(start, from), &(end, to)) = (curve.first()?, curve.last()?);
    let duration_ns = end.checked_sub(start)?;
    let shrank = curve.array_windows().any(|[(_, a), (_, b)]| b < a);
    if shrank || duration_ns < MIN_GROWTH_NS || to.saturating_sub(from) < MIN_GROWTH_ENTRIES {
        return None;
    }
    let at = |time: u64| {
        curve
            .iter()
            .rev()
            .find(|(t, _)| *t <= time)
            .map(|(_, entries)| *entries)
    };
    if duration_ns < capture_ns / 2 {
        return None;
    }
    let (since, time) = if from > SMALL {
        (start, duration_ns)
    } else {
        (0, capture_ns)
    };
    let inner = (1..PARTS).map(|part| at(since.saturating_add(time / PARTS * part)));
    let borders = iter::once(Some(from)).chain(inner).chain([Some(to)]);
    let borders = borders.collect::<Option<Vec<u64>>>()?;
    let grew = borders.array_windows().all(|[a, b]| a < b);
    grew.then_some(Steady {
        from,
        to,
        duration_ns,
    })
}

fn grown_step_by_step(report: &Report, site: &MapSite) -> Option<Finding> {
    let growth = site.growth?;
    let steps = site.steps.checked_div(site.first_growths)?;
    let bytes = growth.bytes();
    let all = report.totals.bytes();
    let share = bytes as f64 / all as f64;
    let worth = bytes >= MANY_STEP_BYTES || (bytes >= MIN_STEP_BYTES && share >= MIN_STEP_SHARE);
    // Room from the start does not spare it growths to the same size.
    if steps < MIN_STEPS || !worth || site.same_size_growths > site.steps {
        return None;
    }
    let mut evidence = format!(
        "{} grew {}, up to {} entries; growing allocated {}, {} of all bytes",
        units::plural(site.first_growths, "map"),
        units::plural(site.steps, "time"),
        units::exact(site.max_entries),
        units::bytes(bytes),
        units::percent(units::share(bytes, all)),
    );
    if let Some(times) = site.amplification {
        evidence += &format!(" and {times:.1} times their final tables");
    }
    Some(Finding {
        rule: Rule::MapGrownStepByStep,
        severity: if share >= MUCH_STEP_SHARE {
            Severity::Warning
        } else {
            Severity::Info
        },
        title: format!(
            "{}: {} reaches its size step by step",
            place(&site.frames),
            site.type_name
        ),
        evidence,
        advice: match site.instances.max(site.first_growths) {
            1 => format!(
                "Give it room for its entries when it is made: make({}, {}).",
                site.type_name, site.max_entries
            ),
            // The largest says nothing of the others.
            _ => format!(
                "Give each room for its own entries when it is made: make({}, n).",
                site.type_name
            ),
        },
        site: None,
        map: Some(site.id),
    })
}

fn pointer_keys(site: &MapSite) -> Option<Finding> {
    let key = site.key.as_ref().filter(|key| key.is_pointer)?;
    let (times, what) = match site.operations {
        Some(operations) => (operations.writes, "write"),
        None => (site.growths, "growth"),
    };
    if times == 0 {
        // Those who write decide what the keys are.
        return None;
    }
    Some(Finding {
        rule: Rule::MapPointerKeys,
        severity: Severity::Info,
        title: format!(
            "{}: the keys of {} are pointers",
            place(&site.frames),
            site.type_name
        ),
        evidence: format!(
            "{}, up to {} entries; a {} finds its entry only if it is the same object",
            units::plural(times, what),
            units::exact(site.max_entries),
            key.name
        ),
        advice: "Use the value as the key, if equal values are meant to be one key.".to_owned(),
        site: None,
        map: Some(site.id),
    })
}

fn pointer_heavy(maps: &Maps, instance: &MapInstance) -> Option<Finding> {
    let scanned = instance
        .table_pointer_bytes
        .filter(|bytes| *bytes >= MIN_SCANNED_BYTES && instance.alive != Some(false))?;
    let frames = site_of(maps, instance).map(|site| site.frames.as_slice());
    Some(Finding {
        rule: Rule::MapPointerHeavy,
        severity: Severity::Info,
        title: format!(
            "{}: the collector has much to scan in a {}",
            place(frames.unwrap_or_default()),
            instance.type_name
        ),
        evidence: format!(
            "{} entries; each collection scans {} of its table and follows the pointers in it",
            units::exact(instance.max_entries),
            units::bytes(scanned)
        ),
        advice: "If collections take much CPU time: keys and elements without pointers (numbers, arrays, indices into a slice) are not scanned."
            .to_owned(),
        site: None,
        map: site_of(maps, instance).map(|site| site.id),
    })
}

/// Fatal errors and panics.
pub(super) fn crashes(report: &Report) -> Vec<Finding> {
    // Another panic, or one without a message, may be any, and the program may go on.
    let known = |crash: &&Crash| crash.message == NIL_MAP || crash.function != PANIC;
    report.crashes.iter().filter(known).map(crash).collect()
}

fn crash(crash: &Crash) -> Finding {
    let message = crash.message.as_str();
    let (rule, advice) = if CONCURRENT.iter().any(|start| message.starts_with(start)) {
        (
            Rule::ConcurrentMapWrites,
            "Guard the map with a sync.Mutex, or use a sync.Map; `go build -race` shows the other goroutine.",
        )
    } else if message == NIL_MAP {
        (
            Rule::NilMapWrite,
            "Make the map before it is written to; a nil map can only be read.",
        )
    } else {
        (
            Rule::FatalError,
            "The runtime's message says why; the stack in the capture says where.",
        )
    };
    let goroutine = crash.goroutine.map(|id| format!(" in goroutine {id}"));
    let callers: Vec<String> = crash
        .frames
        .iter()
        .skip(1)
        .take(3)
        .map(|f| place(std::slice::from_ref(f)))
        .collect();
    let mut evidence = format!(
        "{}{}, {} after the start",
        units::plural(crash.count, "time"),
        goroutine.unwrap_or_default(),
        units::duration(crash.t_ns)
    );
    if !callers.is_empty() {
        evidence += &format!("; called by {}", callers.join(" ← "));
    }
    Finding {
        rule,
        severity: Severity::Critical,
        title: format!("{}: {message}", place(&crash.frames)),
        evidence,
        advice: advice.to_owned(),
        site: None,
        map: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_map_at_no_place_has_no_site_and_who_deletes_does_not_choose_the_keys() {
        let mut report = crate::report::fixture::with_maps();
        let maps = report.maps.as_mut().unwrap();
        maps.instances[0].site = 0;
        maps.instances[0].deletes = Some(2);
        maps.sites[1].operations = Some(crate::report::MapOperations {
            deletes: 5,
            ..Default::default()
        });
        let findings = find(&report);
        let map_of = |rule| {
            findings
                .iter()
                .find(|found| found.rule == rule)
                .map(|found| found.map)
        };
        assert_eq!(map_of(Rule::MapGrowsWithoutBound), Some(None));
        assert_eq!(map_of(Rule::MapPointerKeys), None);
        let evidence = |found: &Finding| found.evidence.contains("in spite of 2 deletes");
        assert!(findings.iter().any(evidence), "{findings:?}");
    }

    #[test]
    fn steps_are_growths_that_room_from_the_start_would_spare() {
        let report = crate::report::fixture::with_maps();
        let index = report.maps.as_ref().unwrap().sites[1].clone();
        let found = |first_growths, steps, same_size_growths| {
            let site = MapSite {
                first_growths,
                steps,
                instances: first_growths,
                same_size_growths,
                ..index.clone()
            };
            grown_step_by_step(&report, &site)
        };
        let advice = |found: Option<Finding>| found.map(|found| found.advice).unwrap_or_default();
        assert!(advice(found(1, 7, 0)).ends_with("make(map[*main.User]int, 1000)."));
        assert!(advice(found(1000, 7000, 0)).ends_with("make(map[*main.User]int, n)."));
        assert_eq!(found(1, 5, 495), None, "a cache whose entries come and go");
        assert_eq!(found(1, 2, 1), None);
        let titles = [found(1, 7, 0), found(1, 8, 0)].map(|found| found.unwrap().title);
        assert_eq!(titles[0], titles[1], "the same finding when it has gone on");
    }

    #[test]
    fn an_unknown_panic_is_no_finding() {
        let crash = |function: &str, message: &str| Crash {
            function: function.to_owned(),
            message: message.to_owned(),
            goroutine: None,
            frames: Vec::new(),
            t_ns: 0,
            count: 1,
        };
        let mut report = crate::report::fixture::report();
        report.crashes = vec![
            crash(PANIC, ""),
            crash(PANIC, "assignment by the program's own"),
            crash(PANIC, "assignment to entry in nil map"),
            crash("runtime.throw", ""),
            crash("runtime.throw", "bad map state"),
        ];
        let rules: Vec<Rule> = crashes(&report)
            .iter()
            .map(|finding| finding.rule)
            .collect();
        assert_eq!(
            rules,
            [
                Rule::NilMapWrite,
                Rule::FatalError,
                Rule::ConcurrentMapWrites
            ]
        );
    }

    #[test]
    fn a_map_grows_without_bound_if_it_does_all_the_time() {
        let growing: Vec<(u64, u64)> = (0..=10).map(|s| (s * S, 1000 * s)).collect();
        assert_eq!(
            steady_growth(&growing, 10 * S),
            Some(Steady {
                from: 0,
                to: 10_000,
                duration_ns: 10 * S
            })
        );
        let filled: Vec<(u64, u64)> = (0..=10).map(|s| (s * S, 1000 * s.min(4))).collect();
        assert_eq!(steady_growth(&filled, 10 * S), None);
        assert_eq!(steady_growth(&filled[..5], 10 * S), None);
        assert_eq!(steady_growth(&growing[6..], 10 * S), None);
        let seen_late = &growing[4..];
        assert!(
            steady_growth(seen_late, 10 * S).is_some(),
            "it was there already"
        );
        let made_late: Vec<(u64, u64)> = (4..=10).map(|s| (s * S, 1000 * (s - 4))).collect();
        assert_eq!(steady_growth(&made_late, 10 * S), None);
        let bounded: Vec<(u64, u64)> = (0..=10)
            .map(|s| (s * S, 5000 + 100 * s - 900 * (s % 2)))
            .collect();
        assert_eq!(steady_growth(&bounded, 10 * S), None);
        assert_eq!(steady_growth(&[(0, 0), (S, 10)], S), None);
        assert_eq!(steady_growth(&[], S), None);
    }
}
