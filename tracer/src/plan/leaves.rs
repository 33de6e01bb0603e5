//! The version table: which functions of the Go runtime allocate, so that each allocation passes exactly one of them.
//!
//! Data, not patterns: `runtime.mallocgc*` would count twice, because dispatchers, leaves and slow paths call each
//! other. Source: `src/runtime/malloc.go` and, from 1.26, `src/runtime/malloc_generated.go` of each version.

use std::ops::RangeInclusive;
use tracer_common::cookie::dispatch;

/// What all names in the table start with.
pub(super) const ALLOCATOR_PREFIX: &str = "runtime.mallocgc";

/// What an allocation function says about pointers in the memory it gives out. Decides the size class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointers {
    /// No pointers: not scanned, no header.
    Never,
    /// Pointers, described outside the object.
    WithoutHeader,
    /// Pointers, described by a header in the object.
    WithHeader,
    /// No pointers, and fewer than 16 bytes: shares a 16-byte block with others.
    Tiny,
    /// The type argument tells.
    ByType,
    /// More than the largest size class: whole pages.
    Large,
}

/// What a name means in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Probe it.
    Leaf(Pointers),
    /// Known, and never probed: it calls a leaf, or a leaf calls it.
    NotALeaf,
    /// Not in the table.
    Unknown,
}

/// The allocation functions of a range of Go versions.
#[derive(Debug)]
pub(super) struct LeafSet {
    /// Minor versions of Go 1 that it holds for.
    minors: RangeInclusive<u16>,
    /// Whether objects of more than 512 bytes with pointers have a header of 8 bytes.
    pub(super) headers: bool,
    leaves: &'static [Leaf],
    /// Suffixes of names that are never probed.
    passing: &'static [&'static str],
}

#[derive(Debug)]
struct Leaf {
    /// After [`ALLOCATOR_PREFIX`].
    suffix: &'static str,
    /// Numbers that follow `suffix`, for generated families.
    numbers: Option<RangeInclusive<u32>>,
    pointers: Pointers,
    /// Whether every binary has it; the linker drops functions that nothing calls.
    required: bool,
}

const fn one(suffix: &'static str, pointers: Pointers, required: bool) -> Leaf {
    Leaf {
        suffix,
        numbers: None,
        pointers,
        required,
    }
}

const fn family(suffix: &'static str, numbers: RangeInclusive<u32>, pointers: Pointers) -> Leaf {
    Leaf {
        suffix,
        numbers: Some(numbers),
        pointers,
        required: false,
    }
}

/// Up to Go 1.23 one function allocates everything.
const UP_TO_1_21: LeafSet = LeafSet {
    minors: 19..=21,
    headers: false,
    leaves: &[one("", Pointers::ByType, true)],
    passing: &[],
};

/// Go 1.22 brought malloc headers.
const GO_1_22_AND_1_23: LeafSet = LeafSet {
    minors: 22..=23,
    headers: true,
    leaves: &[one("", Pointers::ByType, true)],
    passing: &[],
};

/// From Go 1.24 `mallocgc` dispatches to one of five; from 1.26 there are size-specialised functions, off by default
/// in 1.26 (`GOEXPERIMENT=sizespecializedmalloc`), on in 1.27, where compiled code calls them directly. Size 0 is gone
/// before any of them.
const FROM_1_24: LeafSet = LeafSet {
    minors: 24..=27,
    headers: true,
    leaves: &[
        one("SmallNoscan", Pointers::Never, true),
        one("SmallScanHeader", Pointers::WithHeader, true),
        one("Large", Pointers::Large, true),
        one("SmallScanNoHeader", Pointers::WithoutHeader, false),
        one("Tiny", Pointers::Tiny, false),
        family("SmallNoScanSC", 2..=26, Pointers::Never),
        family("SmallScanNoHeaderSC", 1..=26, Pointers::WithoutHeader),
        family("TinySize", 1..=15, Pointers::Tiny),
        family("TinySC", 2..=2, Pointers::Tiny),
    ],
    passing: &[
        "",
        "TinySlowPath",
        "SmallScanSlowPath",
        "SmallNoScanSlowPath",
        "SlowPathStub",
    ],
};

