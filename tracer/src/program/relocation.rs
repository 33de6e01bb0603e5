//! Addresses in a position-independent executable whose linker left them to the dynamic loader.
//!
//! Go's linker, GNU ld and gold write the link-time address into the file as well as into the relocation; LLD writes the
//! relocation only, and zeros into the file. Applied to the bytes, relocations hide that difference from all that
//! reads tables out of them.

use super::{
    address::VirtualAddress,
    bytes,
    elf::{Arch, Segment},
};

/// One entry of the table (`Elf64_Rela`): where, what kind, which address.
const ENTRY: usize = 24;
/// More than the largest Go programs have (a million in 500 MB); bounds the memory that applying them takes.
const MAX_RELOCATIONS: usize = 1 << 22;
/// How many bytes of the file may be addresses that the loader writes; bounds the pages that are copied for them.
const MAX_WRITABLE: usize = 1 << 28;

/// Tags of the dynamic section (`DT_RELA`, `DT_RELASZ`).
const TABLE: u64 = 7;
const TABLE_SIZE: u64 = 8;

/// The words that the file has as zeros, where they are in it, and what the loader would write if it loaded the
/// executable where it was linked to. `dynamic` is the dynamic section.
pub(super) fn missing_words(
    file: &[u8],
    segments: &[Segment],
    dynamic: &[u8],
    arch: Arch,
) -> Vec<(usize, u64)> {
    let table = table(file, segments, dynamic).unwrap_or_default();
    let writable: Vec<&Segment> = segments.iter().filter(|it| it.writable).collect();
    let size: usize = writable.iter().map(|it| it.file.len()).sum();
    if table.len() / ENTRY > MAX_RELOCATIONS || size > MAX_WRITABLE {
        return Vec::new();
    }
    let mut words = table.chunks_exact(ENTRY).filter_map(|entry| {
        let (address, addend) = relative(entry, arch)?;
        let place = writable
            .iter()
            .find_map(|segment| segment.file_range_from(address))?;
        (place.len() >= size_of::<u64>()).then_some((place.start, addend))
    });
    // A linker does all in the same way: the first one tells, so that usually the others need not be looked at.
    let is_missing = |&(at, _): &(usize, u64)| bytes::u64_at(file, at) == Some(0);
    match words.next().filter(is_missing) {
        Some(first) => [first]
            .into_iter()
            .chain(words.filter(is_missing))
            .collect(),
        None => Vec::new(),
    }
}

/// The table of relocations.
fn table<'a>(file: &'a [u8], segments: &[Segment], dynamic: &[u8]) -> Option<&'a [u8]> {
    let value = |tag: u64| {
        let mut entries = dynamic.chunks_exact(16);
        let entry = entries.find(|entry| bytes::u64_at(entry, 0) == Some(tag))?;
        bytes::u64_at(entry, 8)
    };
    let address = VirtualAddress(value(TABLE)?);
    let place = segments
        .iter()
        .find_map(|segment| segment.file_range_from(address))?;
    let size = usize::try_from(value(TABLE_SIZE)?).ok()?;
    file.get(place)?.get(..size)
}

/// Where an entry says that an address belongs, and which; `None` unless it is one in this executable itself.
fn relative(entry: &[u8], arch: Arch) -> Option<(VirtualAddress, u64)> {
    // `R_X86_64_RELATIVE`, `R_AARCH64_RELATIVE`; no symbol.
    let kind = match arch {
        Arch::X86_64 => 8,
        Arch::Aarch64 => 1027,
    };
    let addend = bytes::u64_at(entry, 16)?;
    (bytes::u64_at(entry, 8)? == kind && addend != 0)
        .then_some((VirtualAddress(bytes::u64_at(entry, 0)?), addend))
}

#[cfg(test)]
mod tests {
    use crate::program::{
        GoBinary, VirtualAddress,
        fixture::{BASE, Fixture, Image, MemoryFile},
    };

    /// The position-independent fixture as LLD writes it: each word of its tables that is an address is a zero, and a
    /// relocation tells the address.
    fn without_addresses(image: &Image, kind: u64) -> Vec<u8> {
        let mut file = image.bytes.clone();
        let end = BASE + file.len() as u64;
        let mut table = Vec::new();
        for at in (0x200..file.len() / 8 * 8).step_by(8) {
            let word = u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
            if (BASE..end).contains(&word) {
                table.extend(
                    [BASE + at as u64, kind, word]
                        .map(u64::to_le_bytes)
                        .concat(),
                );
                file[at..at + 8].fill(0);
            }
        }
        assert!(
            table.len() > 24 * 10,
            "the tables of the fixture are full of addresses"
        );
        file.resize(file.len().next_multiple_of(8), 0);
        let (at_table, length) = (file.len() as u64, table.len() as u64);
        file.extend(table);
        let at_dynamic = file.len() as u64;
        let dynamic = [7, BASE + at_table, 8, length, 0, 0]
            .map(u64::to_le_bytes)
            .concat();
        file.extend(&dynamic);
        // One writable segment for everything, and the dynamic section.
        let size = file.len() as u64;
        let program_headers = [
            [1 | 7 << 32, 0, BASE, BASE, size, size, 0x1000],
            [2 | 6 << 32, at_dynamic, BASE + at_dynamic, 0, 48, 48, 8],
        ];
        let bytes = program_headers
            .concat()
            .into_iter()
            .flat_map(u64::to_le_bytes);
        file.splice(64..64 + 2 * 56, bytes);
        file
    }

    fn open(bytes: &[u8]) -> Option<GoBinary> {
        GoBinary::open(&MemoryFile::new(bytes).path()).ok()
    }

    #[test]
    fn addresses_that_only_relocations_have_are_found() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                elf_type: 3,
                ..Fixture::default()
            };
            let image = fixture.build();
            let map = |bytes: &[u8]| {
                let binary = open(bytes)?;
                assert!(binary.function("runtime.mallocgc").is_some());
                binary.types().map(VirtualAddress(image.map)).ok()
            };
            let linked = map(&image.bytes);
            assert!(linked.is_some());
            assert_eq!(map(&without_addresses(&image, 8)), linked);
            assert!(
                open(&without_addresses(&image, 6)).is_none(),
                "others need symbols"
            );
        }
    }

    #[test]
    fn no_lie_about_relocations_makes_it_panic() {
        let fixture = Fixture {
            elf_type: 3,
            ..Fixture::default()
        };
        let image = fixture.build();
        let file = without_addresses(&image, 8);
        for at in (64..64 + 2 * 56).chain(image.bytes.len()..file.len()) {
            for byte in [0x00, 0x7f, 0x80, 0xff] {
                let mut bytes = file.clone();
                bytes[at] = byte;
                let _answer =
                    open(&bytes).map(|it| it.types().map(VirtualAddress(image.map)).is_ok());
            }
        }
    }
}
