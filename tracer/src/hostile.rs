//! Executables that lie, given to everything that reads them: each question has an answer, in bounded time and memory.
//!
//! The executable is small and complete, with DWARF, so that most changes hit a table that somebody reads. When a
//! property fails, proptest prints the edits: they become a line of [`FOUND`].

use crate::plan;
use crate::symbolize::{Lookup, NameSource, Symbolizer};
use crate::target::elf::Elf;
use crate::target::fixture::{BASE, END, Fixture, Image, MALLOC, MemoryFile, OUTER};
use crate::target::mapped_file::MappedFile;
use crate::target::{GoBinary, LoadBias, RuntimePc, VirtualAddress};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One version of each layout of the tables and of each set of allocation functions.
const VERSIONS: [&str; 4] = ["go1.19.8", "go1.23.9", "go1.26.6", "go1.27.3"];
/// What a debug build may take for all questions about one executable; an honest one takes milliseconds.
const TIME: Duration = Duration::from_secs(5);
/// What all of it may add to the memory of the tests.
const MEMORY: u64 = 1 << 30;

/// A change to the bytes of an executable.
#[derive(Clone, Debug)]
enum Edit {
    /// One bit.
    Flip(usize, u8),
    /// One byte.
    Byte(usize, u8),
    /// An offset or a count.
    Half(usize, u32),
    /// An address or a size.
    Word(usize, u64),
    /// An offset or a count that is a little wrong.
    Nudge(usize, i8),
    /// Bytes from elsewhere, so that a table holds what belongs into another.
    Copy(Range<usize>, usize),
    /// The end of the file.
    Cut(usize),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let write = |bytes: &mut [u8], at: usize, new: &[u8]| {
            let old = bytes.iter_mut().skip(at);
            old.zip(new).for_each(|(old, new)| *old = *new);
        };
        match self {
            Self::Byte(at, byte) => write(bytes, *at, &[*byte]),
            Self::Half(at, half) => write(bytes, at & !3, &half.to_le_bytes()),
            Self::Word(at, word) => write(bytes, at & !7, &word.to_le_bytes()),
            Self::Nudge(at, delta) => {
                let at = at & !3;
                let half = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
                let half = half.map_or(0, |half| u32::from_le_bytes(*half));
                let nudged = half.wrapping_add_signed(i32::from(*delta));
                write(bytes, at, &nudged.to_le_bytes());
            }
            Self::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(*at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Copy(from, to) => {
                let source = bytes.get(from.clone()).unwrap_or_default().to_vec();
                write(bytes, *to, &source);
            }
            Self::Cut(length) => bytes.truncate(*length),
        }
    }
}

/// Numbers that readers are wrong about: ends of ranges, and places in the file itself, which make circles.
fn lies(size: usize) -> impl Strategy<Value = u64> {
    let size = size as u64;
    prop_oneof![
        Just(0),
        Just(1),
        Just(size),
        (0..64_u32).prop_map(|bits| 1_u64 << bits),
        (0..64_u32).prop_map(|bits| u64::MAX >> bits),
        0..size,
        (0..size).prop_map(|offset| BASE + offset),
        any::<u64>(),
    ]
}

/// Places to change: the tables rather than the code, which is before them.
fn places(size: usize) -> impl Strategy<Value = usize> {
    let tables = usize::try_from(END - BASE).unwrap();
    prop_oneof![1 => 0..size, 3 => tables..size]
}

