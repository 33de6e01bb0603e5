//! What is running: the process, and the Go program in its executable.
//!
//! A [`Process`] answers from `/proc`, a [`GoBinary`] from the bytes of the executable. Both treat what
//! they read as untrusted input. Nothing here writes to the target, stops it, or knows of probes.

mod access;
mod address;
mod allocated;
mod binaries;
mod buildinfo;
pub(crate) mod bytes;
mod call;
mod cgroup;
mod controller;
mod cpu_clock;
pub(crate) mod elf;
mod error;
mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod heap_counter;
mod heap_profile;
pub(crate) mod mapped_file;
mod mappings;
mod memory;
mod moduledata;
pub(crate) mod pclntab;
mod physical;
mod process;
mod relocation;
mod resident;
mod rights;
mod runtime_view;
mod symbols;
pub(crate) mod text;
mod types;
mod variables;

use std::{collections::BTreeSet, path::Path, sync::OnceLock};

pub use access::Access;
pub use address::{FileOffset, LoadBias, RuntimePc, VirtualAddress};
pub use allocated::Allocated;
pub use binaries::Binaries;
pub use buildinfo::{BuildInfo, GoVersion};
pub use call::CodeBudget;
pub use cgroup::MemoryGroup;
pub use controller::{ControllerLayout, ControllerState};
pub use cpu_clock::CpuClock;
pub use elf::Arch;
pub use error::{BinaryError, TargetError, TargetErrorKind};
pub use heap_counter::HeapCounter;
pub use heap_profile::{
    Bucket, Counts, HeapProfile, HeapProfileError, HeapSnapshot, ProfilerState,
};
pub use mapped_file::FileIdentity;
pub use memory::{Means, Memory, Place};
pub use physical::PhysicalStacks;
pub use process::{ExeName, NamespaceIds, Process};
pub use resident::{Mapped, MappedKind, Resident};
pub use rights::{Need, Remedy, Rights};
pub use runtime_view::{ArenaLayout, RuntimeFigures, RuntimeView};
pub use symbols::Function;
pub use types::{GoType, Kind, MapType, TypeReader, UnknownType};

use elf::Elf;
use mapped_file::MappedFile;
use moduledata::ModuleData;
use pclntab::{Pclntab, Steps};
use symbols::{SymbolIndex, SymbolTable};

/// The oldest Go whose runtime we know, as `(major, minor)`.
const OLDEST: (u16, u16) = (1, 19);

/// A Go executable.
///
/// Opening reads headers and build information; the function index, the module data and the debug
/// sections are read when first asked for. It can be shared between threads.
#[derive(Debug)]
pub struct GoBinary {
    elf: Elf,
    build: BuildInfo,
    module: OnceLock<Option<ModuleData>>,
    functions: OnceLock<SymbolIndex>,
}

/// Where a position-independent executable starts, on the page that the kernel maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstPage {
    pub(crate) address: VirtualAddress,
    pub(crate) file_offset: FileOffset,
}

