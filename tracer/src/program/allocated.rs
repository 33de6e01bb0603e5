//! What a call of the runtime allocates, read off the code of its caller.
//!
//! The compiler passes the type as a constant, shortly before the call. Hides which function of the runtime takes it in
//! which register. Not known are types out of dictionaries of generic code, of `reflect`, and memory without a type.
//! Source: `src/cmd/compile/internal/typecheck/_builtin/runtime.go`, `src/runtime/malloc.go`, `slice.go`, `chan.go`,
//! `iface.go`, `string.go`, `map.go` of Go 1.19 to 1.27.

use super::call::Call;
use super::{CodeBudget, GoBinary, VirtualAddress};

/// What a call allocates. Addresses are those of type descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocated {
    /// One value of the type.
    Value(VirtualAddress),
    /// An array of values of the type, behind a slice.
    Array(VirtualAddress),
    /// The same, by a function that forgets the type of elements without pointers.
    Grown(VirtualAddress),
    /// A channel of the type.
    Channel {
        /// The type of the channel.
        channel: VirtualAddress,
        /// Whether it has, or may have, a buffer.
        buffered: bool,
    },
    /// What maps of the type keep their entries in, nearly all memory of a map; or the header of the map, whose type has
    /// that name.
    Map {
        /// The type of the map.
        map: VirtualAddress,
        /// The name of the type of its header.
        header: &'static str,
    },
    /// What is always of the type of that name.
    Named(&'static str),
}

/// How to tell what a function of the runtime allocates.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// One value of the type that is the argument of that number.
    Value(usize),
    Array(usize),
    Grown(usize),
    /// The type is the first argument, the size of the buffer the second.
    Channel,
    /// The type is the first argument.
    Map,
    Named(&'static str),
    /// The header of a map.
    MapHeader,
}

/// The first Go 1.N whose `growslice` takes the type as the fifth argument; it was the first.
const TYPE_IS_FIFTH: u16 = 20;
/// The first Go 1.N whose maps are Swiss tables, if the program is not built without.
const SWISS_MAPS: u16 = 24;
/// Common to the names of the allocator: `mallocgc`, and what the compiler calls directly from Go 1.27 on.
const ALLOCATOR: &str = "runtime.mallocgc";

/// Functions that always take the type in the same register, or none.
const RULES: &[(&str, Rule)] = &[
    ("runtime.newobject", Rule::Value(0)),
    ("runtime.newarray", Rule::Array(0)),
    ("runtime.makeslice", Rule::Array(0)),
    ("runtime.makeslice64", Rule::Array(0)),
    ("runtime.makeslicecopy", Rule::Grown(0)),
    ("runtime.moveSlice", Rule::Array(0)),
    ("runtime.moveSliceNoCap", Rule::Array(0)),
    ("runtime.makechan", Rule::Channel),
    ("runtime.makechan64", Rule::Channel),
    ("reflect.unsafe_New", Rule::Value(0)),
    ("internal/reflectlite.unsafe_New", Rule::Value(0)),
    ("reflect.unsafe_NewArray", Rule::Array(0)),
    ("runtime.convT", Rule::Value(0)),
    ("runtime.convTnoptr", Rule::Value(0)),
    // These box every value of their size, whatever its type.
    ("runtime.convT16", Rule::Named("any(16-bit)")),
    ("runtime.convT32", Rule::Named("any(32-bit)")),
    ("runtime.convT64", Rule::Named("any(64-bit)")),
    ("runtime.convTstring", Rule::Named("any(string)")),
    ("runtime.convTslice", Rule::Named("any(slice)")),
    ("runtime.concatstring2", Rule::Named("string")),
    ("runtime.concatstring3", Rule::Named("string")),
    ("runtime.concatstring4", Rule::Named("string")),
    ("runtime.concatstring5", Rule::Named("string")),
    ("runtime.concatstrings", Rule::Named("string")),
    ("runtime.concatbyte2", Rule::Named("[]uint8")),
    ("runtime.concatbyte3", Rule::Named("[]uint8")),
    ("runtime.concatbyte4", Rule::Named("[]uint8")),
    ("runtime.concatbyte5", Rule::Named("[]uint8")),
    ("runtime.concatbytes", Rule::Named("[]uint8")),
    ("runtime.intstring", Rule::Named("string")),
    ("runtime.slicebytetostring", Rule::Named("string")),
    ("runtime.slicerunetostring", Rule::Named("string")),
    ("runtime.stringtoslicebyte", Rule::Named("[]uint8")),
    ("runtime.stringtoslicerune", Rule::Named("[]int32")),
    ("internal/bytealg.MakeNoZero", Rule::Named("[]uint8")),
    ("runtime.typeAssert", Rule::Named("abi.TypeAssertCache")),
    (
        "runtime.interfaceSwitch",
        Rule::Named("abi.InterfaceSwitchCache"),
    ),
    ("runtime.makemap", Rule::Map),
    ("runtime.makemap64", Rule::Map),
    ("runtime.makemap_small", Rule::MapHeader),
    ("runtime.mapassign", Rule::Map),
    ("runtime.mapassign_fast32", Rule::Map),
    ("runtime.mapassign_fast64", Rule::Map),
    ("runtime.mapassign_fast64ptr", Rule::Map),
    ("runtime.mapassign_faststr", Rule::Map),
];

