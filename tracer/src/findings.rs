//! Rules that turn a report into a diagnosis: what is wrong, how that shows, what to do about it.
//!
//! Pure: the same report gives the same findings, whether it was just made or read from a file. Hides every threshold.

mod gc;
mod leak;
mod limit;
mod maps;
mod memory;

use crate::report::{Frame, Report};
use std::collections::HashSet;

/// A diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with the place.
    pub title: String,
    /// The figures of this capture that say so.
    pub evidence: String,
    /// What to do, in one sentence.
    pub advice: String,
    /// Id of the site that it is about.
    pub site: Option<u32>,
    /// Id of the map site that it is about.
    pub map: Option<u32>,
}

/// What a finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A live map has only grown.
    MapGrowsWithoutBound,
    /// Maps reach their size in many steps.
    MapGrownStepByStep,
    /// Keys are compared by identity.
    MapPointerKeys,
    /// The collector has much to do with the elements.
    MapPointerHeavy,
    /// A goroutine wrote to a nil map.
    NilMapWrite,
    /// Two goroutines used a map at the same time, one of them writing.
    ConcurrentMapWrites,
    /// The runtime ended the program for another reason.
    FatalError,
    /// Memory comes near the limit of its control group.
    HeapNearLimit,
    /// The collector runs most of the time.
    GcThrashing,
    /// Much of what is resident is free.
    MemoryReturnedLate,
    /// One object is very large.
    HugeAllocation,
    /// A place touches new pages all the time.
    PageFaultStorm,
    /// What a place allocates stays alive.
    Leak,
}

impl Rule {
    /// Name in captures.
    pub fn name(self) -> &'static str {
        match self {
            Rule::MapGrowsWithoutBound => "map_grows_without_bound",
            Rule::MapGrownStepByStep => "map_grown_step_by_step",
            Rule::MapPointerKeys => "map_pointer_keys",
            Rule::MapPointerHeavy => "map_pointer_heavy",
            Rule::NilMapWrite => "nil_map_write",
            Rule::ConcurrentMapWrites => "concurrent_map_writes",
            Rule::FatalError => "fatal_error",
            Rule::HeapNearLimit => "heap_near_limit",
            Rule::GcThrashing => "gc_thrashing",
            Rule::MemoryReturnedLate => "memory_returned_late",
            Rule::HugeAllocation => "huge_allocation",
            Rule::PageFaultStorm => "page_fault_storm",
            Rule::Leak => "leak",
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program dies of it, or has.
    Critical,
    /// It costs much, or will.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Name in captures.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// Finds what earlier reports of the same capture did not show.
#[derive(Debug, Default)]
pub struct News(HashSet<(Rule, String)>);

impl News {
    /// What is new in a report. Without ids: these are not the same in the next one.
    pub fn of(&mut self, report: &Report) -> Vec<Finding> {
        let mut findings = find(report);
        findings.retain(|finding| self.0.insert((finding.rule, finding.title.clone())));
        for finding in &mut findings {
            (finding.site, finding.map) = (None, None);
        }
        findings
    }
}

/// Everything that a report shows to be wrong, worst first.
pub fn find(report: &Report) -> Vec<Finding> {
    let mut findings = maps::crashes(report);
    findings.extend(limit::find(report));
    findings.extend(leak::find(report));
    findings.extend(maps::find(report));
    findings.extend(gc::find(report));
    findings.extend(memory::find(report));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// A place, for people: `main.(*Cache).Put (cache.go:88)`.
pub(crate) fn place(frames: &[Frame]) -> String {
    let Some(frame) = frames.first() else {
        return "a place without a name".to_owned();
    };
    let file = frame.file.rsplit('/').next().unwrap_or_default();
    match frame.line {
        Some(line) if !file.is_empty() => format!("{} ({file}:{line})", frame.function),
        _ => frame.function.clone(),
    }
}