const TABLE: [&LeafSet; 3] = [&UP_TO_1_21, &GO_1_22_AND_1_23, &FROM_1_24];

/// The rules for a Go version; the newest ones, and `true`, for a version newer than the table. `None` if it is older.
pub(super) fn for_version(major: u16, minor: u16) -> Option<(&'static LeafSet, bool)> {
    let newest = *TABLE.last()?;
    match major {
        0 => None,
        1 => match TABLE.iter().find(|set| set.minors.contains(&minor)) {
            Some(set) => Some((*set, false)),
            None if minor > *newest.minors.end() => Some((newest, true)),
            None => None,
        },
        _ => Some((newest, true)),
    }
}

impl LeafSet {
    /// The leaves for which `is_there` says no, neighbours of a generated family in one entry (`…SC8..26`).
    pub(super) fn absent(&self, is_there: impl Fn(&str) -> bool) -> Vec<String> {
        let mut absent = Vec::new();
        for leaf in self.leaves {
            let name = format!("{ALLOCATOR_PREFIX}{}", leaf.suffix);
            let Some(numbers) = leaf.numbers.clone() else {
                absent.extend((!is_there(&name)).then_some(name));
                continue;
            };
            let missing: Vec<u32> = numbers
                .filter(|number| !is_there(&format!("{name}{number}")))
                .collect();
            let runs = missing.chunk_by(|number, next| number + 1 == *next);
            absent.extend(runs.filter_map(|run| {
                let (first, last) = (run.first()?, run.last()?);
                Some(if first == last {
                    format!("{name}{first}")
                } else {
                    format!("{name}{first}..{last}")
                })
            }));
        }
        absent
    }

    /// What `name` means.
    pub(super) fn classify(&self, name: &str) -> Class {
        let Some(suffix) = name.strip_prefix(ALLOCATOR_PREFIX) else {
            return Class::Unknown;
        };
        // Closures of an allocation function (`runtime.mallocgc.func1`) run on the system stack within it.
        if suffix.starts_with('.') || self.passing.contains(&suffix) {
            return Class::NotALeaf;
        }
        match self.leaves.iter().find(|leaf| leaf.matches(suffix)) {
            Some(leaf) => Class::Leaf(leaf.pointers),
            None => Class::Unknown,
        }
    }

    /// The function that passes allocations on to the leaves, if there is one.
    pub(super) fn dispatcher(&self) -> Option<&'static str> {
        self.passing.contains(&"").then_some(ALLOCATOR_PREFIX)
    }

    /// The first function that must be there and is not among `names`.
    pub(super) fn first_missing<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<String> {
        let missing = self
            .leaves
            .iter()
            .filter(|leaf| leaf.required)
            .find(|leaf| {
                !names
                    .clone()
                    .any(|name| name.strip_prefix(ALLOCATOR_PREFIX) == Some(leaf.suffix))
            })?;
        Some(format!("{ALLOCATOR_PREFIX}{}", missing.suffix))
    }
}

