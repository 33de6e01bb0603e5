//! What a capture found about maps: by the line of code that writes to them, and map by map.

mod build;
mod crashes;
mod growth_bytes;
#[cfg(test)]
mod tests;

pub(super) use build::build;
pub(super) use crashes::build as crashes;

use super::{Figures, Frame};

/// What was seen of maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps {
    /// Writes, deletes and clears; `None` if they were not recorded.
    pub writes: Option<u64>,
    /// Growths.
    pub growths: u64,
    /// Places in the code that make maps grow, or write to them, by map type; those that make them grow most first.
    pub sites: Vec<MapSite>,
    /// The maps with most entries, those that are gone after all others.
    pub instances: Vec<MapInstance>,
    /// Operations and growths beyond the bound on places: in the sums, at no place.
    pub overflowed: u64,
    /// Maps that were forgotten, because there were too many at the same time: seen again, they count as new.
    pub forgotten: u64,
    /// Functions that could not be probed: what they do to maps is missing.
    pub skipped: Vec<String>,
}

/// What one place in the code does to maps of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct MapSite {
    /// Position in the ranking, from 1.
    pub id: u32,
    /// Logical frames at the place, innermost first; empty if it has no name.
    pub frames: Vec<Frame>,
    /// Name of the map type; `-` if it is not known.
    pub type_name: String,
    /// Its keys; `None` if the type is not known.
    pub key: Option<MapPart>,
    /// Its elements.
    pub elem: Option<MapPart>,
    /// What is done by operations; `None` if they were not recorded.
    pub operations: Option<MapOperations>,
    /// Growths, those to the same size included.
    pub growths: u64,
    /// Growths to the same size, to get rid of overflow buckets.
    pub same_size_growths: u64,
    /// Growths of maps of the smallest size.
    pub first_growths: u64,
    /// Growths to a larger size of maps whose first growth was seen.
    pub steps: u64,
    /// Maps that were seen here first.
    pub instances: u64,
    /// Most entries of a map that were seen here.
    pub max_entries: u64,
    /// What growing allocated; `None` if nothing of it was recorded.
    pub growth: Option<Figures>,
    /// Bytes allocated by growing over those of the tables in the end; `None` if either is not known.
    pub amplification: Option<f64>,
}

/// Operations on maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapOperations {
    /// Values set.
    pub writes: u64,
    /// Keys deleted, also those that were not there.
    pub deletes: u64,
    /// Maps cleared.
    pub clears: u64,
    /// Writes to a nil map, which panic.
    pub nil_writes: u64,
    /// Entries added less entries removed.
    pub net_entries: i64,
    /// Operations whose effect is not in `net_entries`, because nothing was seen of the map after them.
    pub unsettled: u64,
}

/// The type of keys or elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapPart {
    /// Name as Go prints it.
    pub name: String,
    /// Whether it is a pointer or a channel: of keys the identity is compared, not the value.
    pub is_pointer: bool,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Bytes of it that can hold pointers.
    pub pointer_bytes: u64,
}

/// A map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapInstance {
    /// Position in the ranking, from 1.
    pub id: u32,
    /// Where it was seen first: the id of a [`MapSite`], 0 if that has no stack.
    pub site: u32,
    /// Name of its type; `-` if it is not known.
    pub type_name: String,
    /// Entries when it was seen last.
    pub entries: u64,
    /// Most entries it was seen with.
    pub max_entries: u64,
    /// Room for entries; `None` if it was not seen growing, or if it had several tables by then.
    pub capacity: Option<u64>,
    /// Bytes of its table.
    pub table_bytes: Option<u64>,
    /// Bytes of its table that the garbage collector scans.
    pub table_pointer_bytes: Option<u64>,
    /// Growths seen.
    pub growths: u64,
    /// Values set, and keys deleted; `None` if that was not recorded.
    pub writes: Option<u64>,
    /// Keys deleted.
    pub deletes: Option<u64>,
    /// Whether it was there at the end; `None` if that could not be told.
    pub alive: Option<bool>,
    /// Nanoseconds since the start of recording, and entries then; oldest first.
    pub curve: Vec<(u64, u64)>,
}

/// A fatal error of the runtime, or a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The runtime's function: `runtime.fatal`, `runtime.throw` or `runtime.gopanic`.
    pub function: String,
    /// Its message, or the start of it; empty if it could not be read.
    pub message: String,
    /// Number of the goroutine.
    pub goroutine: Option<u64>,
    /// The stack from the first frame outside the runtime on, innermost first.
    pub frames: Vec<Frame>,
    /// Nanoseconds since the start of recording.
    pub t_ns: u64,
    /// How often.
    pub count: u64,
}
