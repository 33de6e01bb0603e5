//! Attach cookies: what a probe tells its program about its place. One layout for each family that has more to tell than
//! [`Cookie`] does; which one a cookie has, its program knows.
//!
//! | bits | all | [`AllocCookie`] | [`MapCookie`] | [`CrashCookie`] | [`GcCookie`] |
//! |---|---|---|---|---|---|
//! | 0 to 7 | row of the plan | | | | |
//! | 8 | frame is set up | | | | |
//! | 9, 10 | | tiny: never, always, by type | arguments | message (one bit) | words, stack (a bit each) |
//! | 11 | | specialised | | | |
//! | 11 to 15 | | | | | where the second argument is |
//! | 32 to 63 | | mask of a dispatcher | | | |

/// Where each family's own bits begin.
const OWN: u32 = 9;

/// What every cookie tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Cookie(u64);

impl Cookie {
    const FRAME_SET_UP: u64 = 1 << 8;

    /// The cookie of a probe that needs none.
    pub const NONE: Cookie = Cookie(0);

    /// A cookie for row `row` of the family's part of the plan. `frame_set_up` tells whether the probed instruction runs
    /// after the function has pushed its frame pointer: the return address is then above the frame pointer, not at the
    /// stack pointer.
    pub const fn new(row: u8, frame_set_up: bool) -> Self {
        let frame = if frame_set_up { Self::FRAME_SET_UP } else { 0 };
        Cookie(row as u64 | frame)
    }

    /// As the kernel hands it to a program.
    pub const fn from_word(word: u64) -> Self {
        Cookie(word)
    }

    /// As the kernel takes it.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Row of the probe plan.
    pub const fn row(self) -> u8 {
        (self.0 & 0xff) as u8
    }

    /// Whether the frame pointer is the function's own.
    pub const fn frame_set_up(self) -> bool {
        self.0 & Self::FRAME_SET_UP != 0
    }

    const fn with(self, bits: u64) -> Self {
        Cookie(self.0 | bits)
    }
}

/// The cookie of an allocation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct AllocCookie(Cookie);

/// Which allocations of a function go through the tiny allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiny {
    /// None.
    Never,
    /// All.
    Always,
    /// Those of fewer than 16 bytes whose type has no pointers.
    ByType,
}

impl AllocCookie {
    const TINY_ALWAYS: u64 = 1 << OWN;
    const TINY_BY_TYPE: u64 = 2 << OWN;
    const SPECIALISED: u64 = 4 << OWN;
    const DISPATCHED: u32 = 32;

    /// A cookie with `tiny` in its own bits.
    pub const fn new(cookie: Cookie, tiny: Tiny) -> Self {
        AllocCookie(cookie.with(match tiny {
            Tiny::Never => 0,
            Tiny::Always => Self::TINY_ALWAYS,
            Tiny::ByType => Self::TINY_BY_TYPE,
        }))
    }

    /// The same for a function that passes allocations on to others, and has those in `mask` ([`dispatch`]) inlined:
    /// only these are its own. `specialised` tells whether sizes up to 80 bytes go to functions of their size class.
    pub const fn dispatching(self, mask: u32, specialised: bool) -> Self {
        let specialised = if specialised { Self::SPECIALISED } else { 0 };
        let mask = (mask as u64) << Self::DISPATCHED;
        AllocCookie(self.0.with(specialised | mask))
    }

    /// Reads it.
    pub const fn of(cookie: Cookie) -> Self {
        AllocCookie(cookie)
    }

    /// What every cookie tells.
    pub const fn cookie(self) -> Cookie {
        self.0
    }

    /// Which allocations go through the tiny allocator.
    pub const fn tiny(self) -> Tiny {
        match self.0.0 & (Self::TINY_ALWAYS | Self::TINY_BY_TYPE) {
            Self::TINY_ALWAYS => Tiny::Always,
            Self::TINY_BY_TYPE => Tiny::ByType,
            _ => Tiny::Never,
        }
    }

    /// Which allocations of a dispatcher are its own; 0 if the function is none.
    pub const fn dispatched(self) -> u32 {
        (self.0.0 >> Self::DISPATCHED) as u32
    }

    /// Whether the dispatcher passes small sizes to specialised functions.
    pub const fn specialised(self) -> bool {
        self.0.0 & Self::SPECIALISED != 0
    }
}

