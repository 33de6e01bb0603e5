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
    /// What maps of the type keep their entries in: nearly all memory of a map.
    Entries(VirtualAddress),
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
    Entries,
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
    ("reflect.unsafe_NewArray", Rule::Array(0)),
    // The last ones box every value of their size, whatever its type.
    ("runtime.convT", Rule::Value(0)),
    ("runtime.convTnoptr", Rule::Value(0)),
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
    ("runtime.makemap", Rule::Entries),
    ("runtime.makemap64", Rule::Entries),
    ("runtime.makemap_small", Rule::MapHeader),
    ("runtime.mapassign", Rule::Entries),
    ("runtime.mapassign_fast32", Rule::Entries),
    ("runtime.mapassign_fast64", Rule::Entries),
    ("runtime.mapassign_fast64ptr", Rule::Entries),
    ("runtime.mapassign_faststr", Rule::Entries),
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
            Rule::Entries => Allocated::Entries(call.address(0)?),
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
