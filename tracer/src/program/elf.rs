//! The executable as an ELF file: where its segments lie, what its sections hold, who built it.
//!
//! It hides the `object` crate and the lies an ELF header can tell: whatever does not fit the file is
//! absent. Opening reads the headers and the notes only; sections are looked up when they are asked for.

use std::{borrow::Cow, ops::Range};

use object::{
    LittleEndian,
    elf::{self, FileHeader64, SectionHeader64},
    read::{
        CompressedData, CompressionFormat,
        elf::{
            CompressionHeader as _, FileHeader as _, ProgramHeader as _, SectionHeader as _,
            SectionTable, Sym as _, SymbolTable,
        },
    },
};

use super::{
    address::{FileOffset, VirtualAddress},
    bytes,
    error::BinaryError,
    mapped_file::MappedFile,
    relocation,
    symbols::{Entry, SymbolIndex},
    text,
};

const LE: LittleEndian = LittleEndian;

type Header = FileHeader64<LittleEndian>;

/// More loadable segments than any linker writes; a bound on the work of each address lookup.
const MAX_SEGMENTS: usize = 64;
/// DWARF deflates to a half or a quarter; a section that claims to have shrunk more is a decompression bomb.
const MAX_DECOMPRESSION_RATIO: u64 = 64;

/// The processor the executable is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64, Go's `amd64`.
    X86_64,
    /// 64-bit Arm, Go's `arm64`.
    Aarch64,
}

impl Arch {
    /// The name Go gives it (`GOARCH`).
    #[must_use]
    pub const fn go_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }
}

/// A part of the file that the kernel maps.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// Where it is mapped.
    pub(crate) address: u64,
    /// Which bytes of the file it shows; never beyond the end of the file.
    pub(crate) file: Range<usize>,
    /// Whether the program may write to it.
    pub(crate) writable: bool,
    /// Whether it holds code.
    pub(crate) executable: bool,
}

impl Segment {
    /// Where in the file the bytes from `address` to the end of the segment are.
    pub(crate) fn file_range_from(&self, address: VirtualAddress) -> Option<Range<usize>> {
        let skip = usize::try_from(address.0.checked_sub(self.address)?).ok()?;
        (skip < self.file.len()).then(|| self.file.start + skip..self.file.end)
    }
}

/// An ELF executable.
#[derive(Debug)]
pub(crate) struct Elf {
    file: MappedFile,
    arch: Arch,
    position_independent: bool,
    segments: Vec<Segment>,
    build_id: Option<String>,
}

impl Elf {
    /// Reads the headers of `file`.
    pub(crate) fn parse(file: MappedFile) -> Result<Self, BinaryError> {
        let arch = arch(&file)?;
        let malformed = |_| BinaryError::Malformed { what: "ELF header" };
        let header = Header::parse(&*file).map_err(malformed)?;
        let segments = segments(header, &file).map_err(malformed)?;
        if segments.is_empty() || segments.len() > MAX_SEGMENTS {
            return Err(BinaryError::Malformed {
                what: "list of ELF segments",
            });
        }
        let position_independent = header.e_type(LE) == elf::ET_DYN;
        let words = dynamic_section(header, &file)
            .filter(|_| position_independent)
            .map(|dynamic| relocation::missing_words(&file, &segments, dynamic, arch));
        let build_id = build_id(header, &file);
        let unwritable = |_| BinaryError::Malformed {
            what: "list of relocations",
        };
        Ok(Self {
            arch,
            position_independent,
            segments,
            build_id,
            file: file
                .with_words(&words.unwrap_or_default())
                .map_err(unwritable)?,
        })
    }

    /// The whole file.
    pub(crate) fn file(&self) -> &MappedFile {
        &self.file
    }

    /// The processor it is built for.
    pub(crate) fn arch(&self) -> Arch {
        self.arch
    }

    /// Whether the kernel may load it anywhere.
    pub(crate) fn position_independent(&self) -> bool {
        self.position_independent
    }

    /// The GNU build id in hexadecimal, else Go's own build id.
    pub(crate) fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// The loadable segments, in the order of the file.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What the file holds from `address` to the end of its segment.
    pub(crate) fn bytes_from(&self, address: VirtualAddress) -> Option<&[u8]> {
        self.file.get(self.file_range_from(address)?)
    }