/// Bits of a dispatcher's mask: to which allocation function it passes an allocation on.
pub mod dispatch {
    /// Without pointers, fewer than 16 bytes.
    pub const TINY: u32 = 0;
    /// Without pointers, of any small size.
    pub const SMALL_NOSCAN: u32 = 1;
    /// With pointers, at most 512 bytes.
    pub const SMALL_SCAN_NO_HEADER: u32 = 2;
    /// With pointers, more than 512 bytes.
    pub const SMALL_SCAN_HEADER: u32 = 3;
    /// Larger than small.
    pub const LARGE: u32 = 4;
    /// Specialised, without pointers: this plus the number of the size class.
    pub const NOSCAN_CLASS: u32 = 8;
    /// Specialised, with pointers: this plus the number of the size class.
    pub const SCAN_CLASS: u32 = 16;
    /// Largest size class that has a bit of its own: 80 bytes.
    pub const MAX_CLASS: u32 = 7;
}

/// The cookie of a function that works on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct MapCookie(Cookie);

/// Which arguments of a function that works on a map are what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapArguments {
    /// The map's type, then the map: `mapassign`, `mapdelete`, `mapclear`, `hashGrow`.
    TypeMap,
    /// The map, then its type: `(*Map).growToTable`.
    MapType,
    /// A table of the map, the map's type, then the map: `(*table).rehash`.
    TableTypeMap,
}

impl MapCookie {
    /// A cookie with `arguments` in its own bits.
    pub const fn new(cookie: Cookie, arguments: MapArguments) -> Self {
        let arguments = match arguments {
            MapArguments::TypeMap => 0,
            MapArguments::MapType => 1,
            MapArguments::TableTypeMap => 2,
        };
        MapCookie(cookie.with(arguments << OWN))
    }

    /// Reads it.
    pub const fn of(cookie: Cookie) -> Self {
        MapCookie(cookie)
    }

    /// What every cookie tells.
    pub const fn cookie(self) -> Cookie {
        self.0
    }

    /// Which arguments are what.
    pub const fn arguments(self) -> MapArguments {
        match self.0.0 >> OWN & 3 {
            0 => MapArguments::TypeMap,
            1 => MapArguments::MapType,
            _ => MapArguments::TableTypeMap,
        }
    }
}

/// The cookie of a function that ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct CrashCookie(Cookie);

/// How a function that ends the program is told why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageArgument {
    /// A string: `fatal`, `throw`.
    String,
    /// An interface value with a string in it, or anything else: `gopanic`.
    Interface,
}

impl CrashCookie {
    /// A cookie with `message` in its own bit.
    pub const fn new(cookie: Cookie, message: MessageArgument) -> Self {
        let message = match message {
            MessageArgument::String => 0,
            MessageArgument::Interface => 1,
        };
        CrashCookie(cookie.with(message << OWN))
    }

    /// Reads it.
    pub const fn of(cookie: Cookie) -> Self {
        CrashCookie(cookie)
    }

    /// What every cookie tells.
    pub const fn cookie(self) -> Cookie {
        self.0
    }

    /// How the function is told why.
    pub const fn message(self) -> MessageArgument {
        match self.0.0 >> OWN & 1 {
            0 => MessageArgument::String,
            _ => MessageArgument::Interface,
        }
    }
}

/// The cookie of a place in the collector, mark assists included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct GcCookie(Cookie);

/// Which memory is sent with an event of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcWords {
    /// None.
    None,
    /// That at the first argument.
    Argument,
}

/// Which general register holds a value, counted as Go's register ABI does: those of the integer arguments in their
/// order, then the others in an order that only `args.rs` of the kernel half and the plan know. Inlined code has its
/// arguments anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgumentIndex(u8);

impl ArgumentIndex {
    /// Number of indices: no machine has more general registers.
    pub const COUNT: u8 = 32;
    /// The second integer argument of a function that is called.
    pub const SECOND: ArgumentIndex = ArgumentIndex(1);

    /// The index `index`; `None` if there is none.
    pub const fn new(index: usize) -> Option<Self> {
        if index < Self::COUNT as usize {
            Some(ArgumentIndex(index.to_le_bytes()[0]))
        } else {
            None
        }
    }

