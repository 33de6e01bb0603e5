//! Which instructions to probe: from the facts about a Go binary to a plan, without touching the kernel.
//!
//! A plan is data; `kernel` carries it out. The set of functions is `leaves`, the instruction within each is `site`.

mod audit;
mod code;
mod gc;
mod heap;
mod inlined;
mod layout;
mod leaves;
mod maps;
mod site;
#[cfg(test)]
mod tests;
mod yields;

pub use audit::{Audit, Fault, audit};
pub use gc::{GcEvent, GcPlan, GcRow};
pub use heap::{HeapEvent, HeapLayout, HeapPlan, HeapProbes, HeapRow};
pub use layout::TinyLayout;
pub use leaves::Pointers;
pub use maps::{CrashRow, Growing, MapLayout, MapPlan, MapProbes, MapRow, Operation};
pub use site::{CostClass, Site, SiteError};
pub use yields::{YieldPoint, Yields};

use crate::program::{ArenaLayout, FileOffset, Function, GoBinary, GoVersion, VirtualAddress};
use leaves::LeafSet;
use std::fmt;
use tracer_common::family::Extra;
use tracer_common::limits::MAX_ROWS;

/// Bytes of a function that the search for a probe site may look at.
const PROLOGUE_BYTES: usize = 96;

/// Every probe of a capture.
#[derive(Clone, Debug)]
pub struct ProbePlan {
    /// One row for each probed function; the position is the row number on the wire.
    pub rows: Vec<PlanRow>,
    /// Where a goroutine goes on that may have changed its P between a row and the tiny allocator.
    pub yield_points: Vec<YieldPoint>,
    /// What it means that it goes on there.
    pub yields: Yields,
    /// Whether objects of more than 512 bytes with pointers have a malloc header.
    pub headers: bool,
    /// Where the state of the tiny allocator is.
    pub tiny: TinyLayout,
    /// Where the runtime keeps the pointer to the `mcache` of the time before there are Ps; only `tracer run` sees it.
    pub mcache0: Option<VirtualAddress>,
    /// Where the runtime counts all bytes it has ever allocated; `None` if it cannot be found.
    pub total_alloc: Option<VirtualAddress>,
    /// Where the number of a goroutine is in its `g`.
    pub g_goid: u64,
    /// Whether the rows are known to be the target's whole leaf set.
    pub coverage: Coverage,
    /// The probes on maps.
    pub maps: MapPlan,
    /// The probes on the garbage collector; `None` if they are not asked for.
    pub gc: Option<GcPlan>,
    /// The probes that sample the heap.
    pub heap: HeapPlan,
    /// Whether page faults are recorded.
    pub faults: bool,
    /// Where spans are, to tell what a page is used for; `None` if that cannot be found.
    pub arenas: Option<ArenaLayout>,
}

impl ProbePlan {
    /// What is recorded besides allocations and may be given up.
    pub fn extras(&self) -> impl Iterator<Item = Extra> {
        Extra::ALL.into_iter().filter(|extra| match extra {
            Extra::MapWrites => self.maps.probes == MapProbes::Writes,
            Extra::MapGrowths => self.maps.probes != MapProbes::Off,
            Extra::Faults => self.faults,
            Extra::Assists => self.gc.is_some(),
            Extra::Live => !self.heap.rows.is_empty(),
        })
    }
}

/// What is recorded besides allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extras {
    /// Operations on maps.
    pub maps: MapProbes,
    /// Page faults.
    pub faults: bool,
    /// The garbage collector's work.
    pub gc: bool,
    /// Samples of the heap.
    pub heap: HeapProbes,
}

/// One probe.
#[derive(Clone, Debug)]
pub struct PlanRow {
    /// Name of the probed function.
    pub function: String,
    /// Where the function starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// What the function says about pointers in the memory it allocates.
    pub pointers: Pointers,
    /// Set for a function that passes some allocations on to other rows.
    pub dispatch: Option<Dispatch>,
}

/// Which allocations of a dispatcher are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Bits of [`tracer_common::cookie::dispatch`].
    pub mask: u32,
    /// Whether sizes up to 80 bytes are passed on to functions of their size class.
    pub specialised: bool,
}

/// Whether a plan covers every allocation of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The Go version is in the table, and every allocation function of the binary is known to it.
    Complete,
    /// The Go version is newer than the table: the newest rules are used.
    NewerThanTable,
    /// The binary has allocation functions that the table does not know.
    UnknownFunctions(Vec<String>),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The Go version is older than the oldest row of the table.
    #[error(
        "cannot plan probes for {version}: Go 1.19 is the oldest supported version; build the target with a newer toolchain"
    )]
    TooOld {
        /// The target's version.
        version: String,
    },
    /// A function that every binary of that version has is missing.
    #[error(
        "cannot plan probes for {version}: the binary has no function {function}; is it a complete executable built by the Go toolchain?"
    )]
    MissingFunction {
        /// The target's version.
        version: String,
        /// What was looked for.
        function: String,
    },
    /// The function's code lies outside the file.
    #[error(
        "cannot read the code of {function} at {address}: the address is outside the executable's segments"
    )]
    NoCode {
        /// The function.
        function: String,
        /// Its address.
        address: VirtualAddress,
    },
    /// No instruction of the function is fit for a probe.
    #[error("cannot place a probe in {function}")]
    NoSite {
        /// The function.
        function: String,
        /// Why.
        #[source]
        source: SiteError,
    },
    /// More functions than a plan holds.
    #[error("cannot plan {rows} probes: at most {MAX_ROWS} fit into a plan")]
    TooManyRows {
        /// Functions found.
        rows: usize,
    },
}