/// Whether an allocation function is for one size class.
pub(super) fn is_specialised(name: &str) -> bool {
    name.rsplit_once("SC")
        .is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// Bit of the leaf `name` in the mask of a dispatcher that has it inlined; `None` if there is no bit for it.
pub(super) fn dispatch_bit(name: &str, pointers: Pointers) -> Option<u32> {
    let class = name
        .rsplit_once("SC")
        .and_then(|(_, number)| number.parse::<u32>().ok());
    match (pointers, class) {
        (Pointers::Tiny, _) => Some(dispatch::TINY),
        (Pointers::Never, None) => Some(dispatch::SMALL_NOSCAN),
        (Pointers::WithoutHeader, None) => Some(dispatch::SMALL_SCAN_NO_HEADER),
        (Pointers::WithHeader, None) => Some(dispatch::SMALL_SCAN_HEADER),
        (Pointers::Large, None) => Some(dispatch::LARGE),
        (Pointers::Never, Some(class)) if class <= dispatch::MAX_CLASS => {
            Some(dispatch::NOSCAN_CLASS + class)
        }
        (Pointers::WithoutHeader, Some(class)) if class <= dispatch::MAX_CLASS => {
            Some(dispatch::SCAN_CLASS + class)
        }
        _ => None,
    }
}

impl Leaf {
    fn matches(&self, suffix: &str) -> bool {
        let Some(rest) = suffix.strip_prefix(self.suffix) else {
            return false;
        };
        match &self.numbers {
            None => rest.is_empty(),
            Some(numbers) => rest
                .parse()
                .is_ok_and(|number: u32| numbers.contains(&number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(minor: u16, name: &str) -> Class {
        for_version(1, minor).unwrap().0.classify(name)
    }

    #[test]
    fn before_1_24_mallocgc_is_the_leaf() {
        for minor in 19..=23 {
            assert_eq!(
                class(minor, "runtime.mallocgc"),
                Class::Leaf(Pointers::ByType)
            );
            assert_eq!(for_version(1, minor).unwrap().0.headers, minor >= 22);
        }
    }

    #[test]
    fn from_1_24_the_dispatcher_and_slow_paths_are_not_probed() {
        for minor in 24..=27 {
            assert_eq!(class(minor, "runtime.mallocgc"), Class::NotALeaf);
            assert_eq!(
                class(minor, "runtime.mallocgcTinySlowPath"),
                Class::NotALeaf
            );
            assert_eq!(class(minor, "runtime.mallocgc.func2"), Class::NotALeaf);
            assert_eq!(
                class(minor, "runtime.mallocgcLarge"),
                Class::Leaf(Pointers::Large)
            );
        }
    }

    #[test]
    fn size_specialised_functions_are_leaves_within_their_numbers() {
        assert_eq!(
            class(27, "runtime.mallocgcSmallScanNoHeaderSC7"),
            Class::Leaf(Pointers::WithoutHeader)
        );
        assert_eq!(
            class(27, "runtime.mallocgcSmallNoScanSC2"),
            Class::Leaf(Pointers::Never)
        );
        assert_eq!(
            class(27, "runtime.mallocgcTinySC2"),
            Class::Leaf(Pointers::Tiny)
        );
        assert_eq!(class(27, "runtime.mallocgcSmallNoScanSC99"), Class::Unknown);
    }

    #[test]
    fn a_new_function_is_noticed() {
        assert_eq!(class(27, "runtime.mallocgcHuge"), Class::Unknown);
        assert_eq!(class(23, "runtime.mallocgcTiny"), Class::Unknown);
    }

    #[test]
    fn newer_versions_use_the_newest_rules_and_older_ones_are_refused() {
        assert!(for_version(1, 28).unwrap().1);
        assert!(for_version(2, 0).unwrap().1);
        assert!(!for_version(1, 27).unwrap().1);
        assert!(for_version(1, 18).is_none());
    }

    #[test]
    fn a_missing_required_function_is_named() {
        let names = [
            "runtime.mallocgc",
            "runtime.mallocgcSmallNoscan",
            "runtime.mallocgcLarge",
        ];
        let missing = for_version(1, 25)
            .unwrap()
            .0
            .first_missing(names.into_iter());
        assert_eq!(missing.as_deref(), Some("runtime.mallocgcSmallScanHeader"));
    }

    #[test]
    fn absent_leaves_are_listed_family_by_family() {
        let there = |name: &str| {
            ["Tiny", "TinySize4", "TinySize6", "TinySC2"]
                .iter()
                .any(|suffix| name.strip_prefix(ALLOCATOR_PREFIX) == Some(suffix))
                || name.contains("Small")
        };
        assert_eq!(
            for_version(1, 26).unwrap().0.absent(there),
            [
                "runtime.mallocgcLarge",
                "runtime.mallocgcTinySize1..3",
                "runtime.mallocgcTinySize5",
                "runtime.mallocgcTinySize7..15",
            ]
        );
    }
}
