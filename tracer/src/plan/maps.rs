//! The probes on maps: who writes them, how they grow, and the crashes they cause.
//!
//! Hides the names of the runtime's functions and the two layouts of a map. Source: `src/runtime/map*.go` up to Go 1.23
//! (`hmap`), `src/internal/runtime/maps` from 1.24 (Swiss tables).

use super::Site;
use crate::target::{FileOffset, VirtualAddress};
use tracer_common::config::{MapArguments, MessageArgument};

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
    /// Functions that could not be probed.
    pub skipped: Vec<String>,
    /// Functions that end the program, or start a panic; the position is the row number on the wire.
    pub crashes: Vec<CrashRow>,
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
    /// `(*table).grow`: a table of twice the size.
    Table,
    /// `(*table).split`: two tables of the largest size instead of one.
    Split,
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
