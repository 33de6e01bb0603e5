//! How far memory is from the limit that the kernel kills at.

use super::{Finding, Rule, Severity};
use crate::report::{PartKind, Report};
use crate::units;
use std::time::Duration;

/// Least time from which memory is extrapolated.
const MIN_TREND_NS: u64 = 2_000_000_000;
/// Parts of the capture in each of which memory that grows steadily has grown.
const PARTS: usize = 3;
/// Share of the limit from which on it is near, and from which on there is nothing left to wait for.
const NEAR: f64 = 0.8;
const VERY_NEAR: f64 = 0.95;
/// Time left that is short, whatever the share, and time that leaves none to wait.
const SHORT: Duration = Duration::from_secs(600);
const VERY_SHORT: Duration = Duration::from_secs(60);
/// Time to the limit that leaves none to wait for what only grows.
pub(super) const SOON: Duration = Duration::from_secs(3600);

/// The memory limit of a target, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    /// The least limit of its control groups.
    pub(super) bytes: u64,
    /// What the group uses at the end; resident memory, where that is not known.
    used_bytes: u64,
    /// How much more a second; `None` if the capture was too short to tell.
    bytes_per_s: Option<f64>,
    /// Whether it grew in each part of the capture: what is only being filled does not.
    steadily: bool,
}

impl Limit {
    /// `None` if there is none, or nothing is known of what is used.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let points = report.timeline.iter();
        let measured = points.filter_map(|point| {
            let used = point.limit_used_bytes.or(point.rss_bytes)?;
            Some((point.t_ns, used))
        });
        let measured: Vec<(u64, u64)> = measured.collect();
        let (&(start, from), &(end, to)) = (measured.first()?, measured.last()?);
        let borders = (0..=PARTS).filter_map(|part| {
            let at = (measured.len() - 1) * part / PARTS;
            measured.get(at).map(|(_, used)| *used)
        });
        let borders: Vec<u64> = borders.collect();
        let time_ns = end.checked_sub(start).filter(|ns| *ns >= MIN_TREND_NS);
        Some(Limit {
            bytes: report.target.memory_limit_bytes?,
            used_bytes: to,
            bytes_per_s: time_ns.map(|ns| (to as f64 - from as f64) * 1e9 / ns as f64),
            steadily: borders.array_windows().all(|[a, b]| a < b),
        })
    }

    /// Time until it is reached if memory goes on growing as it did; `None` if it does not grow.
    pub(super) fn left(&self) -> Option<Duration> {
        let per_s = self.bytes_per_s.filter(|per_s| *per_s > 0.0)?;
        let left = self.bytes.saturating_sub(self.used_bytes) as f64 / per_s;
        Duration::try_from_secs_f64(left).ok()
    }

    fn share(&self) -> f64 {
        self.used_bytes as f64 / self.bytes.max(1) as f64
    }
}

/// Whether memory comes near its limit.
pub(super) fn find(report: &Report) -> Option<Finding> {
    let limit = Limit::of(report)?;
    let left = limit.left();
    let within = |time| limit.steadily && left.is_some_and(|left| left < time);
    let severity = match limit.share() {
        share if share >= VERY_NEAR || within(VERY_SHORT) => Severity::Critical,
        share if share >= NEAR || within(SHORT) => Severity::Warning,
        _ => return None,
    };
    let mut evidence = format!(
        "{} of {} used, {}",
        units::bytes(limit.used_bytes),
        units::bytes(limit.bytes),
        units::percent(Some(100.0 * limit.share()))
    );
    match (limit.bytes_per_s, left) {
        (Some(per_s), Some(left)) => {
            let time = units::duration(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
            let rate = units::byte_rate(Some(per_s));
            evidence += &format!(", growing by {rate}: it is reached in {time}");
        }
        (Some(_), None) => evidence += ", not growing",
        (None, _) => {}
    }
    let reason = report.memory.as_ref().and_then(|memory| memory.reason());
    if let Some(reason) = reason {
        let part = units::bytes(reason.bytes);
        evidence += &format!("; most of it is {}, {part}", reason.kind.words());
    }
    Some(Finding {
        rule: Rule::HeapNearLimit,
        severity,
        title: "memory is near the limit of the control group".to_owned(),
        evidence,
        advice: match reason.map(|reason| reason.kind) {
            Some(PartKind::NotCollected | PartKind::FreeSpans) => format!(
                "Set GOMEMLIMIT to about {}: the runtime collects, and returns memory, before the kernel kills.",
                units::bytes(limit.bytes / 10 * 9)
            ),
            Some(kind) => sentence(kind.advice()),
            None => "See what grows among sites and maps.".to_owned(),
        },
        site: None,
        map: None,
    })
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(letters)
        .chain(['.'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    const MIB: u64 = 1 << 20;

    /// A report of a process that uses so much at each of these seconds, of a limit of 1000 MiB.
    fn used(mib: &[u64]) -> Report {
        let mut report = fixture::report();
        report.target.memory_limit_bytes = Some(1000 * MIB);
        report.timeline.truncate(mib.len());
        for (point, mib) in report.timeline.iter_mut().zip(mib) {
            point.limit_used_bytes = Some(mib * MIB);
        }
        report
    }

    fn severity(mib: &[u64]) -> Option<Severity> {
        find(&used(mib)).map(|finding| finding.severity)
    }

    #[test]
    fn memory_is_near_by_its_share_or_by_the_time_left() {
        assert_eq!(severity(&[500, 500, 500]), None);
        assert_eq!(severity(&[800, 800, 800]), Some(Severity::Warning));
        assert_eq!(severity(&[950, 950, 950]), Some(Severity::Critical));
        // 1 MiB a second: 496 s; 20: 23 s.
        assert_eq!(
            severity(&[500, 501, 502, 503, 504]),
            Some(Severity::Warning)
        );
        assert_eq!(severity(&[500, 520, 540, 560]), Some(Severity::Critical));
        // It was being filled.
        assert_eq!(severity(&[500, 540, 540, 540]), None);
        // Too short to tell.
        assert_eq!(severity(&[500, 520]), None);
        assert_eq!(severity(&[540, 520, 500]), None);
    }

    #[test]
    fn the_time_left_is_told() {
        let finding = find(&used(&[480, 500, 520, 540])).unwrap();
        assert_eq!(
            finding.evidence,
            "540 MiB of 1000 MiB used, 54.0 %, growing by 20 MiB/s: it is reached in 23.0 s"
        );
    }

    #[test]
    fn without_a_limit_nothing_is_near() {
        let mut report = used(&[990, 990, 990]);
        report.target.memory_limit_bytes = None;
        assert_eq!(find(&report), None);
    }
}
