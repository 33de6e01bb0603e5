//! From the size asked for to the size taken: the runtime's size classes, malloc headers and tiny blocks.
//!
//! Reproduces `MemStats.TotalAlloc`. Source: `src/runtime/malloc.go`, `sizeclasses.go`; the table is the same from Go
//! 1.19 to 1.27.

use crate::decode::Alloc;
use crate::plan::Pointers;
use std::collections::HashMap;
use std::fmt;

/// Sizes of the classes of small objects, in bytes.
const SIZE_CLASSES: [u64; 67] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
    384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048,
    2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728,
    10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672,
    32768,
];
/// `maxSmallSize`.
const MAX_SMALL: u64 = 32_768;
/// Runtime page: large objects take whole ones.
const PAGE: u64 = 8_192;
/// `mallocHeaderSize`.
const HEADER: u64 = 8;
/// Objects with pointers of more bytes have a header (`minSizeForMallocHeader`).
const MAX_WITHOUT_HEADER: u64 = 512;
/// `maxTinySize`: pointer-free objects of fewer bytes share a block of this size.
pub const TINY_BLOCK: u64 = 16;
/// Most types whose facts are remembered.
const MAX_TYPES: usize = 1 << 16;

/// Answers whether a type contains pointers.
pub trait TypeFacts: Send {
    /// Whether objects of the type at this address of the target contain pointers; `None` if it cannot be known.
    fn has_pointers(&self, type_pointer: u64) -> Option<bool>;
}

/// What rounding depends on besides the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What each plan row says about pointers.
    pub rows: Vec<Pointers>,
    /// Whether this Go version has malloc headers (1.22 and later).
    pub headers: bool,
}

/// Rounds sizes as the target's runtime does.
pub struct Rounding {
    rules: Rules,
    types: Box<dyn TypeFacts>,
    known: HashMap<u64, Option<bool>>,
}

impl fmt::Debug for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rounding")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Rounding {
    /// Rounding by `rules`; `types` is asked once for each type, and only where the row does not tell.
    pub fn new(rules: Rules, types: Box<dyn TypeFacts>) -> Self {
        Rounding {
            rules,
            types,
            known: HashMap::new(),
        }
    }

    /// Bytes that `alloc` takes from the heap; `None` if that cannot be known.
    pub fn rounded(&mut self, alloc: &Alloc) -> Option<u64> {
        let size = alloc.size;
        if size > self.max_small() {
            return Some(size.checked_next_multiple_of(PAGE).unwrap_or(size));
        }
        let pointers = match self.rules.rows.get(usize::from(alloc.row))? {
            Pointers::Large | Pointers::Never => false,
            Pointers::WithoutHeader | Pointers::WithHeader => true,
            Pointers::Tiny => return alloc.tiny_bytes(),
            Pointers::ByType => {
                let pointers = self.has_pointers(alloc.type_pointer)?;
                if !pointers && size < TINY_BLOCK {
                    return alloc.tiny_bytes();
                }
                pointers
            }
        };
        let header = if pointers && self.rules.headers && size > MAX_WITHOUT_HEADER {
            HEADER
        } else {
            0
        };
        Some(size_class(size + header))
    }

    fn max_small(&self) -> u64 {
        if self.rules.headers {
            MAX_SMALL - HEADER
        } else {
            MAX_SMALL
        }
    }

    fn has_pointers(&mut self, type_pointer: u64) -> Option<bool> {
        if type_pointer == 0 {
            return Some(false);
        }
        if let Some(known) = self.known.get(&type_pointer) {
            return *known;
        }
        let pointers = self.types.has_pointers(type_pointer);
        if self.known.len() < MAX_TYPES {
            self.known.insert(type_pointer, pointers);
        }
        pointers
    }

    /// Rules of a version with headers, with a row for pointer-free memory and one for tiny objects.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        struct NoTypes;
        impl TypeFacts for NoTypes {
            fn has_pointers(&self, _: u64) -> Option<bool> {
                None
            }
        }
        Rounding::new(
            Rules {
                rows: vec![Pointers::Never, Pointers::Tiny],
                headers: true,
            },
            Box::new(NoTypes),
        )
    }
}

/// The smallest class that holds `size` bytes: read off a table, as the runtime does, because a search costs as much as
/// the rest of rounding.
fn size_class(size: u64) -> u64 {
    let (classes, at) = if size <= FINE_MAX {
        (FINE.as_slice(), size.div_ceil(FINE_STEP))
    } else {
        (COARSE.as_slice(), (size - FINE_MAX).div_ceil(COARSE_STEP))
    };
    let class = usize::try_from(at).ok().and_then(|at| classes.get(at));
    class.copied().unwrap_or(size)
}

