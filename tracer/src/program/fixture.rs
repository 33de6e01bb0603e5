//! A Go executable of two functions and four types, small enough to be lied about byte by byte: the
//! tables that survive stripping, as Go's linker lays them out.

use std::{fs, os::fd::AsRawFd as _, path::PathBuf};

use super::mapped_file::MappedFile;

/// Where the first byte of the file is mapped.
pub(crate) const BASE: u64 = 0x40_0000;
/// `main.outer`: a call of `main.inner` is inlined into the instructions from 8 to 15.
pub(crate) const OUTER: u64 = BASE + 0x200;
/// `runtime.mallocgc`, behind the 32 bytes of `main.outer`.
pub(crate) const MALLOC: u64 = OUTER + 0x20;
/// Bytes of each allocation function.
pub(crate) const ALLOCATOR: u64 = 0x40;
/// The end of the code, if there is no other allocation function.
pub(crate) const END: u64 = MALLOC + ALLOCATOR;
/// How a Go function starts: the stack check, and `push rbp` behind it.
const PROLOGUE: [u8; 7] = [0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55];

/// How the executable is to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixture {
    /// The version it claims: the layouts follow it.
    pub(crate) version: &'static str,
    /// The type of the ELF file: 2 for fixed addresses, 3 for a PIE.
    pub(crate) elf_type: u16,
    /// Its allocation functions, behind `main.outer`; the first is at [`MALLOC`].
    pub(crate) allocators: &'static [&'static str],
}

/// The executable, and where its type descriptors are.
#[derive(Debug)]
pub(crate) struct Image {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// `main.User`, a struct of 40 bytes of which the first 16 hold pointers.
    pub(crate) user: u64,
    /// `map[string]*main.User`, whose element is `main.User` itself here.
    pub(crate) map: u64,
    /// What that keeps eight entries in: 200 bytes, of which the first 192 hold pointers.
    pub(crate) group: u64,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            version: "go1.27.3",
            elf_type: 2,
            allocators: &["runtime.mallocgc"],
        }
    }
}

impl Image {
    /// Makes `main.outer` begin with `lea` of the address of `main.User` into a register, by the last byte of that
    /// instruction's encoding, more code, and a call of `function`. Returns where the call returns to.
    pub(crate) fn call(&mut self, register: u8, more: &[u8], function: u64) -> u64 {
        let distance = |to: u64, code: &[u8]| {
            let behind = OUTER + code.len() as u64 + 4;
            let distance = to.cast_signed() - behind.cast_signed();
            i32::try_from(distance).unwrap().to_le_bytes()
        };
        let mut code = vec![0x48, 0x8d, register];
        code.extend(distance(self.user, &code));
        code.extend(more);
        code.push(0xe8);
        code.extend(distance(function, &code));
        let start = usize::try_from(OUTER - BASE).unwrap();
        self.bytes[start..start + code.len()].copy_from_slice(&code);
        OUTER + code.len() as u64
    }
}

impl Fixture {
    /// Lays the executable out.
    pub(crate) fn build(self) -> Image {
        let old = self.version.starts_with("go1.19");
        let mut file = Writer(vec![0; 0x200]);
        file.code(self.allocators.len());
        let end = file.here();

        let types = file.here();
        let user_name = file.bytes(b"\x01\x0a*main.User");
        let map_name = file.bytes(b"\x01\x16*map[string]*main.User");
        let string_name = file.bytes(b"\x01\x07*string");
        let group_name = file.bytes(b"\x00\x1c*map.group[string]*main.User");
        let user = file.descriptor(40, 16, 25, user_name - types);
        let group = file.descriptor(200, 192, 25, group_name - types);
        let string = file.descriptor(16, 8, 24, string_name - types);
        let map = file.descriptor(8, 8, 21, map_name - types);
        file.words(&[string, user, group]);
        let etypes = file.here();

        let gofunc = file.here();
        let tree = file.here() - gofunc;
        if old {
            file.halves(&[0xffff, 0]); // parent -1
            file.halves(&[0, 0, 10, 0]); // file 0, line 10
            file.halves(&[0x0b, 0, 4, 0]); // main.inner, the caller's own instruction at 4
        } else {
            file.halves(&[0, 0, 0x0b, 0]); // main.inner
            file.halves(&[4, 0, 0, 0]); // the caller's own instruction at 4
        }

        file.align(8);
        let header = file.here();
        let magic = if old { 0xf0 } else { 0xf1 };
        file.bytes(&[magic, 0xff, 0xff, 0xff, 0, 0, 1, 8]);
        let functions = 1 + self.allocators.len() as u64;
        file.words(&[functions, 1, 0, 72]); // functions, files, start of text, offset of names
        file.words(&[0; 4]);
        assert_eq!(file.here() - header, 72);
        let allocators = self.allocators.join("\0");
        let names = file.table(format!("main.outer\0main.inner\0{allocators}\0").as_bytes());
        let units = file.table(&[0; 4]);
        let files = file.table(b"/go/src/runtime/malloc.go\0");
        let values = file.table(&VALUES);
        let records = file.here();
        let outer = file.record(old, 0, tree);
        let mut entries = vec![(OUTER, outer)];
        let mut name = 0x16;
        for (allocator, entry) in self
            .allocators
            .iter()
            .zip((MALLOC..).step_by(usize::try_from(ALLOCATOR).unwrap()))
        {
            entries.push((entry, file.record(old, name, tree)));
            name += u32::try_from(allocator.len()).unwrap() + 1;
        }
        entries.push((end, outer));
        let records = (records, file.here() - records);
        file.align(8);
        let functions = (file.here(), entries.len() as u64);
        for (entry, record) in entries {
            let offset = |address: u64, base: u64| u32::try_from(address - base).unwrap();
            file.bytes(&offset(entry, OUTER).to_le_bytes());
            file.bytes(&offset(record, records.0).to_le_bytes());
        }

        file.align(16);
        let data = file.here();
        file.bytes(b"\xff Go buildinf:\x08\x02");
        file.words(&[0, 0]);
        file.bytes(&[u8::try_from(self.version.len()).unwrap()]);
        file.bytes(self.version.as_bytes());
        file.bytes(&[0]);

        file.align(8);
        let mut module = [0; 71];
        module[0] = header;
        let tables = [names, units, files, values, records, functions];
        for (index, (address, length)) in tables.into_iter().enumerate() {
            let length = if address == units.0 { 1 } else { length };
            module[1 + 3 * index..4 + 3 * index].copy_from_slice(&[address, length, length]);
        }
        module[22] = OUTER;
        let (at_types, at_etypes, at_gofunc) = if old { (35, 36, 38) } else { (37, 39, 43) };
        module[at_types] = types;
        module[at_etypes] = etypes;
        module[at_gofunc] = gofunc;
        file.words(&module);
        file.finish(self.elf_type, data);
        Image {
            bytes: file.0,
            user,
            map,
            group,
        }
    }
}

