//! From one report to the next: what each site and group did in an interval, under an id that stays.

use super::interval::{Interval, IntervalGroup, IntervalGroups, IntervalSite};
use crate::report::{Estimate, Figures, Frame, Grouped, Report, SortBy};
use std::collections::HashMap;
use std::hash::Hash;

/// Remembers the last report of a running capture.
#[derive(Debug)]
pub struct LiveView {
    sort: SortBy,
    sites: Known<Vec<Frame>>,
    groups: Known<String>,
    totals: Figures,
    hits: u64,
    lost: u64,
    t_ns: u64,
    /// Whether windows were under way at the end of the last interval.
    windows: bool,
}

/// What is known of sites or groups, by what they are.
#[derive(Debug)]
struct Known<K>(HashMap<K, Seen>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    id: u32,
    figures: Figures,
}

/// Before anything was allocated.
const NOTHING: Figures = Figures {
    allocs: 0,
    alloc_bytes: Some(0),
    requested_bytes: Some(0),
    faults: None,
    live_bytes: None,
    growth_per_s: None,
    estimate: None,
};

impl LiveView {
    /// A view before the first report, of intervals in this order.
    pub fn new(sort: SortBy) -> Self {
        LiveView {
            sort,
            sites: Known(HashMap::new()),
            groups: Known(HashMap::new()),
            totals: NOTHING,
            hits: 0,
            lost: 0,
            t_ns: 0,
            windows: false,
        }
    }

    /// What happened between the last report given here and this one. Sites and groups that allocated nothing are left
    /// out.
    pub fn interval<'a>(
        &mut self,
        report: &'a Report,
        grouped: Option<&'a Grouped>,
    ) -> Interval<'a> {
        let mut sites: Vec<IntervalSite<'a>> = report
            .sites
            .iter()
            .filter_map(|site| {
                let (id, figures) = self.sites.step(&site.frames, site.figures)?;
                Some(IntervalSite {
                    id,
                    frames: &site.frames,
                    figures,
                    total: site.figures,
                })
            })
            .collect();
        sites.sort_by_key(|site| (self.sort.rank(&site.figures), site.id));
        let groups = grouped.map(|grouped| self.groups(grouped));
        let t_ns = report.window.duration_ns;
        let lost = report.completeness.lost_total();
        let interval = Interval {
            t_ns,
            duration_ns: t_ns.saturating_sub(self.t_ns),
            figures: since(&report.totals, &self.totals),
            timely: !self.windows && !report.completeness.unseen,
            hits: report.completeness.hits.saturating_sub(self.hits),
            lost: lost.saturating_sub(self.lost),
            point: report.timeline.last().cloned().unwrap_or_default(),
            sites,
            groups,
        };
        self.totals = shown(&report.totals, &self.totals);
        self.hits = report.completeness.hits;
        self.lost = lost;
        self.t_ns = t_ns;
        self.windows = report.completeness.unseen;
        interval
    }

    /// The id of a site that was in a report given here, whether it did something or not.
    pub fn site_id(&self, frames: &[Frame]) -> Option<u32> {
        self.sites.0.get(frames).map(|seen| seen.id)
    }

    /// The same of a group.
    pub fn group_id(&self, name: &str) -> Option<u32> {
        self.groups.0.get(name).map(|seen| seen.id)
    }

    fn groups<'a>(&mut self, grouped: &'a Grouped) -> IntervalGroups<'a> {
        let mut groups: Vec<IntervalGroup<'a>> = grouped
            .groups
            .iter()
            .filter_map(|group| {
                let (id, figures) = self.groups.step(&group.name, group.figures)?;
                Some(IntervalGroup { id, group, figures })
            })
            .collect();
        groups.sort_by_key(|group| (self.sort.rank(&group.figures), group.id));
        IntervalGroups {
            by: grouped.by,
            groups,
        }
    }
}

