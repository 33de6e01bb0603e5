//! From the name of a function to its address and back, whichever table of the file tells it.
//!
//! The ELF symbol table and pclntab both give, for each function, an address and the position of a
//! NUL-terminated name; the index keeps just that, sixteen bytes a function, and borrows the names.

use std::{
    hash::{DefaultHasher, Hasher as _},
    ops::Range,
    sync::OnceLock,
};

use super::{address::VirtualAddress, bytes};

/// How much of a name its hash takes in.
const HASHED: usize = 256;

/// A function of the executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function<'a> {
    /// The name as the table spells it, such as `net/http.(*conn).serve`.
    pub name: &'a str,
    /// Its first instruction.
    pub address: VirtualAddress,
    /// The length of its code in bytes; up to the next function where the table does not say.
    pub size: u64,
}

/// What the index keeps of a function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    address: u64,
    size: u32,
    name: u32,
}

impl Entry {
    /// A function of `size` bytes at `address`, named at offset `name` of the table of names.
    pub(crate) fn new(address: u64, size: u64, name: u32) -> Self {
        Self {
            address,
            // No function is larger than 4 GiB: the displacement of a call has 32 bits.
            size: u32::try_from(size).unwrap_or(u32::MAX),
            name,
        }
    }
}

/// The functions of one table.
#[derive(Debug, Default)]
pub(crate) struct SymbolIndex {
    names: Range<usize>,
    by_address: Vec<Entry>,
    by_name: OnceLock<Vec<(u32, u32)>>,
}

impl SymbolIndex {
    /// An index of `entries`, in any order, whose names lie at `names` in the file.
    pub(crate) fn new(names: Range<usize>, mut entries: Vec<Entry>) -> Self {
        // The largest of several functions at one address comes last, where a search finds it:
        // runtime.text, of size zero, has the address of the first function.
        entries.sort_unstable_by_key(|entry| (entry.address, entry.size));
        let mut end = None;
        for entry in entries.iter_mut().rev() {
            if entry.size == 0 {
                let length = end.map_or(1, |end: u64| end - entry.address);
                entry.size = u32::try_from(length).unwrap_or(u32::MAX);
            }
            end = Some(entry.address);
        }
        Self {
            names,
            by_address: entries,
            by_name: OnceLock::new(),
        }
    }

    /// The index together with the file that holds the names.
    pub(crate) fn within<'a>(&'a self, file: &'a [u8]) -> SymbolTable<'a> {
        SymbolTable {
            index: self,
            names: file.get(self.names.clone()).unwrap_or_default(),
        }
    }
}

/// An index that can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SymbolTable<'a> {
    index: &'a SymbolIndex,
    names: &'a [u8],
}

impl<'a> SymbolTable<'a> {
    /// The function of that name; of several, the one at the lowest address.
    pub(crate) fn named(self, name: &str) -> Option<Function<'a>> {
        let wanted = hash(name.as_bytes());
        let by_name = self.index.by_name.get_or_init(|| self.hashes());
        let start = by_name.partition_point(|&(hash, _)| hash < wanted);
        by_name
            .iter()
            .skip(start)
            .take_while(|&&(hash, _)| hash == wanted)
            .filter_map(|&(_, at)| self.function(self.index.by_address.get(at as usize)?))
            .find(|function| function.name == name)
    }

    /// The function whose code holds `address`.
    pub(crate) fn containing(self, address: VirtualAddress) -> Option<Function<'a>> {
        let functions = &self.index.by_address;
        let after = functions.partition_point(|entry| entry.address <= address.0);
        let entry = functions.get(after.checked_sub(1)?)?;
        (address.0 - entry.address < u64::from(entry.size)).then(|| self.function(entry))?
    }

    /// The functions whose name starts with `prefix`, by address.
    pub(crate) fn with_prefix(self, prefix: &str) -> impl Iterator<Item = Function<'a>> {
        let functions = self.index.by_address.iter();
        functions.filter_map(move |entry| {
            let name = self.names.get(entry.name as usize..)?;
            name.starts_with(prefix.as_bytes())
                .then(|| self.function(entry))?
        })
    }

    fn function(self, entry: &Entry) -> Option<Function<'a>> {
        Some(Function {
            name: str::from_utf8(bytes::c_string(self.names, entry.name as usize)?).ok()?,
            address: VirtualAddress(entry.address),
            size: u64::from(entry.size),
        })
    }

    /// Sorting hashes takes a tenth of the time of sorting names, which share long prefixes.
    fn hashes(self) -> Vec<(u32, u32)> {
        let entries = (0_u32..).zip(&self.index.by_address);
        let mut hashes: Vec<_> = entries
            .filter_map(|(at, entry)| {
                let name = self.names.get(entry.name as usize..)?;
                let end = name.iter().take(HASHED).position(|&byte| byte == 0);
                Some((hash(name.get(..end.unwrap_or(HASHED))?), at))
            })
            .collect();
        hashes.sort_unstable();
        hashes
    }
}

