//! DWARF for the small executable, byte by byte, with the section headers that lead to it.

use crate::program::fixture::{MALLOC, OUTER};

/// A unit with `main.outer` and, inlined into its instructions from 8 to 15, `main.inner`.
const ABBREVIATIONS: &[u8] = &[
    1, 0x11, 1, 0x11, 1, 0x12, 7, 0x10, 0x17, 0x1b, 8, 0, 0, // unit: code, lines, directory
    2, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0, // function: name, code
    3, 0x2e, 0, 3, 8, 0x20, 0x0b, 0, 0, // function that is inlined: name
    4, 0x1d, 0, 0x31, 0x13, 0x11, 1, 0x12, 7, 0x58, 0x0b, 0x59, 0x0b, 0, 0, // inlined call
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