/// Classes up to [`FINE_MAX`], in steps of [`FINE_STEP`] (`smallSizeMax`, `smallSizeDiv`).
static FINE: [u64; 129] = classes(0, FINE_STEP);
/// Classes from there on (`largeSizeDiv`).
static COARSE: [u64; 249] = classes(FINE_MAX, COARSE_STEP);
const FINE_MAX: u64 = 1024;
const FINE_STEP: u64 = 8;
const COARSE_STEP: u64 = 128;

/// The smallest classes that hold `from` bytes, `from + step` bytes and so on.
const fn classes<const N: usize>(from: u64, step: u64) -> [u64; N] {
    let mut classes = [0; N];
    let (mut at, mut class) = (0, 0);
    while at < N {
        while SIZE_CLASSES[class] < from + step * at as u64 {
            class += 1;
        }
        classes[at] = SIZE_CLASSES[class];
        at += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{StackId, TinyBlock};

    /// Types at odd addresses have pointers, those above 1000 are unknown.
    struct Odd;
    impl TypeFacts for Odd {
        fn has_pointers(&self, type_pointer: u64) -> Option<bool> {
            (type_pointer < 1000).then_some(type_pointer % 2 == 1)
        }
    }

    fn rounded(
        pointers: Pointers,
        headers: bool,
        size: u64,
        type_pointer: u64,
        tiny: Option<TinyBlock>,
    ) -> Option<u64> {
        let rules = Rules {
            rows: vec![pointers],
            headers,
        };
        let alloc = Alloc {
            row: 0,
            stack: StackId(0),
            size,
            type_pointer,
            goroutine: 0,
            time: None,
            tiny,
            weight: 1,
            window: 0,
        };
        Rounding::new(rules, Box::new(Odd)).rounded(&alloc)
    }

    #[test]
    fn small_sizes_round_up_to_their_class() {
        for (size, class) in [
            (1, 8),
            (8, 8),
            (9, 16),
            (17, 24),
            (33, 48),
            (1025, 1152),
            (32_760, 32_768),
        ] {
            assert_eq!(
                rounded(Pointers::Never, true, size, 0, None),
                Some(class),
                "{size} bytes"
            );
        }
    }

    #[test]
    fn large_sizes_round_up_to_pages_from_the_versions_own_limit() {
        assert_eq!(
            rounded(Pointers::Large, true, 32_769, 0, None),
            Some(40_960)
        );
        assert_eq!(
            rounded(Pointers::ByType, false, 32_768, 2, None),
            Some(32_768)
        );
        assert_eq!(
            rounded(Pointers::ByType, false, 32_769, 2, None),
            Some(40_960)
        );
        assert_eq!(
            rounded(Pointers::Large, true, u64::MAX, 0, None),
            Some(u64::MAX)
        );
    }

    #[test]
    fn a_header_counts_above_512_bytes_with_pointers_only() {
        assert_eq!(
            rounded(Pointers::WithHeader, true, 1024, 1, None),
            Some(1152)
        );
        assert_eq!(rounded(Pointers::ByType, true, 1024, 1, None), Some(1152));
        assert_eq!(rounded(Pointers::ByType, true, 1024, 2, None), Some(1024));
        assert_eq!(rounded(Pointers::ByType, false, 1024, 1, None), Some(1024));
        assert_eq!(
            rounded(Pointers::WithoutHeader, true, 512, 1, None),
            Some(512)
        );
    }

    #[test]
    fn tiny_objects_take_a_block_or_nothing() {
        assert_eq!(
            rounded(Pointers::Tiny, true, 5, 0, Some(TinyBlock::New)),
            Some(16)
        );
        assert_eq!(
            rounded(Pointers::Tiny, true, 5, 0, Some(TinyBlock::Shared)),
            Some(0)
        );
        assert_eq!(rounded(Pointers::Tiny, true, 5, 0, None), None);
        assert_eq!(
            rounded(Pointers::ByType, true, 5, 2, Some(TinyBlock::New)),
            Some(16)
        );
        assert_eq!(rounded(Pointers::ByType, true, 8, 1, None), Some(8));
    }

    #[test]
    fn an_unknown_type_or_row_is_not_guessed() {
        assert_eq!(rounded(Pointers::ByType, true, 100, 5000, None), None);
        let alloc = Alloc {
            row: 9,
            stack: StackId(0),
            size: 8,
            type_pointer: 0,
            goroutine: 0,
            time: None,
            tiny: None,
            weight: 1,
            window: 0,
        };
        assert_eq!(Rounding::for_tests().rounded(&alloc), None);
    }
}
