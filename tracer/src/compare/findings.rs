//! What is wrong in one capture and not in the other.
//!
//! Titles hold lines and figures, which differ: findings are the same if the rule is and the function that it is about.

use crate::findings::{Finding, Rule, find};
use crate::report::{Frame, Report};
use std::collections::HashMap;

/// What a finding is about: the function, empty for the whole program.
type Key = (Rule, String);

/// Findings of one side only.
#[derive(Clone, Debug, Default)]
pub struct FindingChanges {
    /// Only in the candidate.
    pub new: Vec<Finding>,
    /// Only in the base.
    pub gone: Vec<Finding>,
}

impl FindingChanges {
    pub(super) fn between(base: &Report, candidate: &Report) -> Self {
        let (before, after) = (keyed(base), keyed(candidate));
        let counts = |findings: &[(Key, Finding)]| {
            let mut counts: HashMap<Key, usize> = HashMap::new();
            for (key, _) in findings {
                *counts.entry(key.clone()).or_default() += 1;
            }
            counts
        };
        let (in_base, in_candidate) = (counts(&before), counts(&after));
        FindingChanges {
            new: without(after, in_base),
            gone: without(before, in_candidate),
        }
    }
}

/// Those findings that `others` do not have, each of which stands for one.
fn without(findings: Vec<(Key, Finding)>, mut others: HashMap<Key, usize>) -> Vec<Finding> {
    let alone = findings.into_iter().filter(|(key, _)| {
        let known = others.get_mut(key).filter(|known| **known > 0);
        known.map(|known| *known -= 1).is_none()
    });
    alone.map(|(_, finding)| finding).collect()
}

fn keyed(report: &Report) -> Vec<(Key, Finding)> {
    let function = |frames: &[Frame]| {
        let frame = frames.first();
        frame.map_or_else(String::new, |frame| frame.function.clone())
    };
    let sites = report.sites.iter();
    let sites: HashMap<u32, &[Frame]> = sites.map(|site| (site.id, &*site.frames)).collect();
    let maps = report.maps.iter().flat_map(|maps| &maps.sites);
    let maps: HashMap<u32, &[Frame]> = maps.map(|site| (site.id, &*site.frames)).collect();
    let findings = find(report).into_iter();
    findings
        .map(|finding| {
            let site = finding.site.and_then(|id| sites.get(&id));
            let frames = site.or_else(|| maps.get(&finding.map?));
            let subject = frames.map_or_else(String::new, |frames| function(frames));
            ((finding.rule, subject), finding)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn findings_are_the_same_if_their_place_moved() {
        let base = fixture::with_maps();
        let mut candidate = base.clone();
        let found = find(&base);
        assert!(!found.is_empty());
        let changes = FindingChanges::between(&base, &candidate);
        assert!(
            changes.new.is_empty() && changes.gone.is_empty(),
            "{changes:?}"
        );
        for site in &mut candidate.maps.as_mut().unwrap().sites {
            for frame in &mut site.frames {
                frame.line = frame.line.map(|line| line + 7);
            }
        }
        let changes = FindingChanges::between(&base, &candidate);
        assert!(
            changes.new.is_empty() && changes.gone.is_empty(),
            "{changes:?}"
        );
    }

    #[test]
    fn findings_of_one_side_are_new_or_gone() {
        let healthy = fixture::report();
        let sick = fixture::with_maps();
        let found = find(&sick);
        let worse = FindingChanges::between(&healthy, &sick);
        assert_eq!(
            (worse.new, worse.gone.len()),
            (found.clone(), find(&healthy).len())
        );
        let better = FindingChanges::between(&sick, &healthy);
        assert_eq!(
            (better.gone, better.new.len()),
            (found, find(&healthy).len())
        );
    }
}