fn edits(size: usize) -> impl Strategy<Value = Vec<Edit>> {
    let halves = lies(size).prop_map(|lie| u32::try_from(lie & 0xffff_ffff).unwrap());
    let edit = prop_oneof![
        1 => (places(size), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        1 => (places(size), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        1 => (places(size), halves).prop_map(|(at, half)| Edit::Half(at, half)),
        1 => (places(size), lies(size)).prop_map(|(at, word)| Edit::Word(at, word)),
        2 => (places(size), any::<i8>()).prop_map(|(at, delta)| Edit::Nudge(at, delta)),
        1 => (0..size, 1..64_usize, 0..size)
            .prop_map(|(from, length, to)| Edit::Copy(from..from + length, to)),
        1 => (0..size).prop_map(Edit::Cut),
    ];
    prop::collection::vec(edit, 1..4)
}

/// Asks every reader everything. What it answers does not matter here.
fn ask_everything(bytes: &[u8], image: &Image) {
    let file = MemoryFile::new(bytes);
    let Ok(binary) = GoBinary::open(&file.path()) else {
        return;
    };
    let binary = Arc::new(binary);
    let _facts = (
        binary.is_cgo(),
        binary.is_stripped(),
        binary.build_id(),
        binary.variable("runtime.types"),
        binary.build_info().main_module().is_some(),
        binary.first_page_if_pie(),
        binary.functions_with_prefix("").count(),
    );
    if let Ok(plan) = plan::exact(&binary) {
        assert!(!plan.rows.is_empty());
    }
    for source in [NameSource::Any, NameSource::Dwarf] {
        let mut symbolizer = Symbolizer::with_source(Arc::clone(&binary), LoadBias::NONE, source);
        for pc in (OUTER - 8..END + 8).step_by(8).chain([0, u64::MAX]) {
            for lookup in [Lookup::Exact, Lookup::ReturnAddress] {
                if let Ok(frames) = symbolizer.frames(RuntimePc(pc), lookup) {
                    assert!(!frames.is_empty());
                }
            }
        }
        for address in [image.user, image.map, image.map + 8, BASE, u64::MAX] {
            drop(symbolizer.go_type(RuntimePc(address)));
        }
    }
    let types = binary.types();
    for mut address in [image.user, image.map].map(VirtualAddress) {
        // The element of a map may be the map itself.
        for _ in 0..8 {
            let Ok((_, element)) = types.map_key_and_element(address) else {
                break;
            };
            address = element;
        }
    }
}

/// Applies the edits and asks, within the time limit.
fn check(image: &Image, edits: &[Edit]) {
    let mut bytes = image.bytes.clone();
    for edit in edits {
        edit.apply(&mut bytes);
    }
    let started = Instant::now();
    ask_everything(&bytes, image);
    let took = started.elapsed();
    assert!(took < TIME, "{took:?}");
}

fn check_random_edits(image: &Image, cases: u32) {
    let before = peak_memory();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    proptest!(config, |(edits in edits(image.bytes.len()))| check(image, &edits));
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} bytes");
}

fn peak_memory() -> u64 {
    let status = procfs::process::Process::myself()
        .unwrap()
        .status()
        .unwrap();
    status.vmhwm.unwrap() * 1024
}

fn image(version: &'static str) -> Image {
    let fixture = Fixture {
        version,
        elf_type: 3,
        allocators: &[
            "runtime.mallocgc",
            "runtime.mallocgcSmallNoscan",
            "runtime.mallocgcSmallScanHeader",
            "runtime.mallocgcLarge",
        ],
    };
    fixture.build()
}

/// An executable, and where its debug sections are.
fn image_with_dwarf() -> (Image, Range<usize>) {
    let mut image = image("go1.27.3");
    let start = image.bytes.len();
    debug_info::append(&mut image.bytes);
    let end = image.bytes.len();
    (image, start..end)
}

#[test]
fn an_executable_that_lies_gets_an_answer() {
    for version in VERSIONS {
        check_random_edits(&image(version), 1500);
    }
}

#[test]
fn debug_information_that_lies_gets_an_answer() {
    let (image, sections) = image_with_dwarf();
    check_random_edits(&image, 1200);
    // Most lies above concern the other half of the file.
    for at in sections {
        for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            check(&image, &[Edit::Byte(at, byte)]);
        }
    }
}

#[test]
fn the_honest_executable_has_names_from_both_sources() {
    let (image, _) = image_with_dwarf();
    let file = MemoryFile::new(&image.bytes);
    let binary = Arc::new(GoBinary::open(&file.path()).unwrap());
    for source in [NameSource::Pclntab, NameSource::Dwarf] {
        let mut symbolizer = Symbolizer::with_source(Arc::clone(&binary), LoadBias::NONE, source);
        let frames = symbolizer.frames(RuntimePc(OUTER + 8), Lookup::Exact);
        assert!(symbolizer.debug_info_error().is_none());
        let calls: Vec<_> = frames
            .unwrap()
            .iter()
            .map(|frame| (frame.function.to_string(), frame.line, frame.inlined))
            .collect();
        let expected = [("main.inner", 20, true), ("main.outer", 10, false)]
            .map(|(function, line, inlined)| (function.to_owned(), Some(line), inlined));
        assert_eq!(calls, expected, "{source:?}");
    }
}

#[test]
fn lies_about_the_sections_of_a_real_executable_get_an_answer() {
    let myself = std::fs::read("/proc/self/exe").unwrap();
    let word = |at: usize| u64::from_le_bytes(myself[at..at + 8].try_into().unwrap());
    let headers = usize::try_from(word(40)).unwrap(); // e_shoff, which linkers put last
    let file = MemoryFile::new(&myself);
    let places = prop_oneof![0..64_usize, headers..myself.len()].prop_map(|at| at & !7);
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    proptest!(config, |(at in places, lie in lies(myself.len()))| {
        file.write_at(at, &lie.to_le_bytes());
        let started = Instant::now();
        if let Ok(mapped) = MappedFile::open(&file.path())
            && let Ok(elf) = Elf::parse(mapped)
        {
            let _facts = (elf.build_id(), elf.has_dwarf(), elf.is_code(VirtualAddress(lie)));
            for section in [".debug_abbrev", ".debug_str", ".shstrtab"] {
                drop(elf.section_data(section, 1 << 20));
            }
        }
        let took = started.elapsed();
        file.write_at(at, &word(at).to_le_bytes());
        assert!(took < TIME, "{took:?}");
    });
}

