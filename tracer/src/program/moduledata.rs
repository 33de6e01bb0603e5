//! `runtime.firstmoduledata`: the table by which the Go runtime finds its own tables.
//!
//! It survives stripping, so it is found without symbols: it begins with the address of the pclntab
//! header. It hides where each Go version keeps what.

use super::{
    address::VirtualAddress,
    buildinfo::GoVersion,
    bytes,
    elf::{Arch, Elf},
};

/// How many words that look like a pclntab header are tried in a file without section names.
const MAX_CANDIDATES: usize = 16;
/// Up to the last field that is read here, in any version.
const SIZE: usize = 352;

/// Offsets of fields whose place is the same from Go 1.19 to 1.27 (`src/runtime/symtab.go`).
const FUNCNAMETAB: usize = 8;
const CUTAB: usize = 32;
const FILETAB: usize = 56;
const PCTAB: usize = 80;
const PCLNTABLE: usize = 104;
const FTAB: usize = 128;
const TEXT: usize = 176;

/// The address and length of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    /// Where it starts.
    pub(crate) address: VirtualAddress,
    /// The number of its elements.
    pub(crate) length: u64,
}

/// The fields of `runtime.firstmoduledata` that matter from outside; addresses are link-time ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleData {
    /// The header of pclntab.
    pub(crate) pclntab: VirtualAddress,
    /// Function names, NUL-terminated.
    pub(crate) funcnametab: Table,
    /// For each compilation unit, offsets in `filetab`.
    pub(crate) cutab: Table,
    /// File names, NUL-terminated.
    pub(crate) filetab: Table,
    /// Tables of values by program counter.
    pub(crate) pctab: Table,
    /// Function records.
    pub(crate) pclntable: Table,
    /// For each function, its entry and its record.
    pub(crate) ftab: Table,
    /// The start of Go's code.
    pub(crate) text: u64,
    /// Where that code ends, `runtime.etext`.
    pub(crate) etext: u64,
    /// The start and the end of the type descriptors.
    pub(crate) types: (u64, u64),
    /// What the funcdata offsets of function records are relative to.
    pub(crate) gofunc: VirtualAddress,
}

/// Where a version keeps the fields that moved.
struct Layout {
    types: usize,
    etypes: usize,
    gofunc: usize,
}

impl Layout {
    fn of(version: &GoVersion) -> Self {
        let (types, etypes, gofunc) = match (version.major, version.minor) {
            (1, ..=19) => (280, 288, 304),
            (1, ..=26) => (296, 304, 320),
            _ => (296, 312, 344),
        };
        Self {
            types,
            etypes,
            gofunc,
        }
    }
}

impl ModuleData {
    /// Finds the table in `elf`; `None` if there is none that agrees with itself.
    pub(crate) fn find(elf: &Elf, version: &GoVersion) -> Option<Self> {
        let layout = Layout::of(version);
        let by_name = [".gopclntab", ".data.rel.ro.gopclntab"].iter();
        let headers = by_name.filter_map(|name| elf.section_address(name));
        headers
            .chain(scan_for_headers(elf).take(MAX_CANDIDATES))
            .filter(|&header| is_header(elf, header))
            .find_map(|header| Self::beginning_with(elf, header, &layout))
    }

    fn beginning_with(elf: &Elf, header: VirtualAddress, layout: &Layout) -> Option<Self> {
        // Go 1.26 gave it a section of its own.
        let own_section = elf
            .section_address(".go.module")
            .and_then(|at| elf.bytes_from(at));
        let read = |data: &[u8]| Self::read(elf, data.get(..SIZE)?, header, layout);
        own_section.and_then(read).or_else(|| {
            let writable = elf.segments().iter().filter(|segment| segment.writable);
            let mut data = writable.filter_map(|segment| {
                let to_word = usize::try_from(segment.address.wrapping_neg() % 8).ok()?;
                elf.file().get(segment.file.clone())?.get(to_word..)
            });
            data.find_map(|data| {
                let words = data.chunks_exact(8).enumerate();
                let mut places = words.filter(|(_, word)| **word == header.0.to_le_bytes());
                places.find_map(|(index, _)| read(data.get(index * 8..)?))
            })
        })
    }

