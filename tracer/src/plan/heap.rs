//! The probes on the runtime's heap profiler, and those that stand in for it where it is off.
//!
//! Hides the names of the runtime's functions. Source: `src/runtime/mprof.go`, `mheap.go`, `mcache.go`.

mod layout;

use super::inlined::Copies;
use super::site::TWO_ARGUMENTS;
use super::{Place, Site, place};
use crate::target::{FileOffset, GoBinary, VirtualAddress};

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
    /// `(*mcache).allocLarge(mcache, size, noscan)`: an object of a span of its own.
    Large,
}

/// The function of each event, in the order of the rows.
const PROFILER: [(&str, HeapEvent); 2] = [
    ("runtime.setprofilebucket", HeapEvent::Sample),
    ("runtime.freeSpecial", HeapEvent::Free),
];
const SPANS: [(&str, HeapEvent); 2] = [
    ("runtime.(*mcache).refill", HeapEvent::Refill),
    ("runtime.(*mcache).allocLarge", HeapEvent::Large),
];

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
        match row(binary, name, *event) {
            Ok(row) => plan.rows.push(row),
            Err(reason) => plan.skipped.push(reason),
        }
        let copies = copies.iter().filter(|(_, inlined)| inlined == name);
        let copies = copies.map(|(host, name)| format!("{name} inlined into {host}"));
        plan.skipped.extend(copies);
    }
    for skipped in &plan.skipped {
        log::warn!("no probe sees {skipped}");
    }
    plan
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