    /// The `length` bytes at `address`; `None` unless one segment of the file holds them all.
    pub(crate) fn bytes_at(&self, address: VirtualAddress, length: usize) -> Option<&[u8]> {
        self.bytes_from(address)?.get(..length)
    }

    /// Where in the file the bytes from `address` to the end of its segment are.
    pub(crate) fn file_range_from(&self, address: VirtualAddress) -> Option<Range<usize>> {
        self.segments
            .iter()
            .find_map(|segment| segment.file_range_from(address))
    }

    /// Whether `address` is in a segment that holds code.
    pub(crate) fn is_code(&self, address: VirtualAddress) -> bool {
        let mut code = self.segments.iter().filter(|segment| segment.executable);
        code.any(|segment| segment.file_range_from(address).is_some())
    }

    /// Where in the file the byte at `address` is.
    pub(crate) fn file_offset(&self, address: VirtualAddress) -> Option<FileOffset> {
        let range = self.file_range_from(address)?;
        Some(FileOffset(range.start as u64))
    }

    /// Where the loadable section of that name is mapped.
    pub(crate) fn section_address(&self, name: &str) -> Option<VirtualAddress> {
        let header = self.section_header(name)?;
        Some(VirtualAddress(header.sh_addr(LE)))
    }

    /// Whether there is a section of that name with anything in it.
    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.section_header(name)
            .is_some_and(|header| header.sh_size(LE) != 0)
    }

    /// Whether there is DWARF debug information.
    pub(crate) fn has_dwarf(&self) -> bool {
        self.has_section(".debug_info")
    }

    /// What the section of that name holds, decompressed if need be; empty if there is none.
    ///
    /// It is malformed if that would be more than `limit` bytes, or more than 64 times what the section
    /// takes in the file.
    pub(crate) fn section_data(
        &self,
        name: &str,
        limit: usize,
    ) -> Result<Cow<'_, [u8]>, BinaryError> {
        let Some(header) = self.section_header(name) else {
            return Ok(Cow::Borrowed(&[]));
        };
        self.decompressed(header, limit as u64)
            .ok_or(BinaryError::Malformed {
                what: "debug section",
            })
    }

    /// The functions of the symbol table, or `None` if the file has been stripped of it.
    pub(crate) fn function_symbols(&self) -> Option<SymbolIndex> {
        let (table, names) = self.symbol_table()?;
        let entries = table.iter().filter_map(|symbol| {
            let function = symbol.st_type() == elf::STT_FUNC && symbol.st_value(LE) != 0;
            function
                .then(|| Entry::new(symbol.st_value(LE), symbol.st_size(LE), symbol.st_name(LE)))
        });
        Some(SymbolIndex::new(names, entries.collect()))
    }

    /// The address of the variable of that name; `None` if there is none or the file is stripped.
    ///
    /// Goes through all symbols, so not for more than a handful of names.
    pub(crate) fn variable(&self, name: &str) -> Option<VirtualAddress> {
        let (table, names) = self.symbol_table()?;
        let names = self.file.get(names)?;
        let symbol = table.iter().find(|symbol| {
            symbol.st_type() == elf::STT_OBJECT
                && usize::try_from(symbol.st_name(LE))
                    .ok()
                    .and_then(|at| names.get(at..)?.strip_prefix(name.as_bytes()))
                    .is_some_and(|rest| rest.first() == Some(&0))
        })?;
        Some(VirtualAddress(symbol.st_value(LE)))
    }

    fn sections(&self) -> SectionTable<'_, Header> {
        Header::parse(&*self.file)
            .and_then(|header| header.sections(LE, &*self.file))
            .unwrap_or_default()
    }

    fn section_header(&self, name: &str) -> Option<&SectionHeader64<LittleEndian>> {
        let (_, header) = self.sections().section_by_name(LE, name.as_bytes())?;
        Some(header)
    }

    fn decompressed(
        &self,
        header: &SectionHeader64<LittleEndian>,
        limit: u64,
    ) -> Option<Cow<'_, [u8]>> {
        let Some((compression, offset, size)) = header.compression(LE, &*self.file).ok()? else {
            let data = header.data(LE, &*self.file).ok()?;
            return (data.len() as u64 <= limit).then_some(Cow::Borrowed(data));
        };
        let format = match compression.ch_type(LE) {
            elf::ELFCOMPRESS_ZLIB => CompressionFormat::Zlib,
            elf::ELFCOMPRESS_ZSTD => CompressionFormat::Zstandard,
            _ => return None,
        };
        let uncompressed_size = compression.ch_size(LE);
        if uncompressed_size > size.saturating_mul(MAX_DECOMPRESSION_RATIO).min(limit) {
            return None;
        }
        let start = usize::try_from(offset).ok()?;
        let data = self.file.get(start..)?.get(..usize::try_from(size).ok()?)?;
        let compressed = CompressedData {
            format,
            data,
            uncompressed_size,
        };
        compressed.decompress().ok()
    }

    /// The symbol table, and where in the file its names are.
    fn symbol_table(&self) -> Option<(SymbolTable<'_, Header>, Range<usize>)> {
        let sections = self.sections();
        let table = sections.symbols(LE, &*self.file, elf::SHT_SYMTAB).ok()?;
        if table.is_empty() {
            return None;
        }
        let names = sections.section(table.string_section()).ok()?;
        let (start, size) = names.file_range(LE)?;
        let end = start.checked_add(size)?;
        Some((
            table,
            usize::try_from(start).ok()?..usize::try_from(end).ok()?,
        ))
    }
}