/// Inputs that once were answered wrongly.
const FOUND: [(&str, &[Edit]); 0] = [];

#[test]
fn what_was_found_once_stays_fixed() {
    for (version, edits) in FOUND {
        check(&image(version), edits);
    }
}

/// The debug information of the executable, byte by byte.
mod debug_info {
    use super::{MALLOC, OUTER};

    /// A unit with `main.outer` and, inlined into its instructions from 8 to 15, `main.inner`.
    const ABBREVIATIONS: &[u8] = &[
        1, 0x11, 1, 0x11, 1, 0x12, 7, 0x10, 0x17, 0x1b, 8, 0,
        0, // unit: code, lines, directory
        2, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0, // function: name, code
        3, 0x2e, 0, 3, 8, 0x20, 0x0b, 0, 0, // function that is inlined: name
        4, 0x1d, 0, 0x31, 0x13, 0x11, 1, 0x12, 7, 0x58, 0x0b, 0x59, 0x0b, 0,
        0, // inlined call
        0,
    ];

    fn information() -> Vec<u8> {
        let mut unit = [&[4, 0][..], &[0; 4], &[8]].concat();
        let code = |unit: &mut Vec<u8>, start: u64, length: u64| {
            unit.extend(start.to_le_bytes());
            unit.extend(length.to_le_bytes());
        };
        unit.push(1);
        code(&mut unit, OUTER, MALLOC - OUTER);
        unit.extend([0, 0, 0, 0, b'/', 0]);
        let inner = u32::try_from(unit.len() + 4).unwrap();
        unit.extend(b"\x03main.inner\0\x01");
        unit.extend(b"\x02main.outer\0");
        code(&mut unit, OUTER, MALLOC - OUTER);
        unit.push(4);
        unit.extend(inner.to_le_bytes());
        code(&mut unit, OUTER + 8, 8);
        unit.extend([1, 10, 0, 0]); // called in file 1, line 10
        with_length(&unit)
    }

    fn lines() -> Vec<u8> {
        let mut header = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
        header.extend(b"\0malloc.go\0\0\0\0\0");
        let mut program = vec![0, 9, 2];
        program.extend(OUTER.to_le_bytes());
        program.extend([3, 9, 1]); // line 10
        program.extend([2, 8, 3, 10, 1]); // from 8 on line 20
        program.extend([2, 8, 3, 0x77, 1]); // from 16 on line 11
        program.extend([2, 16, 0, 1, 1]); // the end
        with_length(&[&[4, 0][..], &with_length(&header), &program].concat())
    }

    fn with_length(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        [&length.to_le_bytes()[..], bytes].concat()
    }

    /// Adds the debug sections, and the section headers that name them.
    pub(super) fn append(file: &mut Vec<u8>) {
        let (information, lines) = (information(), lines());
        let sections = [
            (".debug_abbrev", ABBREVIATIONS),
            (".debug_info", &information),
            (".debug_line", &lines),
        ];
        let mut names = vec![0];
        let mut headers = vec![0; 64];
        let mut section = |file: &mut Vec<u8>, name: &str, kind: u32, bytes: &[u8]| {
            let name_at = u32::try_from(names.len()).unwrap();
            names.extend([name.as_bytes(), &[0]].concat());
            let bytes = if kind == 3 { &names } else { bytes };
            let (at, size) = (file.len() as u64, bytes.len() as u64);
            headers.extend([name_at.to_le_bytes(), kind.to_le_bytes()].concat());
            headers.extend([0, 0, at, size, 0, 1, 0].map(u64::to_le_bytes).concat());
            file.extend(bytes);
        };
        for (name, bytes) in sections {
            section(file, name, 1, bytes);
        }
        section(file, ".shstrtab", 3, &[]);
        file.resize(file.len().next_multiple_of(8), 0);
        let at = file.len() as u64;
        file.extend(headers);
        file[40..48].copy_from_slice(&at.to_le_bytes()); // e_shoff
        file[58..64].copy_from_slice(&[64, 0, 5, 0, 4, 0]); // e_shentsize, e_shnum, e_shstrndx
    }
}
