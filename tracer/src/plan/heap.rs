//! The probes on the runtime's heap profiler, and those that stand in for it where it is off.
//!
//! Hides the names of the runtime's functions. Source: `src/runtime/mprof.go`, `mheap.go`, `mcache.go`.

mod layout;

use super::code::{instructions, site_at};
use super::inlined::Copies;
use super::site::TWO_ARGUMENTS;
use super::{Place, Site, place};
use crate::program::{FileOffset, GoBinary, VirtualAddress};
use iced_x86::{FlowControl, Instruction};

pub use layout::HeapLayout;

/// Where samples of the heap come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeapProbes {
    /// Nowhere.
    #[default]
    Off,
    /// The runtime's own heap profiler: what it samples, and what of that is freed.
    Profiler,
    /// Spans: what each was filled with when it is given back, and each large object.
    Spans,
}

/// Every probe that samples the heap.
#[derive(Clone, Debug, Default)]
pub struct HeapPlan {
    /// What is probed.
    pub probes: HeapProbes,
    /// One row for each probe; the position is the row number on the wire.
    pub rows: Vec<HeapRow>,
    /// Where the programs find what they read.
    pub layout: HeapLayout,
    /// What the probes do not see, each in words.
    pub skipped: Vec<String>,
}

/// One probe that samples the heap.
#[derive(Clone, Debug)]
pub struct HeapRow {
    /// Name of the function.
    pub function: String,
    /// Where it starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// What happens there.
    pub event: HeapEvent,
}

/// What happens at a probe that samples the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapEvent {
    /// `setprofilebucket(address, bucket)`: the heap profiler has sampled an object.
    Sample,
    /// `freeSpecial(special, address, size)`: if the special is one of the heap profiler, an object that it had sampled is
    /// freed.
    Free,
    /// `(*mcache).refill(mcache, class)`: the span of that class is full.
    Refill,
    /// A copy of `refill`, inlined into what calls it, calls `(*mcentral).uncacheSpan(mcentral, span)`: the span is full.
    Uncache,
    /// `(*mcache).allocLarge(mcache, size, noscan)`: an object of a span of its own.
    Large,
}

/// The function of each event, in the order of the rows.
const PROFILER: [(&str, HeapEvent); 2] = [
    ("runtime.setprofilebucket", HeapEvent::Sample),
    ("runtime.freeSpecial", HeapEvent::Free),
];
const SPANS: [(&str, HeapEvent); 2] = [
    (REFILL, HeapEvent::Refill),
    ("runtime.(*mcache).allocLarge", HeapEvent::Large),
];

const REFILL: &str = "runtime.(*mcache).refill";
/// What it calls with the span that it gives back, before it counts what was allocated from it.
const UNCACHE: &str = "runtime.(*mcentral).uncacheSpan";

impl HeapProbes {
    fn functions(self) -> &'static [(&'static str, HeapEvent)] {
        match self {
            HeapProbes::Off => &[],
            HeapProbes::Profiler => &PROFILER,
            HeapProbes::Spans => &SPANS,
        }
    }
}

/// The functions whose inlined copies [`plan`] asks for.
pub(super) fn prefixes(probes: HeapProbes) -> impl Iterator<Item = &'static str> {
    probes.functions().iter().map(|(name, _)| *name)
}

/// The plan for `probes`. What has no place for a probe is left out and named.
pub(super) fn plan(binary: &GoBinary, probes: HeapProbes, copies: &Copies) -> HeapPlan {
    let mut plan = HeapPlan {
        probes,
        layout: HeapLayout::of(binary),
        ..HeapPlan::default()
    };
    for (name, event) in probes.functions() {
        let hosts = copies.iter().filter(|(_, inlined)| inlined == name);
        let hosts: Vec<&str> = hosts.map(|(host, _)| host.as_str()).collect();
        // Where all calls are inlined, there is no function.
        if hosts.is_empty() || binary.function(name).is_some() {
            plan.add(row(binary, name, *event));
        }
        for host in hosts {
            plan.add(copy(binary, name, host));
        }
    }
    for skipped in &plan.skipped {
        log::warn!("no probe sees {skipped}");
    }
    plan
}

impl HeapPlan {
    fn add(&mut self, row: Result<HeapRow, String>) {
        match row {
            Ok(row) => self.rows.push(row),
            Err(reason) => self.skipped.push(reason),
        }
    }
}

/// The row of the copy of a function that is inlined into `host`, or in words why there is none: with profile-guided
/// optimization that happens to `refill`.
fn copy(binary: &GoBinary, name: &str, host: &str) -> Result<HeapRow, String> {
    let unseen = || format!("{name} inlined into {host}");
    if name != REFILL {
        return Err(unseen());
    }
    let function = binary.function(host).ok_or_else(unseen)?;
    let call = instructions(binary, &function).find(|code| uncaches(binary, code));
    let site = site_at(&function, &call.ok_or_else(unseen)?);
    Ok(HeapRow {
        function: host.to_owned(),
        address: function.address,
        offset: binary.file_offset(site.address).ok_or_else(unseen)?,
        site,
        event: HeapEvent::Uncache,
    })
}

/// Whether an instruction calls `uncacheSpan`.
pub(super) fn uncaches(binary: &GoBinary, code: &Instruction) -> bool {
    let callee = binary.function(UNCACHE).map(|callee| callee.address.0);
    code.flow_control() == FlowControl::Call && Some(code.near_branch_target()) == callee
}

/// The row of an event, or in words why there is none.
fn row(binary: &GoBinary, name: &str, event: HeapEvent) -> Result<HeapRow, String> {
    let function = binary
        .function(name)
        .ok_or_else(|| format!("{name}, which the binary does not have"))?;
    // Each program reads the first two arguments.
    let place = place(binary, &function, TWO_ARGUMENTS);
    let Place { offset, site } = place.map_err(|error| {
        log::debug!("{name}: {error}");
        format!("{name}, which has no place for a probe")
    })?;
    Ok(HeapRow {
        function: name.to_owned(),
        address: function.address,
        offset,
        site,
        event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fixture::{Fixture, MemoryFile};

    #[test]
    fn what_has_no_probe_is_named() {
        let fixture = Fixture {
            version: "go1.22.10",
            allocators: &["runtime.mallocgc", "runtime.setprofilebucket"],
            ..Fixture::default()
        };
        let file = MemoryFile::new(&fixture.build().bytes);
        let binary = GoBinary::open(&file.path()).unwrap();
        let plan = plan(&binary, HeapProbes::Profiler, &Copies::new());
        let events: Vec<_> = plan.rows.iter().map(|row| row.event).collect();
        assert_eq!(events, [HeapEvent::Sample]);
        assert_eq!(plan.rows[0].site.instruction, "push rbp");
        assert_eq!(
            plan.skipped,
            ["runtime.freeSpecial, which the binary does not have"]
        );
    }

    #[test]
    fn an_inlined_copy_without_a_place_is_named() {
        let binary = Fixture {
            version: "go1.22.10",
            allocators: &["runtime.mallocgc", "runtime.(*mcache).nextFree"],
            ..Fixture::default()
        };
        let file = MemoryFile::new(&binary.build().bytes);
        let binary = GoBinary::open(&file.path()).unwrap();
        let copies = [("runtime.(*mcache).nextFree".to_owned(), REFILL.to_owned())].into();
        let plan = plan(&binary, HeapProbes::Spans, &copies);
        assert!(plan.rows.is_empty());
        assert_eq!(
            plan.skipped[0],
            "runtime.(*mcache).refill inlined into runtime.(*mcache).nextFree"
        );
    }
}
