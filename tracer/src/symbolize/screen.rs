//! Refuses debug information that is hostile to its reader, before `addr2line` reads it.
//!
//! `addr2line` recurses once per level of nested entries, and keeps a copy of each table that a unit or
//! an entry refers to. A few kilobytes that nest, or that refer to one long table again and again,
//! would overflow the stack or fill the memory. This passes over the information once, in little
//! memory, and adds up what `addr2line` would allocate if it were asked for everything.

use std::collections::BTreeSet;

use addr2line::gimli::{
    self, AttributeValue, DW_AT_ranges, Dwarf, Reader as _, Section as _, UnitRef, UnitType,
};

use super::dwarf::Bytes;

/// Deeper than compilers nest blocks and inlined calls.
const MAX_DEPTH: isize = 256;
/// More attributes than any entry has: reading an entry takes as long as its abbreviation is.
const MAX_ATTRIBUTES: usize = 128;
/// What `addr2line` may allocate in bytes. The Go compiler, an executable of 37 MB, is charged an eighth.
const MAX_COST: usize = 1 << 30;

/// What `addr2line` 0.27 allocates at most, in bytes, for a unit;
const UNIT_COST: usize = 1024;
/// for a function or an inlined call;
const FUNCTION_COST: usize = 192;
/// for a range of addresses;
const RANGE_COST: usize = 32;
/// and for a row of a line table, which is at least a byte of its program.
const ROW_COST: usize = 24;

/// Debug information that no compiler writes.
#[derive(Debug, thiserror::Error)]
pub enum Disproportionate {
    /// It cannot even be passed over.
    #[error("cannot parse it")]
    Parse(#[from] gimli::Error),
    /// Entries nest too deep.
    #[error("its entries nest deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Abbreviation tables overlap, or declare endless entries.
    #[error(
        "its abbreviation tables overlap or have more than {MAX_ATTRIBUTES} attributes an entry"
    )]
    Abbreviations,
    /// Reading it would take too much memory.
    #[error("reading it could take more than {MAX_COST} bytes of memory")]
    Memory,
}

/// Checks the abbreviation tables, which come first because every other step reads them.
pub(super) fn check_abbreviations(dwarf: &Dwarf<Bytes>) -> Result<(), Disproportionate> {
    let mut offsets = BTreeSet::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        offsets.insert(header.debug_abbrev_offset().0);
    }
    let mut end_of_last = 0;
    for offset in offsets {
        if offset < end_of_last {
            return Err(Disproportionate::Abbreviations);
        }
        end_of_last = end_of_abbreviations(dwarf.debug_abbrev.reader(), offset)?;
    }
    Ok(())
}

/// Where the abbreviation table at `offset` ends.
fn end_of_abbreviations(section: &Bytes, offset: usize) -> Result<usize, Disproportionate> {
    let mut table = section.clone();
    table.skip(offset)?;
    while table.read_uleb128()? != 0 {
        let _tag = table.read_uleb128()?;
        let _has_children = table.read_u8()?;
        let mut attributes = 0;
        loop {
            let (name, form) = (table.read_uleb128()?, table.read_uleb128()?);
            if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                table.read_sleb128()?;
            }
            if (name, form) == (0, 0) {
                break;
            }
            attributes += 1;
            if attributes > MAX_ATTRIBUTES {
                return Err(Disproportionate::Abbreviations);
            }
        }
    }
    Ok(section.len() - table.len())
}

/// Passes over all units, whose abbreviations have been checked.
pub(super) fn check_units(dwarf: &Dwarf<Bytes>) -> Result<(), Disproportionate> {
    check_cost(dwarf, MAX_COST)
}

fn check_cost(dwarf: &Dwarf<Bytes>, limit: usize) -> Result<(), Disproportionate> {
    let mut budget = Budget(limit);
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        budget.charge(UNIT_COST)?;
        // What addr2line leaves out.
        if matches!(
            header.type_(),
            UnitType::Type { .. } | UnitType::SplitType { .. }
        ) {
            continue;
        }
        let Ok(unit) = dwarf.unit(header) else {
            continue;
        };
        let unit = UnitRef::new(dwarf, &unit);
        budget.charge_lines(&unit)?;
        budget.charge_entries(&unit)?;
    }
    Ok(())
}

/// What may still be allocated, in bytes.
struct Budget(usize);

impl Budget {
    fn charge(&mut self, cost: usize) -> Result<(), Disproportionate> {
        self.0 = self.0.checked_sub(cost).ok_or(Disproportionate::Memory)?;
        Ok(())
    }

    /// Charges the rows of the unit's line table, and each path that its file table spells.
    fn charge_lines(&mut self, unit: &UnitRef<'_, Bytes>) -> Result<(), Disproportionate> {
        let Some(program) = &unit.line_program else {
            return Ok(());
        };
        let header = program.header();
        let rows = header.raw_program_buf().len();
        self.charge(rows.saturating_mul(ROW_COST))?;
        let length = |attribute| unit.attr_string(attribute).map_or(0, |text| text.len());
        let directory = unit.comp_dir.as_ref().map_or(0, gimli::Reader::len);
        for file in header.file_names() {
            let parent = file.directory(header).map_or(0, length);
            self.charge(directory + parent + length(file.path_name()))?;
        }
        Ok(())
    }

