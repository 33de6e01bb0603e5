//! Little-endian reads from bytes nobody vouches for: whatever does not fit is `None`, never a panic.

/// The `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The byte at `at`.
pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The 16-bit number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// The 32-bit number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// The signed 32-bit number at `at`.
pub(crate) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    array(bytes, at).map(i32::from_le_bytes)
}

/// The 64-bit number at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// The variable-length number at the start of `bytes` (seven bits per byte, low bits first, as Go's
/// `encoding/binary.Uvarint`), and what follows it.
pub(crate) fn uvarint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The string of `uvarint` length at the start of `bytes`, and what follows it.
pub(crate) fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = uvarint(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// The longest NUL-terminated string that is looked for. Names of generic functions reach some thousand
/// bytes; without a bound, a table of names with no NUL in it makes each lookup as long as the file.
const MAX_STRING: usize = 8192;

/// The bytes from `at` up to the next NUL.
pub(crate) fn c_string(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().take(MAX_STRING).position(|&byte| byte == 0)?;
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian_and_bounded() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(u16_at(&bytes, 7), Some(0x0908));
        assert_eq!(u16_at(&bytes, 8), None);
        assert_eq!(u32_at(&bytes, 1), Some(0x0504_0302));
        assert_eq!(u64_at(&bytes, 1), Some(0x0908_0706_0504_0302));
        assert_eq!(u64_at(&bytes, 2), None);
        assert_eq!(i32_at(&[0xff; 4], 0), Some(-1));
        assert_eq!(u8_at(&bytes, usize::MAX), None);
        assert_eq!(u32_at(&bytes, usize::MAX), None);
    }

    #[test]
    fn uvarint_stops_at_the_end_and_at_63_bits() {
        assert_eq!(uvarint(&[0x05, 9]), Some((5, &[9][..])));
        assert_eq!(uvarint(&[0xac, 0x02]), Some((300, &[][..])));
        assert_eq!(uvarint(&[0x80]), None);
        assert_eq!(uvarint(&[0xff; 20]), None);
        assert_eq!(uvarint(&[]), None);
    }

    #[test]
    fn a_prefixed_string_must_fit() {
        assert_eq!(prefixed(b"\x02abc"), Some((&b"ab"[..], &b"c"[..])));
        assert_eq!(prefixed(b"\x04abc"), None);
        assert_eq!(prefixed(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc"), None);
    }

    #[test]
    fn a_c_string_must_end() {
        assert_eq!(c_string(b"xab\0c", 1), Some(&b"ab"[..]));
        assert_eq!(c_string(b"abc", 0), None);
        assert_eq!(c_string(b"abc", 9), None);
        let mut long = vec![b'x'; MAX_STRING];
        long.push(0);
        assert_eq!(c_string(&long, 0), None);
        assert_eq!(c_string(&long, 1).map(<[u8]>::len), Some(MAX_STRING - 1));
    }
}