    /// Reads `data`, if it is the module data of the pclntab at `header`.
    fn read(elf: &Elf, data: &[u8], header: VirtualAddress, layout: &Layout) -> Option<Self> {
        let word = |at| bytes::u64_at(data, at);
        let table = |at| {
            Some(Table {
                address: VirtualAddress(word(at)?),
                length: word(at + 8)?,
            })
        };
        let module = Self {
            pclntab: VirtualAddress(word(0)?),
            funcnametab: table(FUNCNAMETAB)?,
            cutab: table(CUTAB)?,
            filetab: table(FILETAB)?,
            pctab: table(PCTAB)?,
            pclntable: table(PCLNTABLE)?,
            ftab: table(FTAB)?,
            text: word(TEXT)?,
            etext: word(TEXT + 8)?,
            types: (word(layout.types)?, word(layout.etypes)?),
            gofunc: VirtualAddress(word(layout.gofunc)?),
        };
        // The header says where the names are, too: chance does not make both agree.
        let names = bytes::u64_at(elf.bytes_from(header)?, 32)?;
        let agrees = module.pclntab == header
            && module.funcnametab.address.0 == header.0.wrapping_add(names)
            && module.funcnametab.length == word(FUNCNAMETAB + 16)?;
        agrees.then_some(module)
    }
}

/// Whether the header of a pclntab of Go 1.18 or newer is at `address`.
fn is_header(elf: &Elf, address: VirtualAddress) -> bool {
    let header = elf.bytes_at(address, 8);
    header.is_some_and(|header| looks_like_header(header, elf.arch()))
}

/// Magic (the last byte is 0xf0 for Go 1.18 and 1.19, 0xf1 since), two zeros, the unit of code
/// addresses, the size of a pointer (`internal/abi/symtab.go`).
fn looks_like_header(bytes: &[u8], arch: Arch) -> bool {
    let quantum = match arch {
        Arch::X86_64 => 1,
        Arch::Aarch64 => 4,
    };
    matches!(bytes, [0xf0 | 0xf1, 0xff, 0xff, 0xff, 0, 0, unit, 8] if *unit == quantum)
}

/// Places that look like a pclntab header, in a file whose sections do not tell.
///
/// An external linker merges pclntab into `.data.rel.ro`, and some tools drop all section headers.
fn scan_for_headers(elf: &Elf) -> impl Iterator<Item = VirtualAddress> {
    elf.segments().iter().flat_map(|segment| {
        let to_word = segment.address.wrapping_neg() % 8;
        let data = elf.file().get(segment.file.clone()).unwrap_or_default();
        let skip = usize::try_from(to_word).unwrap_or_default();
        let words = data.get(skip..).unwrap_or_default().chunks_exact(8);
        // A segment may claim to end beyond the last address.
        let first = segment.address.wrapping_add(to_word);
        (0_u64..)
            .zip(words)
            .filter(|(_, word)| looks_like_header(word, elf.arch()))
            .map(move |(at, _)| VirtualAddress(first.wrapping_add(at.wrapping_mul(8))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_by_magic_unit_and_pointer_size() {
        let go_1_20 = [0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
        assert!(looks_like_header(&go_1_20, Arch::X86_64));
        assert!(!looks_like_header(&go_1_20, Arch::Aarch64));
        assert!(looks_like_header(
            &[0xf0, 0xff, 0xff, 0xff, 0, 0, 4, 8],
            Arch::Aarch64
        ));
        let go_1_17 = [0xfa, 0xff, 0xff, 0xff, 0, 0, 1, 8];
        assert!(!looks_like_header(&go_1_17, Arch::X86_64));
        assert!(!looks_like_header(&go_1_20[..7], Arch::X86_64));
    }

    #[test]
    fn an_unknown_newer_version_is_read_like_the_newest_known() {
        let of = |raw| Layout::of(&GoVersion::parse(raw).unwrap());
        assert_eq!(of("go1.19.8").types, 280);
        assert_eq!(of("go1.25.5").etypes, 304);
        assert_eq!(of("go1.26.6").gofunc, 320);
        assert_eq!(of("go1.99").gofunc, of("go1.27").gofunc);
        assert_eq!(of("go2.0").gofunc, 344);
    }
}