/// The hash of the first bytes of a name: all of nearly any, and a bound on the work for a table of
/// names that overlap.
fn hash(name: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.get(..HASHED).unwrap_or(name));
    let [high, low] = [hasher.finish() >> 32, hasher.finish() & 0xffff_ffff];
    u32::try_from(high ^ low).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[u8] = b"\0main.main\0main.work\0runtime.text\0runtime.main\0\xff\0unterminated";

    fn at(name: &str) -> u32 {
        let found = NAMES
            .windows(name.len())
            .position(|window| window == name.as_bytes());
        u32::try_from(found.unwrap()).unwrap()
    }

    fn index() -> SymbolIndex {
        let entries = vec![
            Entry::new(0x2000, 0x10, at("main.work")),
            Entry::new(0x1000, 0x80, at("runtime.main")),
            Entry::new(0x1000, 0, at("runtime.text")),
            Entry::new(0x3000, 0, at("main.main")),
            Entry::new(0x4000, 4, at("\u{0}unterminated") + 1),
            Entry::new(0x5000, 4, u32::MAX),
            Entry::new(0x6000, 4, at("unterminated") - 2),
        ];
        SymbolIndex::new(0..NAMES.len(), entries)
    }

    #[test]
    fn names_lead_to_functions() {
        let index = index();
        let symbols = index.within(NAMES);
        let work = symbols.named("main.work").unwrap();
        assert_eq!((work.address, work.size), (VirtualAddress(0x2000), 0x10));
        assert_eq!(symbols.named("main.wor"), None);
        assert_eq!(symbols.named("unterminated"), None);
        assert_eq!(symbols.named(""), None);
    }

    #[test]
    fn addresses_lead_to_the_function_that_holds_them() {
        let index = index();
        let name = |address| {
            let symbols = index.within(NAMES);
            symbols
                .containing(VirtualAddress(address))
                .map(|function| function.name)
        };
        assert_eq!(name(0xfff), None);
        assert_eq!(name(0x1000), Some("runtime.main"));
        assert_eq!(name(0x107f), Some("runtime.main"));
        assert_eq!(name(0x1080), None);
        assert_eq!(
            name(0x3fff),
            Some("main.main"),
            "of size zero: up to the next"
        );
        assert_eq!(name(0x5000), None, "no name");
        assert_eq!(name(0x6000), None, "not UTF-8");
        assert_eq!(name(u64::MAX), None);
    }

    #[test]
    fn prefixes_select_functions_in_order_of_address() {
        let index = index();
        let symbols = index.within(NAMES);
        let names: Vec<_> = symbols
            .with_prefix("main.")
            .map(|function| function.name)
            .collect();
        assert_eq!(names, ["main.work", "main.main"]);
    }

    #[test]
    fn long_names_are_told_apart() {
        let long = "x".repeat(HASHED);
        let names = format!("\0{long}\0{long}a\0{long}b\0");
        let names = names.as_bytes();
        let second = u32::try_from(HASHED).unwrap() + 2;
        let entries = [(1, 1), (2, second), (3, 2 * second)];
        let entries = entries.map(|(address, name)| Entry::new(address, 1, name));
        let index = SymbolIndex::new(0..names.len(), entries.into());
        let symbols = index.within(names);
        let address = |name: String| symbols.named(&name).map(|function| function.address.0);
        assert_eq!(address(long.clone()), Some(1));
        assert_eq!(address(long.clone() + "b"), Some(3));
        assert_eq!(address(long + "c"), None);
    }

    #[test]
    fn names_outside_the_file_give_nothing() {
        let lying = SymbolIndex::new(10..usize::MAX, vec![Entry::new(1, 1, 0)]);
        assert_eq!(lying.within(NAMES).named("main.main"), None);
        assert_eq!(lying.within(NAMES).containing(VirtualAddress(1)), None);
    }
}
