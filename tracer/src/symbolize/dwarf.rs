//! Frames from DWARF, inlined calls included: the only source that knows the lines of C code.
//!
//! It hides gimli and addr2line, and that the sections are compressed.

use std::{borrow::Cow, fmt, sync::Arc};

use addr2line::{
    Context,
    gimli::{self, AbbreviationsCacheStrategy, Dwarf, EndianArcSlice, LittleEndian, SectionId},
};

use crate::program::{BinaryError, VirtualAddress, elf::Elf};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{
        fixture::{self, Fixture},
        mapped_file::MappedFile,
    };

    #[inline(always)]
    fn landmark_inlined(number: u32) -> u32 {
        std::hint::black_box(number + 1)
    }

    #[inline(never)]
    fn landmark(number: u32) -> u32 {
        landmark_inlined(number) * 2
    }

    fn myself() -> Elf {
        Elf::parse(MappedFile::open("/proc/self/exe".as_ref()).unwrap()).unwrap()
    }

    #[test]
    fn functions_of_this_test_are_found_with_their_lines() {
        assert_eq!(landmark(1), 4);
        let elf = myself();
        let info = DebugInfo::load(&elf).unwrap().unwrap();
        let index = elf.function_symbols().unwrap();
        let symbols = index.within(elf.file());
        let function = symbols
            .with_prefix("_")
            .find(|f| f.name.contains("8landmark"))
            .unwrap();
        let mut inlined = 0;
        for pc in function.address.0..function.address.0 + function.size {
            let places = info.frames(VirtualAddress(pc)).unwrap();
            let outermost = places.last().unwrap();
            assert!(outermost.function.contains("landmark"), "{outermost:?}");
            assert!(
                outermost.file.as_ref().unwrap().ends_with("dwarf.rs"),
                "{outermost:?}"
            );
            assert!(outermost.line.is_some() || pc != function.address.0);
            inlined = inlined.max(places.len() - 1);
        }
        assert!(inlined >= 1, "black_box and landmark_inlined are inlined");
        assert_eq!(info.frames(VirtualAddress(u64::MAX / 2)).unwrap(), []);
    }

    #[test]
    fn a_program_without_debug_information_has_none() {
        let elf = Elf::parse(fixture::map(&Fixture::default().build().bytes)).unwrap();
        assert!(DebugInfo::load(&elf).unwrap().is_none());
    }

    #[test]
    fn sections_beyond_the_limit_are_refused() {
        let elf = myself();
        let mut limit = 16;
        load_section(&elf, SectionId::DebugInfo, &mut limit).unwrap_err();
        let mut limit = MAX_LOADED;
        let loaded = load_section(&elf, SectionId::DebugInfo, &mut limit).unwrap();
        assert_eq!(limit, MAX_LOADED - loaded.bytes().len());
    }
}
