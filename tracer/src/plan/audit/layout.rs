//! Checks byte offsets in the runtime's structures, which the plan takes from tables, against the DWARF of a binary that
//! has some.
//!
//! Hides gimli.

use super::Fault;
use crate::plan::ProbePlan;
use crate::program::GoBinary;
use gimli::{
    AttributeValue, DW_AT_data_member_location, DW_AT_name, Dwarf, EndianRcSlice, LittleEndian,
    Operation, Reader as _, Unit,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// Most bytes of debug sections.
const MAX_LOADED: usize = 512 << 20;

type Bytes = EndianRcSlice<LittleEndian>;
/// Offsets of the members of structures.
type Members = HashMap<(String, String), u64>;

/// What DWARF contradicts; nothing where it does not tell.
pub(super) fn faults(binary: &GoBinary, plan: &ProbePlan) -> Vec<Fault> {
    let wanted = offsets(plan);
    let members = match members(binary, &wanted) {
        Ok(members) => members,
        Err(error) => {
            log::debug!("no layout in DWARF: {error}");
            return Vec::new();
        }
    };
    let faults = wanted.iter().filter_map(|(structure, member, known)| {
        let found = *members.get(&((*structure).to_owned(), (*member).to_owned()))?;
        (found != *known).then(|| Fault::Layout {
            field: format!("{structure}.{member}"),
            known: *known,
            found,
        })
    });
    faults.collect()
}

/// Structures, members, and where the plan has them.
fn offsets(plan: &ProbePlan) -> [(&'static str, &'static str, u64); 16] {
    let (tiny, heap) = (&plan.tiny, &plan.heap.layout);
    [
        ("runtime.g", "m", tiny.g_m),
        ("runtime.g", "goid", plan.g_goid),
        ("runtime.g", "gopc", heap.g_gopc),
        ("runtime.g", "labels", heap.g_labels),
        ("runtime.m", "p", tiny.m_p),
        ("runtime.m", "curg", heap.m_curg),
        ("runtime.p", "mcache", tiny.p_mcache),
        ("runtime.mcache", "tiny", tiny.mcache_tiny),
        ("runtime.mcache", "alloc", heap.mcache_alloc),
        ("runtime.special", "kind", heap.special_kind),
        ("runtime.mspan", "allocCount", heap.span_alloc_count),
        (
            "runtime.mspan",
            "allocCountBeforeCache",
            heap.span_count_before,
        ),
        ("runtime.mspan", "elemsize", heap.span_elemsize),
        // What the program on the profiler's samples knows without being told.
        ("runtime.bucket", "size", 32),
        ("runtime.bucket", "nstk", 40),
        ("runtime.hmap", "B", 9),
    ]
}

fn members(
    binary: &GoBinary,
    wanted: &[(&'static str, &'static str, u64)],
) -> Result<Members, gimli::Error> {
    let mut limit = MAX_LOADED;
    let dwarf = Dwarf::load(|section| {
        let data = binary.elf().section_data(section.name(), limit);
        let data = data.unwrap_or(Cow::Borrowed(&[]));
        limit = limit.saturating_sub(data.len());
        Ok::<_, gimli::Error>(Bytes::new(Rc::from(data), LittleEndian))
    })?;
    let mut members = Members::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        read_unit(&dwarf, &unit, wanted, &mut members)?;
    }
    Ok(members)
}

/// Adds the members of the structures that are asked for.
fn read_unit(
    dwarf: &Dwarf<Bytes>,
    unit: &Unit<Bytes>,
    wanted: &[(&'static str, &'static str, u64)],
    members: &mut Members,
) -> Result<(), gimli::Error> {
    let mut structure = None;
    let mut entries = unit.entries();
    while let Some(entry) = entries.next_dfs()? {
        let name = || -> Result<Option<String>, gimli::Error> {
            let Some(value) = entry.attr_value(DW_AT_name) else {
                return Ok(None);
            };
            let name = dwarf.attr_string(unit, value)?;
            Ok(Some(name.to_string_lossy()?.into_owned()))
        };
        match entry.tag() {
            gimli::DW_TAG_structure_type => {
                structure = name()?.filter(|name| wanted.iter().any(|(of, ..)| of == name));
            }
            gimli::DW_TAG_member => {
                let location = entry.attr_value(DW_AT_data_member_location);
                let offset = location.and_then(|location| offset(location, unit));
                if let (Some(structure), Some(member), Some(offset)) = (&structure, name()?, offset)
                {
                    members.insert((structure.clone(), member), offset);
                }
            }
            _ => structure = None,
        }
    }
    Ok(())
}

/// The offset of a member: a number, in old versions of DWARF an expression that adds it.
fn offset(location: AttributeValue<Bytes>, unit: &Unit<Bytes>) -> Option<u64> {
    let AttributeValue::Exprloc(expression) = location else {
        return location.udata_value();
    };
    match expression.operations(unit.encoding()).next().ok()?? {
        Operation::PlusConstant { value } => Some(value),
        _ => None,
    }
}