impl Extras {
    /// Everything that can be recorded.
    pub(crate) const ALL: Extras = Extras {
        maps: MapProbes::Writes,
        faults: true,
        gc: true,
        heap: HeapProbes::Profiler,
    };

    /// Nothing.
    pub const NONE: Extras = Extras {
        maps: MapProbes::Off,
        faults: false,
        gc: false,
        heap: HeapProbes::Off,
    };

    /// What the names of functions start with whose inlined copies matter.
    fn prefixes(&self) -> Vec<&'static str> {
        let of_maps = maps::prefixes(self.maps).iter().copied();
        of_maps.chain(heap::prefixes(self.heap)).collect()
    }
}

/// Makes the plan for sampled mode: no allocation function is probed, only what `extras` asks for.
///
/// # Errors
/// The version is not supported.
pub fn sampled(binary: &GoBinary, extras: Extras) -> Result<ProbePlan, PlanError> {
    let (set, _) = leaf_set(binary.go_version())?;
    let (_, copies) = inlined::find(binary, set, &extras.prefixes());
    let allocations = Allocations {
        rows: Vec::new(),
        yield_points: Vec::new(),
        yields: Yields::AfterProbe,
        coverage: Coverage::Complete,
    };
    Ok(complete(binary, set, allocations, extras, &copies))
}

/// Makes the plan for exact mode: the leaf set of the binary's Go version, and what else is asked for.
///
/// # Errors
/// The version is not supported, or the binary is not laid out as that version does it.
pub fn exact(binary: &GoBinary, extras: Extras) -> Result<ProbePlan, PlanError> {
    let version = binary.go_version();
    let (set, newer) = leaf_set(version)?;
    let functions: Vec<Function<'_>> = binary
        .functions_with_prefix(leaves::ALLOCATOR_PREFIX)
        .filter(|f| !f.name.ends_with(".abi0"))
        .collect();
    let (inlined, copies) = inlined::find(binary, set, &extras.prefixes());
    let names = functions.iter().map(|function| function.name);
    if let Some(missing) = set.first_missing(names.chain(inlined.leaves.iter().map(String::as_str)))
    {
        return Err(PlanError::MissingFunction {
            version: version.to_string(),
            function: missing.to_owned(),
        });
    }
    let mut rows = Vec::new();
    let mut unknown = inlined.unseen;
    for function in &functions {
        match set.classify(function.name) {
            leaves::Class::Leaf(pointers) => rows.push(row(binary, function, pointers)?),
            leaves::Class::NotALeaf
                if inlined.mask != 0 && set.dispatcher() == Some(function.name) =>
            {
                let specialised = functions
                    .iter()
                    .any(|function| leaves::is_specialised(function.name));
                let dispatch = Some(Dispatch {
                    mask: inlined.mask,
                    specialised,
                });
                rows.push(PlanRow {
                    dispatch,
                    ..row(binary, function, Pointers::ByType)?
                });
            }
            leaves::Class::NotALeaf => {}
            leaves::Class::Unknown => unknown.push(function.name.to_owned()),
        }
    }
    if rows.len() > MAX_ROWS {
        return Err(PlanError::TooManyRows { rows: rows.len() });
    }
    let (yield_points, yields) = yields::find(binary, &rows);
    let coverage = match (unknown.is_empty(), newer) {
        (false, _) => Coverage::UnknownFunctions(unknown),
        (true, true) => Coverage::NewerThanTable,
        (true, false) => Coverage::Complete,
    };
    let allocations = Allocations {
        rows,
        yield_points,
        yields,
        coverage,
    };
    Ok(complete(binary, set, allocations, extras, &copies))
}

/// The part of a plan about allocations.
struct Allocations {
    rows: Vec<PlanRow>,
    yield_points: Vec<YieldPoint>,
    yields: Yields,
    coverage: Coverage,
}

/// Adds to a plan what `extras` asks for. `copies` are the places where functions of maps are inlined.
fn complete(
    binary: &GoBinary,
    set: &LeafSet,
    allocations: Allocations,
    extras: Extras,
    copies: &inlined::Copies,
) -> ProbePlan {
    let Allocations {
        rows,
        yield_points,
        yields,
        coverage,
    } = allocations;
    let Extras {
        maps,
        faults,
        gc,
        heap,
    } = extras;
    let version = binary.go_version();
    ProbePlan {
        rows,
        yield_points,
        yields,
        headers: set.headers,
        tiny: layout::tiny(version.minor),
        mcache0: layout::mcache0(binary),
        total_alloc: binary.total_alloc_counter(),
        g_goid: layout::g_goid(version.minor),
        coverage,
        maps: maps::plan(binary, maps, copies),
        gc: gc.then(|| gc::plan(binary)),
        heap: heap::plan(binary, heap, copies),
        faults,
        arenas: if faults {
            ArenaLayout::of(binary)
        } else {
            None
        },
    }
}