/// Tables of values: at 1 the file, at 5 the lines 10, 20 and 11 (for `main.outer`), at 12 the index
/// of the inlined call, at 20 the size of the frame; each entry is a zig-zag difference and a length.
const VALUES: [u8; 27] = [
    0, 2, 0x60, 0, 0, // file 0 everywhere
    22, 8, 20, 8, 17, 0x50, 0, // lines 10, 20, 11
    0, 8, 2, 8, 1, 0x50, 0, 0, // -1, 0, -1
    2, 7, 16, 1, 15, 0x58, 0, // 0, 8 behind `push rbp`, 0
];

struct Writer(Vec<u8>);

impl Writer {
    fn here(&self) -> u64 {
        BASE + self.0.len() as u64
    }

    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn bytes(&mut self, bytes: &[u8]) -> u64 {
        let at = self.here();
        self.0.extend_from_slice(bytes);
        at
    }

    /// The code of `main.outer` and of the allocation functions.
    fn code(&mut self, allocators: usize) {
        let nops = |count: u64| vec![0x90; usize::try_from(count).unwrap()];
        self.bytes(&nops(MALLOC - OUTER));
        let rest = nops(ALLOCATOR - PROLOGUE.len() as u64);
        self.bytes(&[&PROLOGUE[..], &rest].concat().repeat(allocators));
    }

    fn table(&mut self, bytes: &[u8]) -> (u64, u64) {
        (self.bytes(bytes), bytes.len() as u64)
    }

    fn words(&mut self, words: &[u64]) {
        for word in words {
            self.bytes(&word.to_le_bytes());
        }
    }

    fn halves(&mut self, halves: &[u16]) {
        for half in halves {
            self.bytes(&half.to_le_bytes());
        }
    }

    fn descriptor(&mut self, size: u64, pointers: u64, kind: u8, name: u64) -> u64 {
        self.align(8);
        let at = self.here();
        self.words(&[size, pointers]);
        self.bytes(&[0, 0, 0, 0, 2, 8, 8, kind]); // hash, ExtraStar, alignments, kind
        self.words(&[0, 0]);
        self.words(&[name]);
        at
    }

    /// A function record, whose tables are those of [`VALUES`].
    fn record(&mut self, old: bool, name: u32, tree: u64) -> u64 {
        self.align(4);
        let at = self.here();
        for word in [0, name, 0, 0, 20, 1, 5, 3, 0] {
            self.bytes(&u32::to_le_bytes(word));
        }
        self.bytes(if old {
            &[0, 0, 0, 4]
        } else {
            &[0, 0, 0, 0, 0, 0, 0, 4]
        });
        for word in [
            0,
            0,
            12,
            u32::MAX,
            u32::MAX,
            u32::MAX,
            u32::try_from(tree).unwrap(),
        ] {
            self.bytes(&u32::to_le_bytes(word));
        }
        at
    }

    /// Writes the headers: all of the file readable, from `data` on writable.
    fn finish(&mut self, elf_type: u16, data: u64) {
        let end = self.here();
        let mut header = Self(b"\x7fELF\x02\x01\x01".to_vec());
        header.align(16);
        header.halves(&[elf_type, 62, 1, 0]); // x86-64
        header.words(&[OUTER, 64, 0]); // entry, program headers, no section headers
        header.halves(&[0, 0, 64, 56, 2, 64, 0, 0]);
        for (flags, start, end) in [(5, BASE, data), (6, data, end)] {
            header.halves(&[1, 0, flags, 0]);
            header.words(&[start - BASE, start, start, end - start, end - start, 0x1000]);
        }
        self.0[..header.0.len()].copy_from_slice(&header.0);
    }
}

/// Bytes as a file that exists as long as this does.
#[derive(Debug)]
pub(crate) struct MemoryFile(fs::File);

impl MemoryFile {
    /// A file of these bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        use std::io::Write as _;
        let fd = rustix::fs::memfd_create("fixture", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = fs::File::from(fd);
        file.write_all(bytes).unwrap();
        Self(file)
    }

    /// Overwrites what is at `at`.
    pub(crate) fn write_at(&self, at: usize, bytes: &[u8]) {
        use std::os::unix::fs::FileExt as _;
        self.0.write_all_at(bytes, at as u64).unwrap();
    }

    /// A path that leads to it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Bytes as a mapped file.
pub(crate) fn map(bytes: &[u8]) -> MappedFile {
    MappedFile::open(&MemoryFile::new(bytes).path()).unwrap()
}
