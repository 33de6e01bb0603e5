//! From one report to the next: what each site did in an interval, under an id that stays.

use crate::output::interval::{Interval, IntervalSite};
use crate::report::{Figures, Frame, Report, Site};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Remembers the last report of a running capture.
#[derive(Debug)]
pub struct LiveView {
    sites: HashMap<Vec<Frame>, Seen>,
    totals: Figures,
    hits: u64,
    lost: u64,
    t_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    id: u32,
    figures: Figures,
}

/// Before anything was allocated.
const NOTHING: Figures = Figures {
    allocs: 0,
    alloc_bytes: Some(0),
    requested_bytes: 0,
};

impl Default for LiveView {
    fn default() -> Self {
        LiveView {
            sites: HashMap::new(),
            totals: NOTHING,
            hits: 0,
            lost: 0,
            t_ns: 0,
        }
    }
}

impl LiveView {
    /// What happened between the last report given here and this one. Sites that allocated nothing are left out.
    pub fn interval<'a>(&mut self, report: &'a Report) -> Interval<'a> {
        let mut sites: Vec<IntervalSite<'a>> = report
            .sites
            .iter()
            .filter_map(|site| self.site(site))
            .collect();
        sites.sort_by_key(|site| {
            (
                Reverse(
                    site.figures
                        .alloc_bytes
                        .unwrap_or(site.figures.requested_bytes),
                ),
                site.id,
            )
        });
        let t_ns = report.window.duration_ns;
        let lost = report.completeness.lost_total();
        let interval = Interval {
            t_ns,
            duration_ns: t_ns.saturating_sub(self.t_ns),
            figures: since(&report.totals, &self.totals),
            hits: report.completeness.hits.saturating_sub(self.hits),
            lost: lost.saturating_sub(self.lost),
            rss_bytes: report.timeline.last().and_then(|point| point.rss_bytes),
            sites,
        };
        self.totals = report.totals;
        self.hits = report.completeness.hits;
        self.lost = lost;
        self.t_ns = t_ns;
        interval
    }

    fn site<'a>(&mut self, site: &'a Site) -> Option<IntervalSite<'a>> {
        let next_id = u32::try_from(self.sites.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let earlier = match self.sites.get_mut(&site.frames) {
            Some(seen) => std::mem::replace(
                seen,
                Seen {
                    id: seen.id,
                    figures: site.figures,
                },
            ),
            None => {
                let seen = Seen {
                    id: next_id,
                    figures: site.figures,
                };
                self.sites.insert(site.frames.clone(), seen);
                Seen {
                    id: next_id,
                    figures: NOTHING,
                }
            }
        };
        let figures = since(&site.figures, &earlier.figures);
        (figures.allocs > 0).then_some(IntervalSite {
            id: earlier.id,
            frames: &site.frames,
            figures,
            total: site.figures,
        })
    }
}

fn since(now: &Figures, earlier: &Figures) -> Figures {
    Figures {
        allocs: now.allocs.saturating_sub(earlier.allocs),
        alloc_bytes: now
            .alloc_bytes
            .zip(earlier.alloc_bytes)
            .map(|(now, earlier)| now.saturating_sub(earlier)),
        requested_bytes: now.requested_bytes.saturating_sub(earlier.requested_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn the_first_interval_has_everything_and_an_idle_one_nothing() {
        let report = sample::report();
        let mut live = LiveView::default();
        let first = live.interval(&report);
        assert_eq!(first.figures.allocs, report.totals.allocs);
        assert_eq!(first.sites.len(), report.sites.len());
        let second = live.interval(&report);
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
        let mut report = sample::report();
        let mut live = LiveView::default();
        let ids: HashMap<Vec<Frame>, u32> = live
            .interval(&report)
            .sites
            .iter()
            .map(|site| (site.frames.to_vec(), site.id))
            .collect();
        report.sites.reverse();
        for site in &mut report.sites {
            site.figures.allocs += 3;
        }
        let second = live.interval(&report);
        assert_eq!(second.sites.len(), ids.len());
        assert!(
            second
                .sites
                .iter()
                .all(|site| ids[site.frames] == site.id && site.figures.allocs == 3)
        );
    }
}