impl GoBinary {
    /// Opens the executable at `path`, for a process at [`Process::exe_path`].
    ///
    /// # Errors
    /// When it cannot be opened, is not a Go program, or one we cannot trace.
    pub fn open(path: &Path) -> Result<Self, TargetError> {
        let file = MappedFile::open(path).map_err(|source| TargetError::Open {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(file).map_err(|source| TargetError::Binary {
            path: path.to_owned(),
            source,
        })
    }

    fn parse(file: MappedFile) -> Result<Self, BinaryError> {
        let elf = Elf::parse(file)?;
        let build = BuildInfo::read(&elf)?;
        if !build.version().at_least(OLDEST.0, OLDEST.1) {
            return Err(BinaryError::TooOld {
                version: build.version().raw.clone(),
            });
        }
        let binary = Self {
            elf,
            build,
            module: OnceLock::new(),
            functions: OnceLock::new(),
        };
        if binary.is_stripped() && binary.pclntab().is_none() {
            return Err(BinaryError::NoSymbols);
        }
        Ok(binary)
    }

    /// What the executable says about its build.
    #[must_use]
    pub fn build_info(&self) -> &BuildInfo {
        &self.build
    }

    /// The Go toolchain that built it.
    #[must_use]
    pub fn go_version(&self) -> &GoVersion {
        self.build.version()
    }

    /// The GNU build id in hexadecimal, else Go's own build id.
    #[must_use]
    pub fn build_id(&self) -> Option<&str> {
        self.elf.build_id()
    }

    /// The processor it is built for.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.elf.arch()
    }

    /// Whether the kernel may load it anywhere (a PIE).
    #[must_use]
    pub fn is_pie(&self) -> bool {
        self.elf.position_independent()
    }

    /// Whether C code is linked in: `crosscall2`, by which C calls Go, is linked with `runtime/cgo` in
    /// every version, and only then.
    #[must_use]
    pub fn is_cgo(&self) -> bool {
        self.function("crosscall2").is_some()
    }

    /// Whether it has no ELF symbol table; functions are then found through pclntab.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        !self.elf.has_section(".symtab")
    }

    /// Whether it has DWARF debug information.
    #[must_use]
    pub fn has_dwarf(&self) -> bool {
        self.elf.has_dwarf()
    }

    /// Which file it is.
    #[must_use]
    pub fn identity(&self) -> FileIdentity {
        self.elf.file().identity()
    }

