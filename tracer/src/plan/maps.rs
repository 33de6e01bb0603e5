//! The probes on maps: who writes them, how they grow, and the crashes they cause.
//!
//! Hides the names of the runtime's functions and the two layouts of a map. Source: `src/runtime/map*.go` up to Go 1.23
//! (`hmap`), `src/internal/runtime/maps` from 1.24 (Swiss tables).

mod functions;

use super::inlined::Copies;
use super::site::{THREE_ARGUMENTS, TWO_ARGUMENTS};
use super::{Place, PlanError, Site, place};
use crate::program::{FileOffset, GoBinary, VirtualAddress};
use functions::{
    BUCKET_GROWTHS, CHANGES, CHANGING, CRASHES, MapFunction, PREFIXES, SWISS_GROWTHS, WRAPPERS,
};
use iced_x86::Register;
use tracer_common::cookie::{MapArguments, MessageArgument};

/// What is recorded of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapProbes {
    /// Nothing.
    Off,
    /// Growths: rare.
    Growth,
    /// Growths, and each write, delete and clear.
    Writes,
}

/// Every probe on maps.
#[derive(Clone, Debug)]
pub struct MapPlan {
    /// What is recorded.
    pub probes: MapProbes,
    /// Which layout the target's maps have.
    pub layout: MapLayout,
    /// One row for each probed function; the position is the row number on the wire.
    pub rows: Vec<MapRow>,
    /// Functions that end the program, or start a panic; the position is the row number on the wire.
    pub crashes: Vec<CrashRow>,
    /// What the probes do not see, each in words: functions that have no place for a probe, that the table does not know,
    /// or that the compiler has inlined.
    pub skipped: Vec<String>,
}

/// How the runtime lays out a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapLayout {
    /// `runtime.hmap` with 2^B buckets of eight entries: up to Go 1.23, and with `GOEXPERIMENT=noswissmap`.
    Buckets,
    /// `maps.Map`: one group of eight entries, then a directory of tables of up to 1024.
    Swiss,
}

/// One probed function that works on maps.
#[derive(Clone, Debug)]
pub struct MapRow {
    /// Name of the function.
    pub function: String,
    /// Where it starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// What it does.
    pub operation: Operation,
    /// Where its arguments are.
    pub arguments: MapArguments,
}

/// What a function does with a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Sets the value of a key.
    Assign,
    /// Removes a key.
    Delete,
    /// Removes all keys.
    Clear,
    /// Makes room.
    Grow(Growing),
}

/// How a map makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growing {
    /// `hashGrow`: twice the buckets, or the same number if too many have overflowed.
    Buckets,
    /// `(*Map).growToTable`: from the one group of a small map to a table of 16.
    ToTable,
    /// `(*table).rehash`: a table of twice the size, or two of the largest size instead of one.
    Table,
}

/// A function that ends the program, or starts a panic.
#[derive(Clone, Debug)]
pub struct CrashRow {
    /// Name of the function.
    pub function: String,
    /// Where it starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// How it is told why.
    pub message: MessageArgument,
}

/// What the names of functions start with whose inlined copies [`plan`] asks for.
pub(super) fn prefixes(probes: MapProbes) -> &'static [&'static str] {
    match probes {
        MapProbes::Off => &[],
        MapProbes::Growth | MapProbes::Writes => &PREFIXES,
    }
}

/// Makes the plan. A function that the binary does not have is not called by it; one that cannot be probed is left out
/// and named.
pub(super) fn plan(binary: &GoBinary, probes: MapProbes, copies: &Copies) -> MapPlan {
    let mut plan = MapPlan::off();
    if probes == MapProbes::Off {
        return plan;
    }
    plan.probes = probes;
    plan.layout = layout(binary);
    let growths = match plan.layout {
        MapLayout::Buckets => BUCKET_GROWTHS,
        MapLayout::Swiss => SWISS_GROWTHS,
    };
    let changes = match probes {
        MapProbes::Writes => CHANGES,
        MapProbes::Growth | MapProbes::Off => &[],
    };
    for function in growths.iter().chain(changes) {
        plan.add(binary, function.name, function);
        for (host, _) in copies.iter().filter(|(_, name)| name == function.name) {
            if WRAPPERS.contains(&(host, function.name)) {
                plan.add(binary, host, function);
            } else {
                let copy = format!("{} inlined into {host}", function.name);
                plan.skipped.push(copy);
            }
        }
    }
    if probes == MapProbes::Writes {
        plan.skipped.extend(unknown(binary));
    }
    plan.add_crashes(binary);
    for skipped in &plan.skipped {
        log::warn!("no probe sees {skipped}");
    }
    plan
}

/// How the target's maps are laid out: told by how they grow, else by the version.
fn layout(binary: &GoBinary) -> MapLayout {
    let has = |functions: &[MapFunction]| {
        let mut functions = functions.iter();
        functions.any(|function| binary.function(function.name).is_some())
    };
    if has(BUCKET_GROWTHS) {
        MapLayout::Buckets
    } else if has(SWISS_GROWTHS) || binary.go_version().at_least(1, 24) {
        MapLayout::Swiss
    } else {
        MapLayout::Buckets
    }
}

/// Functions that change maps and are not in the table.
fn unknown(binary: &GoBinary) -> impl Iterator<Item = String> {
    CHANGING.into_iter().flat_map(|prefix| {
        let functions = binary
            .functions_with_prefix(prefix)
            .filter(move |function| {
                let is_known = CHANGES.iter().any(|known| known.name == function.name);
                // Closures and ABI wrappers of a function belong to it.
                let is_part = function
                    .name
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.contains('.'));
                !is_known && !is_part
            });
        functions.map(|function| format!("{}, which is not known", function.name))
    })
}

/// Registers that hold what a map's program reads.
pub(super) fn registers(arguments: MapArguments) -> &'static [Register] {
    match arguments {
        MapArguments::TypeMap | MapArguments::MapType => TWO_ARGUMENTS,
        MapArguments::TableTypeMap => THREE_ARGUMENTS,
    }
}

impl MapPlan {
    /// No probes on maps.
    pub fn off() -> Self {
        MapPlan {
            probes: MapProbes::Off,
            layout: MapLayout::Swiss,
            rows: Vec::new(),
            crashes: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds a row for the function `name`, if the binary has it, which does what `function` does.
    fn add(&mut self, binary: &GoBinary, name: &str, function: &MapFunction) {
        let Some(found) = binary.function(name) else {
            return;
        };
        match place(binary, &found, registers(function.arguments)) {
            Ok(Place { offset, site }) => self.rows.push(MapRow {
                function: name.to_owned(),
                address: found.address,
                offset,
                site,
                operation: function.operation,
                arguments: function.arguments,
            }),
            Err(error) => self.skip(name, &error),
        }
    }

    fn add_crashes(&mut self, binary: &GoBinary) {
        for (name, message) in CRASHES {
            let Some(found) = binary.function(name) else {
                continue;
            };
            match place(binary, &found, TWO_ARGUMENTS) {
                Ok(Place { offset, site }) => self.crashes.push(CrashRow {
                    function: (*name).to_owned(),
                    address: found.address,
                    offset,
                    site,
                    message: *message,
                }),
                Err(error) => self.skip(name, &error),
            }
        }
    }

    fn skip(&mut self, name: &str, error: &PlanError) {
        log::debug!("{name}: {error}");
        self.skipped
            .push(format!("{name}, which has no place for a probe"));
    }
}
