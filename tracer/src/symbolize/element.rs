//! The types that the code of a caller of the runtime tells, by name.
//!
//! Two things are asked: the elements of a slice that the runtime grows or copies, because the runtime drops the type of
//! elements without pointers before it allocates (`growslice` in `src/runtime/slice.go`); and what a stack of the
//! runtime's own heap profile has allocated, which says no types at all. Names are those of reports: `main.node`,
//! `[]main.node`, `chan main.node`.

use super::Symbolizer;
use crate::program::{Allocated, GoType, RuntimePc, VirtualAddress};
use std::sync::Arc;

/// The functions of the runtime that take the type of the elements of a slice and may drop it.
pub(super) const GROW_OR_COPY: &[&str] = &[
    "runtime.growslice",
    "runtime.growsliceNoAlias",
    "runtime.growsliceBuf",
    "runtime.growsliceBufNoAlias",
    "runtime.makeslicecopy",
];

/// In Go 1.19 generic code has descriptors of what its instantiations have in common.
const SHAPE: &str = "go.shape.";

/// Size of a map's header: `runtime.hmap` up to Go 1.23, `maps.Map` from 1.24 on.
const MAP_HEADER_BYTES: u64 = 48;

/// The type of what a call allocates, as far as its code tells.
#[derive(Clone, Debug)]
pub(super) struct AllocatedType {
    name: String,
    /// If the type is what a map keeps its entries in: its size, and the name of the type of the map's header.
    header: Option<(u64, &'static str)>,
}

impl AllocatedType {
    /// The name of the type of an object, whose size in the heap may help.
    pub(super) fn name(&self, size_bytes: Option<u64>) -> Option<&str> {
        match (self.header, size_bytes) {
            (Some((entries, header)), Some(size)) if size < entries => {
                (size == MAP_HEADER_BYTES).then_some(header)
            }
            _ => Some(&self.name),
        }
    }
}

impl Symbolizer {
    /// The type of the elements of the slice that the call that returns to `return_address` grows or copies. `None` if
    /// the code does not tell.
    pub(super) fn element_type(&mut self, return_address: RuntimePc) -> Option<Arc<GoType>> {
        match self.allocated(return_address)? {
            Allocated::Grown(descriptor) => {
                let element = self.type_at(descriptor)?;
                (!element.name.contains(SHAPE)).then(|| Arc::new(element))
            }
            _ => None,
        }
    }

    /// The type of what the call that returns to `return_address` allocates. `None` if the code does not tell.
    pub(super) fn allocated_type(&mut self, return_address: RuntimePc) -> Option<AllocatedType> {
        let mut header = None;
        let name = match self.allocated(return_address)? {
            Allocated::Value(descriptor) => self.type_at(descriptor)?.name,
            Allocated::Array(descriptor) => format!("[]{}", self.type_at(descriptor)?.name),
            Allocated::Grown(descriptor) => {
                let element = self.type_at(descriptor)?;
                if element.pointer_bytes == 0 && element.name.contains(SHAPE) {
                    return None;
                }
                format!("[]{}", element.name)
            }
            Allocated::Channel { channel, buffered } => self.channel(channel, buffered)?,
            Allocated::Map { map, header: name } => {
                let map = self.binary.types().map(map).ok()?;
                header = Some((map.group_size_bytes, name));
                self.type_at(map.group)?.name
            }
            Allocated::Named(name) => name.to_owned(),
        };
        Some(AllocatedType { name, header })
    }

    fn allocated(&mut self, return_address: RuntimePc) -> Option<Allocated> {
        let address = self.bias.to_link_time(return_address);
        self.binary.allocated_at(address, &mut self.code_budget)
    }

    /// A channel is in one piece with a buffer without pointers, and then has no type (`makechan` in
    /// `src/runtime/chan.go`).
    fn channel(&self, channel: VirtualAddress, buffered: bool) -> Option<String> {
        let element = self.binary.types().channel_element(channel).ok()?;
        Some(if buffered && element.pointer_bytes > 0 {
            format!("chan {}", element.name)
        } else {
            "chan".to_owned()
        })
    }

    fn type_at(&self, descriptor: VirtualAddress) -> Option<GoType> {
        self.binary.types().read(descriptor).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, Symbols};
    use super::*;
    use crate::program::fixture::{Fixture, Image, MALLOC, MemoryFile, OUTER};
    use crate::program::{GoBinary, LoadBias};

    const BIAS: LoadBias = LoadBias(0x5555_0000_0000);

    fn symbolizer(image: &Image) -> Symbolizer {
        let binary = GoBinary::open(&MemoryFile::new(&image.bytes).path()).unwrap();
        Symbolizer::new(Arc::new(binary), BIAS)
    }

    fn moved(address: u64) -> u64 {
        BIAS.to_runtime(VirtualAddress(address)).0
    }

    #[test]
    fn a_stack_has_the_type_that_the_first_caller_of_the_runtime_passes() {
        let mut image = Fixture {
            elf_type: 3,
            ..Fixture::default()
        }
        .build();
        // `mallocgc` takes the size in RAX, here that of the type: mov $40,%eax; and the type in RBX.
        let behind = image.call(0x1d, &[0xb8, 40, 0, 0, 0], MALLOC);
        let mut symbolizer = symbolizer(&image);
        let in_malloc = moved(MALLOC + 8);
        let stack = [in_malloc, moved(behind), moved(OUTER + 30)];
        // The innermost of a stack without the runtime's frames is the call itself.
        let from_call = [moved(behind) - 1, moved(OUTER + 30)];
        let no_name = [in_malloc, 7, moved(behind)];
        let no_call = [moved(OUTER + 30)];
        // In the fixture every function is of a file of the runtime.
        let outer = || vec![Frame::of("main.outer", "main", 10)];
        let malloc = || vec![Frame::of("runtime.mallocgc", "runtime", 10)];
        let frames = [(moved(behind), outer()), (moved(OUTER + 30), outer())];
        let mut symbols = Symbols::of(frames, Vec::new())
            .with_innermost(in_malloc, malloc())
            .with_innermost(moved(behind) - 1, outer())
            .with_innermost(moved(OUTER + 30), outer());
        let stacks = [&stack[..], &from_call, &no_name, &no_call];
        symbols.extend_allocated(&mut symbolizer, stacks.into_iter());
        assert_eq!(symbols.allocated(&stack, Some(48)), Some("main.User"));
        assert_eq!(symbols.allocated(&from_call, None), Some("main.User"));
        assert_eq!(symbols.allocated(&no_name, None), None);
        assert_eq!(symbols.allocated(&no_call, None), None);
        assert_eq!(symbols.allocated(&stack[..1], None), None);
        assert_eq!(symbols.allocated(&[], None), None);
    }

    #[test]
    fn what_is_too_small_for_a_maps_entries_may_be_its_header() {
        let entries = AllocatedType {
            name: "map.group[string]int".to_owned(),
            header: Some((208, "maps.Map")),
        };
        let names =
            [None, Some(208), Some(6784), Some(48), Some(32)].map(|size| entries.name(size));
        let group = Some("map.group[string]int");
        assert_eq!(names, [group, group, group, Some("maps.Map"), None]);
        let small = AllocatedType {
            name: "map.group[uint8]bool".to_owned(),
            header: Some((24, "maps.Map")),
        };
        assert_eq!(small.name(Some(48)), Some("map.group[uint8]bool"));
    }
}