impl<K: Clone + Eq + Hash> Known<K> {
    /// The id of `key`, and what it did since it was here last; `None` if nothing.
    fn step(&mut self, key: &K, figures: Figures) -> Option<(u32, Figures)> {
        let next_id = u32::try_from(self.0.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let Some(seen) = self.0.get_mut(key) else {
            let id = next_id;
            self.0.insert(key.clone(), Seen { id, figures });
            return happened(&figures).then_some((id, figures));
        };
        let interval = since(&figures, &seen.figures);
        if !happened(&interval) {
            return None;
        }
        seen.figures = shown(&figures, &seen.figures);
        Some((seen.id, interval))
    }
}

fn happened(figures: &Figures) -> bool {
    figures.allocs > 0 || figures.faults.is_some_and(|faults| faults > 0)
}

/// What all intervals together have shown: bytes of tiny objects may be corrected downwards, an interval is never
/// negative, so that the next one shows less.
fn shown(now: &Figures, earlier: &Figures) -> Figures {
    let bytes = now.alloc_bytes.zip(earlier.alloc_bytes);
    Figures {
        alloc_bytes: bytes.map(|(now, earlier)| now.max(earlier)),
        ..*now
    }
}

fn since(now: &Figures, earlier: &Figures) -> Figures {
    Figures {
        allocs: now.allocs.saturating_sub(earlier.allocs),
        alloc_bytes: now
            .alloc_bytes
            .zip(earlier.alloc_bytes)
            .map(|(now, earlier)| now.saturating_sub(earlier)),
        requested_bytes: now
            .requested_bytes
            .zip(earlier.requested_bytes)
            .map(|(now, earlier)| now.saturating_sub(earlier)),
        faults: now
            .faults
            .map(|faults| faults.saturating_sub(earlier.faults.unwrap_or(0))),
        // What is alive is no matter of an interval.
        live_bytes: now.live_bytes,
        growth_per_s: now.growth_per_s,
        // The error of a difference cannot be told from those of its ends.
        estimate: now.estimate.map(|_| Estimate::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::GroupBy;
    use crate::report::fixture;

    #[test]
    fn bytes_corrected_downwards_are_taken_off_the_next_interval() {
        let figures = |allocs, bytes| Figures {
            allocs,
            alloc_bytes: Some(bytes),
            requested_bytes: Some(0),
            faults: None,
            live_bytes: None,
            growth_per_s: None,
            estimate: None,
        };
        let mut known = Known(HashMap::new());
        let bytes_of = |step: Option<(u32, Figures)>| step.and_then(|(_, shown)| shown.alloc_bytes);
        assert_eq!(bytes_of(known.step(&"site", figures(1, 16))), Some(16));
        assert_eq!(bytes_of(known.step(&"site", figures(2, 0))), Some(0));
        assert_eq!(bytes_of(known.step(&"site", figures(3, 32))), Some(16));
    }

    #[test]
    fn the_first_interval_has_everything_and_an_idle_one_nothing() {
        let report = fixture::report();
        let mut live = LiveView::new(SortBy::Bytes);
        let first = live.interval(&report, None);
        assert_eq!(first.figures.allocs, report.totals.allocs);
        assert_eq!(first.sites.len(), report.sites.len());
        let second = live.interval(&report, None);
        assert_eq!(
            (
                second.figures.allocs,
                second.hits,
                second.lost,
                second.duration_ns
            ),
            (0, 0, 0, 0)
        );
        assert!(second.sites.is_empty());
    }

    #[test]
    fn a_site_keeps_its_id_when_its_rank_changes() {
        let mut report = fixture::report();
        let mut live = LiveView::new(SortBy::Bytes);
        let ids: HashMap<Vec<Frame>, u32> = live
            .interval(&report, None)
            .sites
            .iter()
            .map(|site| (site.frames.to_vec(), site.id))
            .collect();
        report.sites.reverse();
        for site in &mut report.sites {
            site.figures.allocs += 3;
        }
        let second = live.interval(&report, None);
        assert_eq!(second.sites.len(), ids.len());
        assert!(
            second
                .sites
                .iter()
                .all(|site| ids[site.frames] == site.id && site.figures.allocs == 3)
        );
    }

    #[test]
    fn what_windows_stand_for_comes_late() {
        let mut report = fixture::report();
        let mut live = LiveView::new(SortBy::Bytes);
        assert!(live.interval(&report, None).timely);
        report.completeness.unseen = true;
        assert!(!live.interval(&report, None).timely);
        report.completeness.unseen = false;
        assert!(
            !live.interval(&report, None).timely,
            "the last window is settled in this one"
        );
        assert!(live.interval(&report, None).timely);
    }

    #[test]
    fn a_group_keeps_its_id_and_shows_what_is_new() {
        let mut report = fixture::report();
        let mut live = LiveView::new(SortBy::Allocs);
        let by_type = |report: &Report| Grouped::of(report, GroupBy::Type, SortBy::Bytes);
        let first = by_type(&report);
        let ids = |interval: &Interval<'_>| -> Vec<(u32, String, u64)> {
            let groups = interval.groups.as_ref().unwrap().groups.iter();
            groups
                .map(|part| (part.id, part.group.name.clone(), part.figures.allocs))
                .collect()
        };
        assert_eq!(
            ids(&live.interval(&report, Some(&first))),
            [
                (1, "main.User".to_owned(), 5_000_000),
                (2, "[]uint8".to_owned(), 1_234_567),
                (3, "-".to_owned(), 200_040)
            ]
        );
        report.sites[1].types[0].allocs += 7;
        let second = by_type(&report);
        assert_eq!(
            ids(&live.interval(&report, Some(&second))),
            [(2, "[]uint8".to_owned(), 7)]
        );
    }
}
