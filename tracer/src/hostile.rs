//! Executables that lie, given to everything that reads them: each question has an answer, in bounded time and memory.
//!
//! The executable is small and complete, with DWARF, so that most changes hit a table that somebody reads. When a
//! property fails, proptest prints the edits: they become a test of their own.

mod debug_info;

use crate::plan::{self, Extras};
use crate::program::elf::Elf;
use crate::program::fixture::{BASE, END, Fixture, Image, MALLOC, MemoryFile, OUTER};
use crate::program::mapped_file::MappedFile;
use crate::program::{ArenaLayout, GoBinary, LoadBias, PhysicalStacks, RuntimePc, VirtualAddress};
use crate::stopwatch::Stopwatch;
use crate::symbolize::{Lookup, NameSource, Symbolizer, Symbols};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// One version of each layout of the tables and of each set of allocation functions.
const VERSIONS: [&str; 4] = ["go1.19.8", "go1.23.9", "go1.26.6", "go1.27.3"];
/// What a debug build may work on all questions about one executable; an honest one takes milliseconds.
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
        binary.total_alloc_counter(),
        ArenaLayout::of(&binary),
    );
    for pc in (OUTER - 8..END + 8).chain([0, u64::MAX]) {
        let pc = VirtualAddress(pc);
        let _facts = (binary.frame_size_at(pc), binary.access_at(pc));
    }
    if let Ok(plan) = plan::exact(&binary, Extras::ALL) {
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
        ask_for_stacks(&binary, &mut symbolizer);
    }
    for address in [image.user, image.map, image.group] {
        drop(binary.types().map(VirtualAddress(address)));
    }
}

/// Asks what is asked of the stacks of a heap profile.
fn ask_for_stacks(binary: &Arc<GoBinary>, symbolizer: &mut Symbolizer) {
    let pcs: Vec<u64> = (OUTER - 1..END + 2).chain([0, u64::MAX]).collect();
    assert!(PhysicalStacks::new(binary).of(&pcs).len() <= pcs.len());
    let mut symbols = Symbols::default();
    symbols.extend_allocated(symbolizer, pcs.chunks(1));
    let named = pcs
        .chunks(1)
        .filter_map(|stack| symbols.allocated(stack, None));
    assert!(named.count() <= pcs.len());
}

/// Applies the edits and asks, within the time limit.
fn check(image: &Image, edits: &[Edit]) {
    let mut bytes = image.bytes.clone();
    for edit in edits {
        edit.apply(&mut bytes);
    }
    let stopwatch = Stopwatch::start();
    ask_everything(&bytes, image);
    let took = stopwatch.worked();
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
            "runtime.findObject",
            "runtime.gcControllerCommit",
            "runtime.gcMarkTermination",
        ],
    };
    let mut image = fixture.build();
    // `mallocgc` takes the type in RBX.
    image.call(0x1d, &[], MALLOC);
    image
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
        let stopwatch = Stopwatch::start();
        if let Ok(mapped) = MappedFile::open(&file.path())
            && let Ok(elf) = Elf::parse(mapped)
        {
            let _facts = (elf.build_id(), elf.has_dwarf(), elf.is_code(VirtualAddress(lie)));
            for section in [".debug_abbrev", ".debug_str", ".shstrtab"] {
                drop(elf.section_data(section, 1 << 20));
            }
        }
        let took = stopwatch.worked();
        file.write_at(at, &word(at).to_le_bytes());
        assert!(took < TIME, "{took:?}");
    });
}

/// Replaces bytes that occur once.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let places = bytes.windows(old.len()).enumerate();
    let mut places = places.filter(|(_, window)| *window == old);
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        panic!("not once: {old:?}");
    };
    bytes[at..at + new.len()].copy_from_slice(new);
}

#[test]
fn calls_inlined_into_themselves_end() {
    // An entry of the tree: since Go 1.20 the instruction of the caller, before that the caller's index.
    let (new_tree, new_circle) = (
        [0, 0, 0, 0, 0x0b, 0, 0, 0, 4],
        [0, 0, 0, 0, 0x0b, 0, 0, 0, 8],
    );
    let (old_tree, old_circle) = ([0xff, 0xff, 0, 0, 0, 0, 0, 0, 10], [0, 0]);
    for (version, tree, circle) in [
        ("go1.27.3", new_tree, &new_circle[..]),
        ("go1.19.8", old_tree, &old_circle),
    ] {
        let mut image = image(version);
        replace(&mut image.bytes, &tree, circle);
        let file = MemoryFile::new(&image.bytes);
        let binary = Arc::new(GoBinary::open(&file.path()).unwrap());
        let mut symbolizer = Symbolizer::new(binary, LoadBias::NONE);
        let frames = symbolizer
            .frames(RuntimePc(OUTER + 8), Lookup::Exact)
            .unwrap();
        let (outer, inner) = frames.split_last().unwrap();
        assert_eq!(&*outer.function, "main.outer", "{version}");
        assert!(
            (2..=64).contains(&inner.len()),
            "{version}: {}",
            inner.len()
        );
        assert!(inner.iter().all(|frame| &*frame.function == "main.inner"));
    }
}

#[test]
fn a_map_of_itself_is_a_type() {
    let mut image = image("go1.27.3");
    let at = usize::try_from(image.map - BASE).unwrap() + 48;
    let circle = [image.map, image.map].map(u64::to_le_bytes).concat();
    image.bytes[at..at + circle.len()].copy_from_slice(&circle);
    let file = MemoryFile::new(&image.bytes);
    let binary = GoBinary::open(&file.path()).unwrap();
    let itself = binary.types().read(VirtualAddress(image.map)).unwrap();
    assert_eq!(itself.name, "map[string]*main.User");
    let map = binary.types().map(VirtualAddress(image.map)).unwrap();
    assert_eq!((&map.key, &map.elem), (&itself, &itself));
}
