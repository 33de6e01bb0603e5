//! Frames from DWARF, inlined calls included: the only source that knows the lines of C code.
//!
//! It hides gimli and addr2line, and that the sections are compressed.

use std::{borrow::Cow, fmt, sync::Arc};

use addr2line::{
    Context,
    gimli::{self, AbbreviationsCacheStrategy, Dwarf, EndianArcSlice, LittleEndian, SectionId},
};

use crate::target::{BinaryError, VirtualAddress, elf::Elf};

use super::{
    frame::Place,
    screen::{self, Disproportionate},
};

/// How many bytes of debug sections are held in memory; the largest Go programs have some 100 MB.
const MAX_LOADED: usize = 512 << 20;

/// Bytes of a section that the context keeps alive.
pub(super) type Bytes = EndianArcSlice<LittleEndian>;

/// The debug information of an executable.
pub(super) struct DebugInfo(Context<Bytes>);

impl fmt::Debug for DebugInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugInfo").finish_non_exhaustive()
    }
}

/// Why the debug information of an executable is of no use; Go functions are named without it.
#[derive(Debug, thiserror::Error)]
pub enum DebugInfoError {
    /// A section cannot be read or decompressed.
    #[error("cannot read the debug sections of the executable")]
    Section(#[from] BinaryError),
    /// The sections contradict the format.
    #[error("cannot parse the debug information of the executable")]
    Parse(#[from] gimli::Error),
    /// Reading it would take more memory than its size justifies.
    #[error("the debug information of the executable is not what a compiler writes")]
    Screen(#[from] Disproportionate),
}

impl DebugInfo {
    /// Loads the debug information of `elf`; `None` if it has none.
    pub(super) fn load(elf: &Elf) -> Result<Option<Self>, DebugInfoError> {
        if !elf.has_dwarf() {
            return Ok(None);
        }
        let mut limit = MAX_LOADED;
        let mut dwarf = Dwarf::load(|section| load_section(elf, section, &mut limit))?;
        screen::check_abbreviations(&dwarf)?;
        // Go's linker writes one table of abbreviations, which every unit would parse anew.
        dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::All);
        screen::check_units(&dwarf)?;
        Ok(Some(Self(Context::from_dwarf(dwarf)?)))
    }

    /// The frames at `address`, innermost first; empty if no unit or only a nameless one holds it.
    pub(super) fn frames(&self, address: VirtualAddress) -> Result<Vec<Place<'_>>, gimli::Error> {
        let mut frames = self.0.find_frames(address.0).skip_all_loads()?;
        let mut places = Vec::new();
        while let Some(frame) = frames.next()? {
            let Some(function) = frame.function else {
                continue;
            };
            let (file, line) = frame.location.map_or((None, None), |at| (at.file, at.line));
            places.push(Place {
                function: Cow::Owned(function.raw_name()?.into_owned()),
                file: file.map(Cow::Borrowed),
                line,
            });
        }
        Ok(places)
    }
}

/// The bytes of `section`, or none if naming frames does not take it.
fn load_section(elf: &Elf, section: SectionId, limit: &mut usize) -> Result<Bytes, DebugInfoError> {
    let data = match section {
        SectionId::DebugAbbrev
        | SectionId::DebugAddr
        | SectionId::DebugAranges
        | SectionId::DebugInfo
        | SectionId::DebugLine
        | SectionId::DebugLineStr
        | SectionId::DebugRanges
        | SectionId::DebugRngLists
        | SectionId::DebugStr
        | SectionId::DebugStrOffsets => elf.section_data(section.name(), *limit)?,
        _ => Cow::Borrowed(&[][..]),
    };
    *limit = limit.saturating_sub(data.len());
    Ok(Bytes::new(Arc::from(data), LittleEndian))
}
