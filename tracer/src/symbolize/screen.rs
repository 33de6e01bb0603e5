//! Refuses debug information that is hostile to its reader, before `addr2line` reads it.
//!
//! `addr2line` recurses once per level of nested entries and keeps a copy of whatever table a unit or
//! an entry refers to. A few kilobytes that nest, or that refer to one long table again and again,
//! would overflow the stack or fill the memory. What a compiler writes is proportional to the size of
//! its sections, so this passes it over once and keeps account.

use std::collections::BTreeSet;

use addr2line::gimli::{self, Dwarf, Reader as _, Section, UnitRef, constants::DW_AT_ranges};

use super::dwarf::Bytes;

/// Deeper than compilers nest blocks and inlined calls.
const MAX_DEPTH: isize = 256;
/// A path is at most so much longer than the entry of the line table that refers to its parts.
const PATH_RATIO: usize = 64;

/// Debug information that no compiler writes.
#[derive(Debug, thiserror::Error)]
pub enum Disproportionate {
    /// It cannot even be passed over.
    #[error("cannot parse it")]
    Parse(#[from] gimli::Error),
    /// Entries nest too deep.
    #[error("its entries nest deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Units refer to more abbreviations than there are.
    #[error("its units share parts of abbreviation tables")]
    Abbreviations,
    /// Entries refer to more address ranges than there are.
    #[error("its entries refer to more address ranges than its size allows")]
    Ranges,
    /// Units refer to more lines or longer paths than there are.
    #[error("its units refer to longer line tables than its size allows")]
    Lines,
}

/// Checks the abbreviation tables, which come first because every other step reads them.
pub(super) fn check_abbreviations(dwarf: &Dwarf<Bytes>) -> Result<(), Disproportionate> {
    let mut offsets = BTreeSet::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        offsets.insert(header.debug_abbrev_offset().0);
    }
    // Tables that are whole do not overlap.
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
fn end_of_abbreviations(section: &Bytes, offset: usize) -> Result<usize, gimli::Error> {
    let mut table = section.clone();
    table.skip(offset)?;
    while table.read_uleb128()? != 0 {
        let _tag = table.read_uleb128()?;
        let _has_children = table.read_u8()?;
        loop {
            let (name, form) = (table.read_uleb128()?, table.read_uleb128()?);
            if form == u64::from(gimli::constants::DW_FORM_implicit_const.0) {
                table.read_sleb128()?;
            }
            if (name, form) == (0, 0) {
                break;
            }
        }
    }
    Ok(section.len() - table.len())
}

/// Passes over all units, whose abbreviations have been checked.
pub(super) fn check_units(dwarf: &Dwarf<Bytes>) -> Result<(), Disproportionate> {
    let size = |section: &Bytes| section.len();
    let info = size(dwarf.debug_info.reader());
    let mut account = Account {
        ranges: info
            .saturating_add(size(dwarf.ranges.debug_ranges().reader()))
            .saturating_add(size(dwarf.ranges.debug_rnglists().reader())),
        lines: size(dwarf.debug_line.reader()).saturating_mul(PATH_RATIO),
    };
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        // addr2line leaves such a unit out.
        let Ok(unit) = dwarf.unit(header) else {
            continue;
        };
        let unit = UnitRef::new(dwarf, &unit);
        account.lines(&unit)?;
        account.entries(&unit)?;
    }
    Ok(())
}

/// What the units may still refer to.
struct Account {
    ranges: usize,
    lines: usize,
}

impl Account {
    /// Charges the length of the unit's line program, and of each path that its file table spells.
    fn lines(&mut self, unit: &UnitRef<'_, Bytes>) -> Result<(), Disproportionate> {
        let Some(program) = &unit.line_program else {
            return Ok(());
        };
        let header = program.header();
        let length = |attribute| unit.attr_string(attribute).map_or(0, |text| text.len());
        let directory = unit.comp_dir.as_ref().map_or(0, gimli::Reader::len);
        self.charge_lines(header.raw_program_buf().len())?;
        for file in header.file_names() {
            let parent = file.directory(header).map_or(0, length);
            self.charge_lines(directory + parent + length(file.path_name()))?;
        }
        Ok(())
    }

    fn charge_lines(&mut self, length: usize) -> Result<(), Disproportionate> {
        let left = self.lines.checked_sub(length);
        self.lines = left.ok_or(Disproportionate::Lines)?;
        Ok(())
    }

    /// Checks how deep the unit's entries nest, and charges the ranges they refer to.
    fn entries(&mut self, unit: &UnitRef<'_, Bytes>) -> Result<(), Disproportionate> {
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return Err(Disproportionate::Depth);
            }
            let Some(abbreviation) = entries.read_abbreviation()? else {
                continue;
            };
            let attributes = abbreviation.attributes();
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
        value: gimli::AttributeValue<Bytes>,
    ) -> Result<(), Disproportionate> {
        let Some(offset) = unit.attr_ranges_offset(value)? else {
            return Ok(());
        };
        let mut ranges = unit.raw_ranges(offset)?;
        while ranges.next()?.is_some() {
            self.ranges = self.ranges.checked_sub(1).ok_or(Disproportionate::Ranges)?;
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
        let ranges = [
            [1_u64, 2].map(u64::to_le_bytes).concat().repeat(100),
            vec![0; 16],
        ]
        .concat();
        let referring = |entries: usize| {
            let entries = [&[1][..], &[3, 0, 0, 0, 0].repeat(entries), &[0]].concat();
            check_units(&dwarf(&unit(0, &entries), &ranges))
        };
        referring(10).unwrap();
        assert!(matches!(referring(1000), Err(Disproportionate::Ranges)));
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
}