/// Functions that grow a slice.
const GROW: &[&str] = &[
    "runtime.growslice",
    "runtime.growsliceNoAlias",
    "runtime.growsliceBuf",
    "runtime.growsliceBufNoAlias",
];

impl GoBinary {
    /// What the call allocates that returns to `return_address`; `None` if it is no call of a function that does, or the
    /// code does not tell the type.
    pub fn allocated_at(
        &self,
        return_address: VirtualAddress,
        budget: &mut CodeBudget,
    ) -> Option<Allocated> {
        let call = self.call_before(return_address, budget)?;
        let function = self.function_at(call.target)?;
        if function.address != call.target {
            return None;
        }
        if function.name.starts_with(ALLOCATOR) {
            return self.given_to_the_allocator(&call);
        }
        Some(match self.rule(function.name)? {
            Rule::Value(number) => Allocated::Value(call.address(number)?),
            Rule::Array(number) => Allocated::Array(call.address(number)?),
            Rule::Grown(number) => Allocated::Grown(call.address(number)?),
            Rule::Channel => Allocated::Channel {
                channel: call.address(0)?,
                buffered: call.number(1) != Some(0),
            },
            Rule::Map => Allocated::Map {
                map: call.address(0)?,
                header: self.map_header(),
            },
            Rule::Named(name) => Allocated::Named(name),
            Rule::MapHeader => Allocated::Named(self.map_header()),
        })
    }

    fn rule(&self, function: &str) -> Option<Rule> {
        if GROW.contains(&function) {
            let first = self.go_version().minor < TYPE_IS_FIFTH;
            return Some(Rule::Grown(if first { 0 } else { 4 }));
        }
        let mut rules = RULES.iter();
        rules
            .find(|(name, _)| *name == function)
            .map(|(_, rule)| *rule)
    }

    /// `mallocgc(size, typ, needzero)`: a value, if the size is that of the type. Variables that the compiler has put
    /// together, from Go 1.25 on, have no type.
    fn given_to_the_allocator(&self, call: &Call) -> Option<Allocated> {
        let descriptor = call.address(1)?;
        let size = self.types().read(descriptor).ok()?.size_bytes;
        Some(if call.number(0) == Some(size) {
            Allocated::Value(descriptor)
        } else {
            Allocated::Array(descriptor)
        })
    }

