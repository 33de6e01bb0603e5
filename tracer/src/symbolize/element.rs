//! The types that the code of a caller of the runtime tells, by name.
//!
//! Two things are asked: the elements of a slice that the runtime grows or copies, because the runtime drops the type of
//! elements without pointers before it allocates (`growslice` in `src/runtime/slice.go`); and what a stack of the
//! runtime's own heap profile has allocated, which says no types at all. Names are those of reports: `main.node`,
//! `[]main.node`, `chan main.node`.

use super::Symbolizer;
use crate::target::{Allocated, GoType, RuntimePc, VirtualAddress};
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

    /// The name of the type of what the call that returns to `return_address` allocates. `None` if the code does not
    /// tell.
    pub(super) fn allocated_type(&mut self, return_address: RuntimePc) -> Option<Arc<str>> {
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
            Allocated::Entries(map) => {
                let map = self.binary.types().map(map).ok()?;
                self.type_at(map.group)?.name
            }
            Allocated::Named(name) => name.to_owned(),
        };
        Some(name.into())
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