/// The processor, once the first bytes say that this is ELF for 64 bits, low byte first.
fn arch(file: &[u8]) -> Result<Arch, BinaryError> {
    if !file.starts_with(&elf::ELFMAG) {
        return Err(BinaryError::NotElf);
    }
    let class_and_order = (bytes::u8_at(file, 4), bytes::u8_at(file, 5));
    let machine = match (class_and_order, bytes::u16_at(file, 18)) {
        // ELFCLASS64 and ELFDATA2LSB, then EM_X86_64 or EM_AARCH64.
        ((Some(2), Some(1)), Some(62)) => return Ok(Arch::X86_64),
        ((Some(2), Some(1)), Some(183)) => return Ok(Arch::Aarch64),
        ((Some(1), _), _) => "a 32-bit processor".to_owned(),
        ((_, Some(2)), _) => "a big-endian processor".to_owned(),
        (_, Some(number)) => format!("a processor of ELF machine number {number}"),
        (_, None) => return Err(BinaryError::NotElf),
    };
    Err(BinaryError::UnsupportedArch { machine })
}

fn segments(header: &Header, file: &[u8]) -> Result<Vec<Segment>, object::read::Error> {
    let clip = |position: u64| {
        usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(file.len())
    };
    let loadable = header
        .program_headers(LE, file)?
        .iter()
        .filter(|segment| segment.p_type(LE) == elf::PT_LOAD);
    let segments = loadable.map(|segment| {
        let start = segment.p_offset(LE);
        Segment {
            address: segment.p_vaddr(LE),
            file: clip(start)..clip(start.saturating_add(segment.p_filesz(LE))),
            writable: segment.p_flags(LE).contains(elf::PF_W),
            executable: segment.p_flags(LE).contains(elf::PF_X),
        }
    });
    Ok(segments.take(MAX_SEGMENTS + 1).collect())
}

/// What the dynamic loader reads.
fn dynamic_section<'a>(header: &Header, file: &'a [u8]) -> Option<&'a [u8]> {
    let mut segments = header.program_headers(LE, file).ok()?.iter();
    let dynamic = segments.find(|segment| segment.p_type(LE) == elf::PT_DYNAMIC)?;
    dynamic.data(LE, file).ok()
}

