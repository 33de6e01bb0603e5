//! One interval of a running capture, as plain data: what `tracer attach` shows again and again.
//!
//! Rendered by `output::text::write_interval` and by `output::ndjson::Stream::interval`.

use crate::report::{Figures, Frame, Group, GroupBy, TimelinePoint};

/// What happened in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval<'a> {
    /// End of the interval, nanoseconds since the start of recording.
    pub t_ns: u64,
    /// Length of the interval in nanoseconds.
    pub duration_ns: u64,
    /// What the whole target allocated in the interval.
    pub figures: Figures,
    /// Whether `figures`, and those of sites and groups, are of this very interval. Where windows are recorded they come
    /// in lumps, when it is known what a window stands for; what the runtime itself counted is in `point`.
    pub timely: bool,
    /// Allocations that the probes saw in the interval.
    pub hits: u64,
    /// Allocations lost in the interval.
    pub lost: u64,
    /// What the target showed at the end of the interval, and what the runtime and the kernel counted in it.
    pub point: TimelinePoint,
    /// Sites that allocated in the interval, in the order to show them.
    pub sites: Vec<IntervalSite<'a>>,
    /// Groups that allocated in the interval, if groups were asked for.
    pub groups: Option<IntervalGroups<'a>>,
}

/// What one site allocated in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalSite<'a> {
    /// Identity of the site, the same in every interval of a stream.
    pub id: u32,
    /// Logical frames at the place, innermost first; empty if the place has no name.
    pub frames: &'a [Frame],
    /// What it allocated in the interval.
    pub figures: Figures,
    /// What it allocated since the start of recording.
    pub total: Figures,
}

/// The groups of one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalGroups<'a> {
    /// What they are.
    pub by: GroupBy,
    /// Those that allocated in the interval, in the order to show them.
    pub groups: Vec<IntervalGroup<'a>>,
}

/// What one group allocated in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalGroup<'a> {
    /// Identity of the group, the same in every interval of a stream.
    pub id: u32,
    /// The group as it is since the start of recording.
    pub group: &'a Group,
    /// What it allocated in the interval.
    pub figures: Figures,
}