    fn map_header(&self) -> &'static str {
        // A program without Swiss tables has the function that grows the old maps.
        let swiss =
            self.go_version().minor >= SWISS_MAPS && self.function("runtime.hashGrow").is_none();
        if swiss { "maps.Map" } else { "runtime.hmap" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fixture::{ALLOCATOR as SIZE, Fixture, MALLOC, MemoryFile};

    const FUNCTIONS: &[&str] = &[
        "runtime.mallocgc",
        "runtime.newobject",
        "runtime.growslice",
        "runtime.makechan",
        "runtime.mapassign_faststr",
        "runtime.makemap_small",
        "runtime.concatstrings",
        "runtime.mallocgcSmallScanNoHeaderSC5",
        "main.newobject",
    ];
    /// Registers in the encoding of the last byte of `lea N(%rip),REGISTER`.
    const RAX: u8 = 0x05;
    const RBX: u8 = 0x1d;
    const RSI: u8 = 0x35;

    /// mov $40,%eax: the size of `main.User`.
    const ITS_SIZE: &[u8] = &[0xb8, 40, 0, 0, 0];
    /// xor %ebx,%ebx
    const NO_BUFFER: &[u8] = &[0x31, 0xdb];

    /// Checks what a function allocates, in a program built with `version`, if it is called with the address of
    /// `main.User` in a register, behind more code.
    fn check(
        version: &'static str,
        function: &str,
        (register, more): (u8, &[u8]),
        expected: impl Fn(VirtualAddress) -> Option<Allocated>,
    ) {
        let fixture = Fixture {
            version,
            allocators: FUNCTIONS,
            ..Fixture::default()
        };
        let mut image = fixture.build();
        let at = FUNCTIONS.iter().position(|name| *name == function).unwrap();
        let callee = MALLOC + SIZE * at as u64;
        let return_address = VirtualAddress(image.call(register, more, callee));
        let binary = GoBinary::open(&MemoryFile::new(&image.bytes).path()).unwrap();
        let found = binary.allocated_at(return_address, &mut CodeBudget::default());
        let user = VirtualAddress(image.user);
        assert_eq!(found, expected(user), "{function} in {version}");
        // The calling function has 32 bytes.
        let found = binary.allocated_at(return_address, &mut CodeBudget(31));
        assert_eq!(found, None);
    }

    #[test]
    fn the_function_says_which_argument_is_the_type_of_what() {
        for version in ["go1.19.8", "go1.27.3"] {
            let check = |function, code, expected: fn(VirtualAddress) -> Option<Allocated>| {
                check(version, function, code, expected);
            };
            check("runtime.newobject", (RAX, &[]), |user| {
                Some(Allocated::Value(user))
            });
            check("runtime.newobject", (RSI, &[]), |_| None);
            check("main.newobject", (RAX, &[]), |_| None);
            check("runtime.concatstrings", (RAX, &[]), |_| {
                Some(Allocated::Named("string"))
            });
            check("runtime.makechan", (RAX, NO_BUFFER), |channel| {
                Some(Allocated::Channel {
                    channel,
                    buffered: false,
                })
            });
            check("runtime.makechan", (RAX, &[]), |channel| {
                Some(Allocated::Channel {
                    channel,
                    buffered: true,
                })
            });
        }
    }

    #[test]
    fn the_allocator_gives_a_value_or_an_array() {
        for function in ["runtime.mallocgc", "runtime.mallocgcSmallScanNoHeaderSC5"] {
            let check = |code, expected: fn(VirtualAddress) -> Option<Allocated>| {
                check("go1.27.3", function, code, expected);
            };
            check((RBX, ITS_SIZE), |user| Some(Allocated::Value(user)));
            check((RBX, &[]), |user| Some(Allocated::Array(user)));
            check((RBX, &[0xb8, 80, 0, 0, 0]), |user| {
                Some(Allocated::Array(user))
            });
            // Without a type.
            check((RBX, NO_BUFFER), |_| None);
        }
    }

    #[test]
    fn versions_differ() {
        let grown = |user| Some(Allocated::Grown(user));
        check("go1.19.8", "runtime.growslice", (RAX, &[]), grown);
        check("go1.27.3", "runtime.growslice", (RSI, &[]), grown);
        check("go1.27.3", "runtime.growslice", (RAX, &[]), |_| None);
        for (version, header) in [("go1.19.8", "runtime.hmap"), ("go1.27.3", "maps.Map")] {
            check(version, "runtime.makemap_small", (RAX, &[]), |_| {
                Some(Allocated::Named(header))
            });
            check(version, "runtime.mapassign_faststr", (RAX, &[]), |map| {
                Some(Allocated::Map { map, header })
            });
        }
    }
}