/// The build id of the GNU note, else of Go's.
///
/// Notes are found through the program headers, which stripping keeps.
fn build_id(header: &Header, file: &[u8]) -> Option<String> {
    // elf/note types: NT_GNU_BUILD_ID; Go's cmd/internal/buildid calls its own elfGoBuildIDTag.
    const GO_BUILD_ID: u32 = 4;
    let mut go_build_id = None;
    for segment in header.program_headers(LE, file).ok()? {
        let Ok(Some(mut notes)) = segment.notes(LE, file) else {
            continue;
        };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID {
                return Some(
                    note.desc()
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect(),
                );
            }
            if note.name() == b"Go" && note.n_type(LE).0 == GO_BUILD_ID {
                go_build_id = Some(text::lossy(note.desc()));
            }
        }
    }
    go_build_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fixture::{self, BASE, Fixture, MALLOC, OUTER};

    #[test]
    fn addresses_are_looked_up_in_the_segments() {
        let image = Fixture::default().build();
        let elf = Elf::parse(fixture::map(&image.bytes)).unwrap();
        let end = BASE + image.bytes.len() as u64;
        assert_eq!(elf.file_offset(VirtualAddress(BASE)), Some(FileOffset(0)));
        assert_eq!(
            elf.file_offset(VirtualAddress(OUTER)),
            Some(FileOffset(0x200))
        );
        assert_eq!(elf.file_offset(VirtualAddress(BASE - 1)), None);
        assert_eq!(elf.file_offset(VirtualAddress(end)), None);
        let last = VirtualAddress(end - 1);
        assert_eq!(elf.bytes_at(last, 1).map(<[u8]>::len), Some(1));
        assert_eq!(elf.bytes_at(last, 2), None);
        assert!(elf.is_code(VirtualAddress(MALLOC)) && !elf.is_code(last));
    }

    #[test]
    fn the_symbol_table_of_this_test_has_this_test() {
        let elf = Elf::parse(MappedFile::open("/proc/self/exe".as_ref()).unwrap()).unwrap();
        let index = elf.function_symbols().unwrap();
        let main = index.within(elf.file()).named("main").unwrap();
        assert!(elf.is_code(main.address) && main.size > 0);
        assert_eq!(elf.variable("main"), None, "a function is no variable");
        assert_eq!(elf.section_address(".nowhere"), None);
        assert_eq!(elf.section_data(".nowhere", 0).as_deref(), Ok(&[][..]));
    }

    /// An executable with one section, `.debug_info`: a compression header, then zlib data.
    fn compressed(claimed: u64, zlib: &[u8]) -> Elf {
        let mut file = Fixture::default().build().bytes;
        file.resize(file.len().next_multiple_of(8), 0);
        let section = file.len() as u64;
        file.extend([1, claimed, 1].map(u64::to_le_bytes).concat()); // ELFCOMPRESS_ZLIB, size, alignment
        file.extend(zlib);
        let names = file.len() as u64;
        file.extend(b"\0.debug_info\0");
        file.resize(file.len().next_multiple_of(8), 0);
        let headers = file.len() as u64;
        // Name and type, flags, address, offset, size, link and info, alignment, entry size.
        let null = [0; 8];
        let debug = [1 | 1 << 32, 0x800, 0, section, names - section, 0, 8, 0];
        let strings = [3 << 32, 0, 0, names, 13, 0, 1, 0];
        for header in [null, debug, strings] {
            file.extend(header.map(u64::to_le_bytes).concat());
        }
        file[40..48].copy_from_slice(&headers.to_le_bytes());
        file[58..64].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
        Elf::parse(fixture::map(&file)).unwrap()
    }

    #[test]
    fn compressed_sections_are_inflated_within_bounds() {
        // A stored block: header, last block, length and its complement, bytes, Adler-32.
        let zlib = b"\x78\x01\x01\x05\0\xfa\xffhello\x06\x2c\x02\x15";
        let elf = compressed(5, zlib);
        assert!(elf.has_dwarf());
        assert_eq!(
            elf.section_data(".debug_info", 5).as_deref(),
            Ok(&b"hello"[..])
        );
        let malformed = Err(BinaryError::Malformed {
            what: "debug section",
        });
        assert_eq!(
            elf.section_data(".debug_info", 4),
            malformed,
            "beyond the limit"
        );
        let section = |claimed, zlib| {
            compressed(claimed, zlib)
                .section_data(".debug_info", 1 << 40)
                .map(Cow::into_owned)
        };
        assert_eq!(
            section(6, zlib),
            Err(BinaryError::Malformed {
                what: "debug section"
            })
        );
        assert_eq!(
            section(1 << 30, zlib),
            Err(BinaryError::Malformed {
                what: "debug section"
            }),
            "a bomb"
        );
        assert_eq!(
            section(5, b"not zlib"),
            Err(BinaryError::Malformed {
                what: "debug section"
            })
        );
    }
}