    /// The function of that name, as Go's linker spells it.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<Function<'_>> {
        self.symbols().named(name)
    }

    /// The functions whose name starts with `prefix`, by address.
    pub fn functions_with_prefix(&self, prefix: &str) -> impl Iterator<Item = Function<'_>> {
        self.symbols().with_prefix(prefix)
    }

    /// The function whose code holds `address`.
    #[must_use]
    pub fn function_at(&self, address: VirtualAddress) -> Option<Function<'_>> {
        self.symbols().containing(address)
    }

    /// Bytes between the stack pointer and the return address of the function at `pc`; 0 where it has no frame yet, or no
    /// more. `None` if no table knows.
    #[must_use]
    pub fn frame_size_at(&self, pc: VirtualAddress) -> Option<u32> {
        let function = self.pclntab()?.function(pc)?;
        function.frame_size(pc.0, &mut Steps::default())
    }

    /// The address of a package-level variable, such as `runtime.memstats`; `None` if it is stripped.
    ///
    /// Goes through all symbols at each call.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<VirtualAddress> {
        self.elf.variable(name)
    }

    /// The `length` bytes of code or data at `address`, as the file has them.
    #[must_use]
    pub fn code(&self, address: VirtualAddress, length: usize) -> Option<&[u8]> {
        self.elf.bytes_at(address, length)
    }

    /// Where in the file the byte at `address` is: what a uprobe is attached to.
    #[must_use]
    pub fn file_offset(&self, address: VirtualAddress) -> Option<FileOffset> {
        self.elf.file_offset(address)
    }

    /// Reads type descriptors.
    #[must_use]
    pub fn types(&self) -> TypeReader<'_> {
        TypeReader::new(&self.elf, self.module())
    }

    /// Every pair of a function and a function inlined into it whose name begins with one of `prefixes`, each pair
    /// once: with profile-guided optimization the compiler inlines functions of any size where they are hot.
    #[must_use]
    pub fn inlined_copies(&self, prefixes: &[&str]) -> BTreeSet<(String, String)> {
        let wanted = |name: &[u8]| {
            let mut prefixes = prefixes.iter();
            prefixes.any(|prefix| name.starts_with(prefix.as_bytes()))
        };
        let copies = self.pclntab().map(|table| table.inlined_copies(wanted));
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        copies
            .into_iter()
            .flatten()
            .map(|(host, inlined)| (text(host), text(inlined)))
            .collect()
    }

    /// The Go runtime's own table of functions, files and lines.
    pub(crate) fn pclntab(&self) -> Option<Pclntab<'_>> {
        Pclntab::new(&self.elf, self.module()?)
    }

    /// The file as ELF knows it.
    pub(crate) fn elf(&self) -> &Elf {
        &self.elf
    }

    /// Where the first segment is, if the kernel chooses where to map it.
    pub(crate) fn first_page_if_pie(&self) -> Option<FirstPage> {
        const PAGE: u64 = 4096;
        let first = self.elf.segments().first().filter(|_| self.is_pie())?;
        let into_page = first.address % PAGE;
        Some(FirstPage {
            address: VirtualAddress(first.address - into_page),
            file_offset: FileOffset((first.file.start as u64).checked_sub(into_page)?),
        })
    }

    /// Where the code that the Go toolchain compiled starts, and where it ends.
    pub fn text(&self) -> Option<(VirtualAddress, VirtualAddress)> {
        let module = self.module()?;
        Some((VirtualAddress(module.text), VirtualAddress(module.etext)))
    }

    fn module(&self) -> Option<&ModuleData> {
        let find = || ModuleData::find(&self.elf, self.go_version());
        self.module.get_or_init(find).as_ref()
    }

    fn symbols(&self) -> SymbolTable<'_> {
        let index = self.functions.get_or_init(|| self.index_functions());
        index.within(self.elf.file())
    }

    /// The symbol table, which also has the C functions, unless it has lost the Go ones.
    fn index_functions(&self) -> SymbolIndex {
        let symtab = self.elf.function_symbols().filter(|index| {
            index
                .within(self.elf.file())
                .named("runtime.mallocgc")
                .is_some()
        });
        let from_pclntab = || {
            let names = self
                .elf
                .file_range_from(self.module()?.funcnametab.address)?;
            Some(self.pclntab()?.symbol_index(names))
        };
        symtab.or_else(from_pclntab).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        fixture::{BASE, END, Fixture, Image, MALLOC, MemoryFile, OUTER},
        *,
    };

    fn open(bytes: &[u8]) -> Result<GoBinary, TargetError> {
        GoBinary::open(&MemoryFile::new(bytes).path())
    }

    fn refusal(bytes: &[u8]) -> BinaryError {
        match open(bytes) {
            Err(TargetError::Binary { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_binary_can_be_shared_between_threads() {
        fn shareable<T: Send + Sync>() {}
        shareable::<GoBinary>();
    }

    #[test]
    fn a_stripped_program_without_section_names_is_understood() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let binary = open(&fixture.build().bytes).unwrap();
            assert_eq!(binary.go_version().raw, version);
            assert_eq!(binary.arch(), Arch::X86_64);
            assert!(binary.is_stripped() && !binary.is_pie() && !binary.is_cgo());
            assert!(!binary.has_dwarf());
            assert_eq!(binary.build_id(), None);

            let malloc = binary.function("runtime.mallocgc").unwrap();
            assert_eq!(malloc.address, VirtualAddress(MALLOC));
            assert_eq!(malloc.size, END - MALLOC);
            assert_eq!(binary.function_at(VirtualAddress(END - 1)), Some(malloc));
            assert_eq!(binary.function_at(VirtualAddress(END)), None);
            assert_eq!(binary.function("main.inner"), None, "inlined everywhere");
            assert_eq!(binary.functions_with_prefix("main.").count(), 1);
            assert_eq!(
                binary.file_offset(malloc.address),
                Some(FileOffset(MALLOC - BASE))
            );
            assert_eq!(binary.code(malloc.address, 2), Some(&[0x49, 0x3b][..]));
            assert_eq!(binary.variable("runtime.memstats"), None);
        }
    }

    #[test]
    fn the_frame_and_the_instruction_at_an_address_are_known() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let binary = open(&fixture.build().bytes).unwrap();
            let frame = |offset| binary.frame_size_at(VirtualAddress(MALLOC + offset));
            let frames = [frame(0), frame(6), frame(7), frame(8)];
            assert_eq!(frames, [Some(0), Some(0), Some(8), Some(0)], "{version}");
            assert_eq!(binary.frame_size_at(VirtualAddress(END)), None);
            // cmp 0x10(%r14),%rsp; jbe; push %rbp; nop
            let access = |offset| binary.access_at(VirtualAddress(MALLOC + offset));
            let accesses = [access(0), access(4), access(6), access(7)];
            let expected = [Some(Access::Read), None, Some(Access::Write), None];
            assert_eq!(accesses, expected, "{version}");
            assert_eq!(binary.access_at(VirtualAddress(u64::MAX)), None);
        }
    }

    #[test]
    fn a_pie_starts_on_its_first_page() {
        let fixture = Fixture {
            elf_type: 3,
            ..Fixture::default()
        };
        let binary = open(&fixture.build().bytes).unwrap();
        assert!(binary.is_pie());
        let first = binary.first_page_if_pie().unwrap();
        assert_eq!((first.address.0, first.file_offset.0), (BASE, 0));
    }

    #[test]
    fn what_is_no_go_program_is_refused_with_the_reason() {
        assert_eq!(refusal(b"#!/bin/sh\n"), BinaryError::NotElf);
        let go = Fixture::default().build().bytes;
        let changed = |at: usize, byte: u8| {
            let mut bytes = go.clone();
            bytes[at] = byte;
            refusal(&bytes)
        };
        assert!(
            matches!(changed(4, 1), BinaryError::UnsupportedArch { .. }),
            "32 bits"
        );
        assert!(
            matches!(changed(5, 2), BinaryError::UnsupportedArch { .. }),
            "big-endian"
        );
        assert!(
            matches!(changed(18, 243), BinaryError::UnsupportedArch { .. }),
            "RISC-V"
        );
        let find = |wanted: &[u8]| {
            go.windows(wanted.len())
                .position(|bytes| bytes == wanted)
                .unwrap()
        };
        assert_eq!(changed(find(b"Go buildinf"), b'g'), BinaryError::NotGo);
        let too_old = changed(find(b"go1.27.3") + 5, b' ');
        assert!(matches!(too_old, BinaryError::TooOld { .. }), "{too_old}");
        let header = find(&[0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]);
        assert_eq!(changed(header, 0), BinaryError::NoSymbols);
    }

    #[test]
    fn an_empty_or_absent_file_is_an_error() {
        assert!(open(b"").is_err());
        let error = GoBinary::open(Path::new("/proc/0/exe")).unwrap_err();
        assert_eq!(error.kind(), TargetErrorKind::Gone);
    }

    /// Whatever a hostile executable says, each question has an answer.
    fn ask_everything(bytes: &[u8], image: &Image) {
        let Ok(binary) = open(bytes) else { return };
        let types = [image.user, image.map, BASE, u64::MAX];
        let _answers = (
            binary.is_cgo(),
            binary.function("runtime.mallocgc").is_some(),
            binary.functions_with_prefix("").count(),
            types.map(|address| binary.types().read(VirtualAddress(address)).is_ok()),
            types.map(|address| binary.types().map(VirtualAddress(address)).is_ok()),
            (OUTER..END + 8)
                .filter(|pc| binary.function_at(VirtualAddress(*pc)).is_some())
                .count(),
        );
    }

    #[test]
    fn no_changed_byte_and_no_cut_makes_it_panic() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let image = fixture.build();
            for at in 0..image.bytes.len() {
                for byte in [0x00, 0x7f, 0x80, 0xff] {
                    let mut bytes = image.bytes.clone();
                    bytes[at] = byte;
                    ask_everything(&bytes, &image);
                }
                ask_everything(&image.bytes[..at], &image);
            }
        }
    }
}