    /// As a number, less than [`Self::COUNT`].
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl GcCookie {
    const WORDS: u64 = 1 << OWN;
    const STACK: u64 = 2 << OWN;
    const SECOND: u32 = OWN + 2;

    /// A cookie that asks for `words`, for a walk if `stack`, and has the second argument in `second`.
    pub const fn new(cookie: Cookie, words: GcWords, stack: bool, second: ArgumentIndex) -> Self {
        let words = match words {
            GcWords::None => 0,
            GcWords::Argument => Self::WORDS,
        };
        let stack = if stack { Self::STACK } else { 0 };
        let second = (second.0 as u64) << Self::SECOND;
        GcCookie(cookie.with(words | stack | second))
    }

    /// Reads it.
    pub const fn of(cookie: Cookie) -> Self {
        GcCookie(cookie)
    }

    /// What every cookie tells.
    pub const fn cookie(self) -> Cookie {
        self.0
    }

    /// Which memory is asked for.
    pub const fn words(self) -> GcWords {
        match self.0.0 & Self::WORDS {
            0 => GcWords::None,
            _ => GcWords::Argument,
        }
    }

    /// Whether a walk is asked for.
    pub const fn has_stack(self) -> bool {
        self.0.0 & Self::STACK != 0
    }

    /// Where the second argument is.
    pub const fn second(self) -> ArgumentIndex {
        let mask = ArgumentIndex::COUNT as u64 - 1;
        ArgumentIndex((self.0.0 >> Self::SECOND & mask).to_le_bytes()[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cookies as they come out of the kernel.
    fn sent(cookie: Cookie) -> Cookie {
        Cookie::from_word(cookie.word())
    }

    fn each() -> impl Iterator<Item = Cookie> {
        [0, 1, 0x5a, u8::MAX]
            .into_iter()
            .flat_map(|row| [false, true].map(|frame| Cookie::new(row, frame)))
    }

    #[test]
    fn what_every_cookie_tells_is_untouched_by_what_a_family_adds() {
        for cookie in each() {
            let all = ArgumentIndex::new(31).unwrap_or(ArgumentIndex::SECOND);
            let cookies = [
                cookie,
                AllocCookie::new(cookie, Tiny::ByType)
                    .dispatching(u32::MAX, true)
                    .cookie(),
                MapCookie::new(cookie, MapArguments::TableTypeMap).cookie(),
                CrashCookie::new(cookie, MessageArgument::Interface).cookie(),
                GcCookie::new(cookie, GcWords::Argument, true, all).cookie(),
            ];
            for of_family in cookies.map(sent) {
                assert_eq!(of_family.row(), cookie.row());
                assert_eq!(of_family.frame_set_up(), cookie.frame_set_up());
            }
        }
    }

    #[test]
    fn an_allocation_function_says_which_objects_are_tiny_and_which_are_its_own() {
        for cookie in each() {
            for tiny in [Tiny::Never, Tiny::Always, Tiny::ByType] {
                let plain = AllocCookie::of(sent(AllocCookie::new(cookie, tiny).cookie()));
                assert_eq!((plain.tiny(), plain.dispatched()), (tiny, 0));
                assert!(!plain.specialised());
                for (mask, specialised) in [(1, false), (1 << 31 | 6, true)] {
                    let own = AllocCookie::of(sent(plain.dispatching(mask, specialised).cookie()));
                    let told = (own.tiny(), own.dispatched(), own.specialised());
                    assert_eq!(told, (tiny, mask, specialised));
                }
            }
        }
    }

    #[test]
    fn a_map_function_says_which_arguments_are_what() {
        for cookie in each() {
            for arguments in [
                MapArguments::TypeMap,
                MapArguments::MapType,
                MapArguments::TableTypeMap,
            ] {
                let map = MapCookie::new(cookie, arguments).cookie();
                assert_eq!(MapCookie::of(sent(map)).arguments(), arguments);
            }
        }
    }

    #[test]
    fn a_function_that_ends_the_program_says_what_its_message_is() {
        for cookie in each() {
            for message in [MessageArgument::String, MessageArgument::Interface] {
                let crash = CrashCookie::new(cookie, message).cookie();
                assert_eq!(CrashCookie::of(sent(crash)).message(), message);
            }
        }
    }

    #[test]
    fn a_place_in_the_collector_says_what_it_asks_for_and_where_its_argument_is() {
        for cookie in each() {
            for index in 0..usize::from(ArgumentIndex::COUNT) {
                let second = ArgumentIndex::new(index).unwrap_or(ArgumentIndex::SECOND);
                for (words, stack) in [(GcWords::None, true), (GcWords::Argument, false)] {
                    let gc = GcCookie::new(cookie, words, stack, second).cookie();
                    let gc = GcCookie::of(sent(gc));
                    let told = (gc.words(), gc.has_stack(), gc.second());
                    assert_eq!(told, (words, stack, second));
                    assert_eq!(usize::from(gc.second().get()), index);
                }
            }
        }
        assert_eq!(ArgumentIndex::new(usize::from(ArgumentIndex::COUNT)), None);
    }
}