    /// Charges the unit's entries and the ranges they refer to; checks how deep they nest.
    fn charge_entries(&mut self, unit: &UnitRef<'_, Bytes>) -> Result<(), Disproportionate> {
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return Err(Disproportionate::Depth);
            }
            let Some(abbreviation) = entries.read_abbreviation()? else {
                continue;
            };
            let attributes = abbreviation.attributes();
            // A step is charged like a byte, so that the time is bounded as well.
            self.charge(1 + attributes.len())?;
            if matches!(
                abbreviation.tag(),
                gimli::DW_TAG_subprogram | gimli::DW_TAG_inlined_subroutine
            ) {
                self.charge(FUNCTION_COST)?;
            }
            if !attributes
                .iter()
                .any(|attribute| attribute.name() == DW_AT_ranges)
            {
                entries.skip_attributes(attributes)?;
                continue;
            }
            for attribute in attributes {
                let attribute = entries.read_attribute(*attribute)?;
                if attribute.name() == DW_AT_ranges {
                    self.charge_ranges(unit, attribute.value())?;
                }
            }
        }
        Ok(())
    }

    fn charge_ranges(
        &mut self,
        unit: &UnitRef<'_, Bytes>,
        value: AttributeValue<Bytes>,
    ) -> Result<(), Disproportionate> {
        let Some(offset) = unit.attr_ranges_offset(value)? else {
            return Ok(());
        };
        let mut ranges = unit.raw_ranges(offset)?;
        while ranges.next()?.is_some() {
            self.charge(RANGE_COST)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use addr2line::gimli::{LittleEndian, SectionId};

    use super::*;

    /// Abbreviations: 1 a unit with children, 2 an inlined call with children, 3 one with ranges.
    const ABBREVIATIONS: &[u8] = &[
        1, 0x11, 1, 0, 0, // DW_TAG_compile_unit
        2, 0x1d, 1, 0, 0, // DW_TAG_inlined_subroutine
        3, 0x1d, 0, 0x55, 0x17, 0, 0, // with DW_AT_ranges, DW_FORM_sec_offset
        0,
    ];

    /// A unit of DWARF 4 whose abbreviations start at `abbreviations`.
    fn unit(abbreviations: u32, entries: &[u8]) -> Vec<u8> {
        let mut unit = vec![4, 0];
        unit.extend(abbreviations.to_le_bytes());
        unit.push(8);
        unit.extend(entries);
        let length = u32::try_from(unit.len()).unwrap();
        [&length.to_le_bytes()[..], &unit].concat()
    }

    fn dwarf(info: &[u8], ranges: &[u8]) -> Dwarf<Bytes> {
        let load = |section| -> Result<Bytes, gimli::Error> {
            let bytes = match section {
                SectionId::DebugInfo => info,
                SectionId::DebugAbbrev => ABBREVIATIONS,
                SectionId::DebugRanges => ranges,
                _ => &[],
            };
            Ok(Bytes::new(Arc::from(bytes), LittleEndian))
        };
        Dwarf::load(load).unwrap()
    }

    #[test]
    fn entries_may_nest_but_not_without_end() {
        let nested = |depth: usize| {
            let entries = [&[1][..], &vec![2; depth], &vec![0; depth + 1]].concat();
            check_units(&dwarf(&unit(0, &entries), &[]))
        };
        nested(100).unwrap();
        assert!(matches!(nested(100_000), Err(Disproportionate::Depth)));
    }

    #[test]
    fn a_table_of_ranges_may_not_be_shared_by_all() {
        let range = [1_u64, 2].map(u64::to_le_bytes).concat();
        let ranges = [range.repeat(10_000), vec![0; 16]].concat();
        let referring = |entries: usize| {
            let entries = [&[1][..], &[3, 0, 0, 0, 0].repeat(entries), &[0]].concat();
            check_cost(&dwarf(&unit(0, &entries), &ranges), 1 << 20)
        };
        referring(2).unwrap();
        assert!(matches!(referring(4), Err(Disproportionate::Memory)));
    }

    #[test]
    fn units_without_end_are_refused() {
        let units = |count: usize| {
            let units = unit(0, &[1, 0]).repeat(count);
            check_cost(&dwarf(&units, &[]), 1 << 20)
        };
        units(1000).unwrap();
        assert!(matches!(units(1024), Err(Disproportionate::Memory)));
    }

    #[test]
    fn abbreviation_tables_may_be_shared_whole_only() {
        let same = [unit(0, &[1, 0]), unit(0, &[1, 0])].concat();
        check_abbreviations(&dwarf(&same, &[])).unwrap();
        let overlapping = [unit(0, &[1, 0]), unit(5, &[2, 0])].concat();
        let refused = check_abbreviations(&dwarf(&overlapping, &[]));
        assert!(matches!(refused, Err(Disproportionate::Abbreviations)));
        let outside = check_abbreviations(&dwarf(&unit(99, &[1, 0]), &[]));
        assert!(matches!(outside, Err(Disproportionate::Parse(_))));
    }

    #[test]
    fn an_entry_may_not_have_attributes_without_end() {
        // DW_AT_external, DW_FORM_flag_present: no byte in the entry.
        let table = |attributes: usize| {
            let bytes = [&[1, 0x11, 0][..], &[0x3f, 0x19].repeat(attributes), &[0; 3]].concat();
            end_of_abbreviations(&Bytes::new(Arc::from(bytes), LittleEndian), 0)
        };
        assert_eq!(table(MAX_ATTRIBUTES).unwrap(), 3 + 2 * MAX_ATTRIBUTES + 3);
        let refused = table(MAX_ATTRIBUTES + 1);
        assert!(matches!(refused, Err(Disproportionate::Abbreviations)));
    }
}