/// The rules for `version`, and whether they are those of an older one.
fn leaf_set(version: &GoVersion) -> Result<(&'static LeafSet, bool), PlanError> {
    leaves::for_version(version.major, version.minor).ok_or_else(|| PlanError::TooOld {
        version: version.to_string(),
    })
}

fn row(
    binary: &GoBinary,
    function: &Function<'_>,
    pointers: Pointers,
) -> Result<PlanRow, PlanError> {
    let Place { offset, site } = place(binary, function, site::TWO_ARGUMENTS)?;
    Ok(PlanRow {
        function: function.name.to_owned(),
        address: function.address,
        offset,
        site,
        pointers,
        dispatch: None,
    })
}

/// Where in a function a probe goes.
struct Place {
    offset: FileOffset,
    site: Site,
}

/// The place for a probe in `function` where the registers `arguments` hold what it was called with.
fn place(
    binary: &GoBinary,
    function: &Function<'_>,
    arguments: &[iced_x86::Register],
) -> Result<Place, PlanError> {
    let no_code = || PlanError::NoCode {
        function: function.name.to_owned(),
        address: function.address,
    };
    let len = usize::try_from(function.size)
        .unwrap_or(PROLOGUE_BYTES)
        .min(PROLOGUE_BYTES);
    let code = binary.code(function.address, len).ok_or_else(no_code)?;
    let chosen = site::choose(code, function.address, arguments);
    let site = chosen.map_err(|source| PlanError::NoSite {
        function: function.name.to_owned(),
        source,
    })?;
    let offset = binary.file_offset(site.address).ok_or_else(no_code)?;
    Ok(Place { offset, site })
}

impl ProbePlan {
    /// Number of probes.
    pub fn probes(&self) -> usize {
        let of_maps = self.maps.rows.len() + self.maps.crashes.len();
        let of_gc = self.gc.as_ref().map_or(0, |plan| plan.rows.len());
        let of_heap = self.heap.rows.len();
        self.rows.len() + self.yield_points.len() + of_maps + of_gc + of_heap
    }
}

impl fmt::Display for ProbePlan {
    /// The table of `--explain`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<40} {:>10} {:>5}  {:<11} {:<14} why",
            "function", "address", "at", "instruction", "cost"
        )?;
        for row in &self.rows {
            explain(f, &row.function, row.address, &row.site)?;
        }
        for point in &self.yield_points {
            writeln!(
                f,
                "{:<40} {:>10} {:>+5}  {:<11} {:<14} behind {}: the goroutine may be at another P, its tiny object is looked at again",
                point.function,
                point.start.to_string(),
                point.address.0.saturating_sub(point.start.0),
                "-",
                "rarely passed",
                point.behind
            )?;
        }
        for row in &self.maps.rows {
            explain(f, &row.function, row.address, &row.site)?;
        }
        for row in &self.maps.crashes {
            explain(f, &row.function, row.address, &row.site)?;
        }
        for row in self.gc.iter().flat_map(|plan| &plan.rows) {
            explain(f, &row.function, row.address, &row.site)?;
        }
        for row in &self.heap.rows {
            explain(f, &row.function, row.address, &row.site)?;
        }
        for skipped in &self.heap.skipped {
            writeln!(f, "heap: no probe sees {skipped}")?;
        }
        if self.faults {
            writeln!(
                f,
                "page faults: the software events page-faults-min and page-faults-maj of perf, on each CPU"
            )?;
        }
        for skipped in self.gc.iter().flat_map(|plan| &plan.skipped) {
            writeln!(f, "collector: no probe sees {skipped}")?;
        }
        for skipped in &self.maps.skipped {
            writeln!(f, "maps: no probe sees {skipped}")?;
        }
        match &self.coverage {
            Coverage::Complete => writeln!(
                f,
                "coverage: complete, every allocation function of this Go version is known"
            ),
            Coverage::NewerThanTable => {
                writeln!(
                    f,
                    "coverage: measured while recording, this Go version is newer than tracer; the newest known rules are used"
                )
            }
            Coverage::UnknownFunctions(names) => {
                writeln!(
                    f,
                    "coverage: measured while recording, the binary has unknown allocation functions: {}",
                    names.join(", ")
                )
            }
        }
    }
}

/// A line of `--explain`.
fn explain(
    f: &mut fmt::Formatter<'_>,
    function: &str,
    address: VirtualAddress,
    site: &Site,
) -> fmt::Result {
    writeln!(
        f,
        "{function:<40} {:>10} {:>+5}  {:<11} {:<14} {}",
        address.to_string(),
        site.offset,
        site.instruction,
        site.cost.to_string(),
        site.reason
    )
}
