//! Sites whose live memory grows steadily from cycle to cycle of the collector.
//!
//! What is alive at the end of a cycle is all that the collector could not free, so that a site which only churns has no
//! slope. A cache that is being filled has one, and is told as well: it is for the reader to know whether it has a bound.

use super::limit::{Limit, SOON};
use super::{Finding, Rule, Severity, place};
use crate::report::{Growth, MapSite, Report, Site};
use crate::units;

/// Points of the course that are needed: the first, and three cycles.
const MIN_POINTS: usize = 4;
/// The slope, in standard errors: one such site in 30,000 by chance.
const MIN_CONFIDENCE: f64 = 4.0;
/// Steps that do not lead down.
const MIN_STEADINESS: f64 = 0.75;
/// What a leak has gained: at least so much, and this share of the live heap.
const MIN_GAIN_BYTES: u64 = 1 << 20;
const MIN_GAIN_SHARE: f64 = 0.02;
/// Leaks that are told, the fastest first.
const MOST: usize = 5;

/// Sites that leak, the fastest first.
pub(super) fn find(report: &Report) -> Vec<Finding> {
    let mut leaks: Vec<(&Site, &Growth)> = report
        .sites
        .iter()
        .filter_map(|site| Some((site, site.growth.as_ref()?)))
        .filter(|(_, growth)| is_leak(report, growth))
        .collect();
    leaks.sort_by(|(_, a), (_, b)| b.bytes_per_s.total_cmp(&a.bytes_per_s));
    let told = leaks.into_iter().take(MOST);
    told.map(|(site, growth)| leak(report, site, growth))
        .collect()
}

fn is_leak(report: &Report, growth: &Growth) -> bool {
    let gain = growth.last_bytes().saturating_sub(growth.first_bytes());
    let live = report.totals.live_bytes.unwrap_or(0);
    growth.course.len() >= MIN_POINTS
        && growth.bytes_per_s > MIN_CONFIDENCE * growth.error
        && growth.steadiness() >= MIN_STEADINESS
        && gain >= MIN_GAIN_BYTES
        && gain as f64 >= MIN_GAIN_SHARE * live as f64
}

fn leak(report: &Report, site: &Site, growth: &Growth) -> Finding {
    let map = map_of(report, site);
    let limit = Limit::of(report);
    let left = limit.and_then(|limit| limit.left());
    Finding {
        rule: Rule::Leak,
        severity: match left {
            Some(left) if left < SOON => Severity::Critical,
            _ => Severity::Warning,
        },
        title: format!("{}: what it allocates stays alive, more each cycle", place(&site.frames)),
        evidence: evidence(site, growth, map),
        advice: match map {
            Some(_) => "Delete what is no longer needed from the map there, or bound it: nothing else lets the collector free what it holds.",
            None => "Find who keeps it: a slice or map that only grows, a goroutine that never ends, a cache without a bound.",
        }
        .to_owned(),
        site: Some(site.id),
        map: map.map(|map| map.id),
    }
}

fn evidence(site: &Site, growth: &Growth, map: Option<&MapSite>) -> String {
    let [first, last] = [growth.course.first(), growth.course.last()];
    let time = last
        .zip(first)
        .map_or(0, |((end, _), (start, _))| end.saturating_sub(*start));
    let per_s = |bytes: f64| units::byte_rate(Some(bytes));
    let mut text = format!(
        "{} alive, {} more in {} and {} of the collector, {} ± {}",
        units::bytes(growth.last_bytes()),
        units::bytes(growth.last_bytes().saturating_sub(growth.first_bytes())),
        units::duration(time),
        units::plural(growth.cycles, "cycle"),
        per_s(growth.bytes_per_s),
        per_s(growth.error),
    );
    let heaviest = (site.types.iter()).max_by_key(|row| row.live_bytes.unwrap_or(row.weight()));
    if let Some(main) = heaviest.filter(|row| row.name != "-") {
        text += &format!("; mostly {}", main.name);
    }
    if let Some((live, recent)) = site.live.zip(site.recent.as_ref()) {
        let older = live.now.bytes.saturating_sub(recent.live.bytes);
        if older > 0 {
            text += &format!("; {} are older than the capture", units::bytes(older));
        }
    }
    if let Some(entries) = map.map(|map| map.max_entries) {
        text += &format!("; the map there has {} entries", units::exact(entries));
    }
    text
}

/// The map that grows at the same place.
fn map_of<'a>(report: &'a Report, site: &Site) -> Option<&'a MapSite> {
    let maps = report.maps.as_ref()?;
    let mut sites = maps.sites.iter();
    sites.find(|map| !map.frames.is_empty() && map.frames == site.frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn leaks(report: &Report) -> Vec<Finding> {
        let findings = crate::findings::find(report).into_iter();
        findings.filter(|found| found.rule == Rule::Leak).collect()
    }

    #[test]
    fn a_site_that_grows_each_cycle_is_a_leak_and_noise_is_none() {
        let found = leaks(&fixture::with_heap());
        let [leak] = &*found else { panic!("{found:?}") };
        assert_eq!(leak.site, Some(1));
        assert_eq!(
            leak.title,
            "main.(*Cache).Put (cache.go:88): what it allocates stays alive, more each cycle"
        );
        assert_eq!(
            leak.evidence,
            "131 MiB alive, 20 MiB more in 10.0 s and 5 cycles of the collector, 2 MiB/s ± 205 KiB/s; \
             mostly main.User; 112 MiB are older than the capture"
        );
    }

    #[test]
    fn what_grows_less_than_its_error_or_too_little_is_no_leak() {
        let mut report = fixture::with_heap();
        let with = |change: fn(&mut Growth)| {
            let mut changed = report.clone();
            change(changed.sites[0].growth.as_mut().unwrap());
            leaks(&changed).len()
        };
        assert_eq!(with(|_| {}), 1);
        assert_eq!(with(|growth| growth.error = growth.bytes_per_s / 3.0), 0);
        assert_eq!(with(|growth| growth.course.truncate(3)), 0);
        let up_and_down = |growth: &mut Growth| {
            for (number, (_, bytes)) in growth.course.iter_mut().enumerate() {
                *bytes += (number as u64 % 2) * (30 << 20);
            }
        };
        assert_eq!(with(up_and_down), 0);
        report.totals.live_bytes = Some(10 << 30);
        assert_eq!(leaks(&report), []);
    }
}
