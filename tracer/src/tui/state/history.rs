//! Rates of the last intervals: of the whole target, and of sites that are among the first. Bounded.

use super::{Snapshot, Timing};
use crate::units::per_second;
use std::collections::{HashMap, VecDeque};

/// Intervals that are remembered.
pub(super) const INTERVALS: usize = 120;
/// Sites that come into the history in an interval: more than a screen shows.
const TOP: usize = 100;
/// Sites in it at most.
const SITES: usize = 256;

/// Bytes per second of the last intervals, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    lengths_ns: VecDeque<u64>,
    totals: VecDeque<f64>,
    sites: HashMap<u32, VecDeque<f64>>,
}

impl History {
    /// Takes in an interval; the site with id `watched` is remembered whatever it does.
    pub(super) fn add(&mut self, snapshot: &Snapshot, watched: Option<u32>) {
        let rate = |bytes: u64| per_second(bytes, snapshot.interval_ns).unwrap_or(0.0);
        push(&mut self.lengths_ns, snapshot.interval_ns);
        push(&mut self.totals, snapshot.bytes_per_s().unwrap_or(0.0));

        let mut first: Vec<(u64, u32)> = snapshot
            .sites
            .iter()
            .filter(|step| step.timing != Timing::Unknown)
            .map(|step| (snapshot.bytes(&step.figures), step.id))
            .collect();
        if first.len() > TOP {
            first.select_nth_unstable_by(TOP, |a, b| b.cmp(a));
            let others = first.split_off(TOP);
            let is_followed = |id: u32| Some(id) == watched || self.sites.contains_key(&id);
            first.extend(others.into_iter().filter(|(_, id)| is_followed(*id)));
        }
        for (bytes, id) in first {
            push(self.sites.entry(id).or_default(), rate(bytes));
        }
        self.forget_idle(watched);
    }

    /// Lets the sites go that did least.
    fn forget_idle(&mut self, watched: Option<u32>) {
        let too_many = self.sites.len().saturating_sub(SITES);
        if too_many == 0 {
            return;
        }
        let mut sums: Vec<(f64, u32)> = self
            .sites
            .iter()
            .filter(|(id, _)| Some(**id) != watched)
            .map(|(id, rates)| (rates.iter().sum(), *id))
            .collect();
        sums.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, id) in sums.iter().take(too_many) {
            self.sites.remove(id);
        }
    }

    /// Rates of the whole target, the last ones that are not more than so many.
    pub fn totals(&self, most: usize) -> Vec<f64> {
        last(&self.totals, most)
    }

    /// Rates of a site; fewer if it was not among the first all the time, none if it never was.
    pub fn site(&self, id: u32, most: usize) -> Vec<f64> {
        self.sites
            .get(&id)
            .map_or_else(Vec::new, |rates| last(rates, most))
    }

    /// How many sites are remembered.
    #[cfg(test)]
    pub(super) fn sites_followed(&self) -> usize {
        self.sites.len()
    }

    /// How many intervals are in the last so many nanoseconds.
    pub fn intervals_in(&self, nanoseconds: u64) -> usize {
        let mut room = nanoseconds;
        let lengths = self.lengths_ns.iter().rev();
        lengths
            .take_while(|length| {
                let fits = room > 0;
                room = room.saturating_sub(**length);
                fits
            })
            .count()
    }

    /// How long the last intervals took together.
    pub fn length_ns(&self, intervals: usize) -> u64 {
        let lengths = self.lengths_ns.iter().rev().take(intervals);
        lengths.fold(0, |sum, length| sum.saturating_add(*length))
    }
}

fn push<T>(values: &mut VecDeque<T>, value: T) {
    if values.len() >= INTERVALS {
        values.pop_front();
    }
    values.push_back(value);
}

fn last(values: &VecDeque<f64>, most: usize) -> Vec<f64> {
    let skipped = values.len().saturating_sub(most);
    values.iter().skip(skipped).copied().collect()
}
