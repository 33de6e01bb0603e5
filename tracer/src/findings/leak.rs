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
        .map_or(0, |((end, _), (start, _))| end - start);
    let per_s = |bytes: f64| units::byte_rate(Some(bytes));
    let mut text = format!(
        "{} alive, {} more in {} and {} of the collector, {} ± {}",
        units::bytes(growth.last_bytes()),
        units::bytes(growth.last_bytes().saturating_sub(growth.first_bytes())),
        units::duration(time),
        units::plural(growth.course.len() as u64 - 1, "cycle"),
        per_s(growth.bytes_per_s),
        per_s(growth.error),
    );
    if let Some(main) = site.types.first().filter(|row| row.name != "-") {
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

/// The maps that grow at the same place.
fn map_of<'a>(report: &'a Report, site: &Site) -> Option<&'a MapSite> {
    let maps = report.maps.as_ref()?;
    let mut sites = maps.sites.iter();
    sites.find(|map| !map.frames.is_empty() && map.frames == site.frames)
}
