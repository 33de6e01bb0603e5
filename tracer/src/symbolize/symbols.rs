//! The names that a report needs, resolved once each.
//!
//! Holds plain data: program counters and type addresses on one side, frames and types on the other. Reports read it
//! without a [`Symbolizer`], so they can be made and tested without a binary.

use super::element::{AllocatedType, GROW_OR_COPY};
use super::{Frame, Lookup, Symbolizer, Unnamed};
use crate::program::{Access, GoType, MapType, RuntimePc};
use std::collections::HashMap;
use std::sync::Arc;

/// Resolved names. Grows with what a capture sees.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// The probed instruction of a stack.
    probed: HashMap<u64, Result<Arc<[Frame]>, Unnamed>>,
    /// Return addresses.
    returns: HashMap<u64, Result<Arc<[Frame]>, Unnamed>>,
    types: HashMap<u64, Option<Arc<GoType>>>,
    map_types: HashMap<u64, Option<Arc<MapType>>>,
    /// Elements of the slices that the runtime grows or copies, by the return address of the call.
    elements: HashMap<u64, Option<Arc<GoType>>>,
    /// Types of what stacks of the runtime's heap profile allocate, by the return address of the call of the runtime.
    allocated: HashMap<u64, Option<AllocatedType>>,
    /// What instructions do with memory.
    accesses: HashMap<u64, Option<Access>>,
}

impl Symbols {
    /// Names what is not named yet: every program counter of the stacks, innermost first, and every type.
    pub fn extend<'a>(
        &mut self,
        symbolizer: &mut Symbolizer,
        stacks: impl Iterator<Item = &'a [u64]>,
        types: impl Iterator<Item = u64>,
    ) {
        for stack in stacks {
            let [probed, returns @ ..] = stack else {
                continue;
            };
            self.probed
                .entry(*probed)
                .or_insert_with(|| symbolizer.frames(RuntimePc(*probed), Lookup::Exact));
            let mut callee = *probed;
            for pc in returns {
                if !self.returns.contains_key(pc) {
                    let frames = symbolizer.frames(RuntimePc(*pc), Lookup::ReturnAddress);
                    self.returns.insert(*pc, frames);
                    self.find_element(symbolizer, callee, *pc);
                }
                callee = *pc;
            }
        }
        for pointer in types.filter(|pointer| *pointer != 0) {
            self.types
                .entry(pointer)
                .or_insert_with(|| symbolizer.go_type(RuntimePc(pointer)).ok());
        }
    }

    /// Names map types that are not named yet.
    pub fn extend_map_types(
        &mut self,
        symbolizer: &mut Symbolizer,
        types: impl Iterator<Item = u64> + Clone,
    ) {
        self.extend(symbolizer, std::iter::empty(), types.clone());
        for pointer in types.filter(|pointer| *pointer != 0) {
            self.map_types
                .entry(pointer)
                .or_insert_with(|| symbolizer.map_type(RuntimePc(pointer)).map(Arc::new));
        }
    }

    /// Finds out what the instructions do with memory at which page faults happened.
    pub fn extend_accesses(&mut self, symbolizer: &Symbolizer, pcs: impl Iterator<Item = u64>) {
        for pc in pcs {
            self.accesses
                .entry(pc)
                .or_insert_with(|| symbolizer.access(RuntimePc(pc)));
        }
    }

    /// Finds out what type each of these stacks, which must be named already, allocates.
    pub fn extend_allocated<'a>(
        &mut self,
        symbolizer: &mut Symbolizer,
        stacks: impl Iterator<Item = &'a [u64]>,
    ) {
        for stack in stacks {
            if let Some(caller) = self.caller_of_runtime(stack) {
                self.allocated
                    .entry(caller)
                    .or_insert_with(|| symbolizer.allocated_type(RuntimePc(caller)));
            }
        }
    }

    /// Looks for the elements of the slice that the call behind `return_address`, of the function that `callee` is in,
    /// grows or copies.
    fn find_element(&mut self, symbolizer: &mut Symbolizer, callee: u64, return_address: u64) {
        let Some(Ok(frames)) = self.returns.get(&callee) else {
            return;
        };
        let callee = frames.last().map(|frame| &*frame.function);
        if callee.is_some_and(|callee| GROW_OR_COPY.contains(&callee)) {
            let element = symbolizer.element_type(RuntimePc(return_address));
            self.elements.insert(return_address, element);
        }
    }

    /// The logical frames of each program counter of a stack, innermost first; empty where there is no name.
    pub fn stack<'a>(&'a self, pcs: &'a [u64]) -> impl Iterator<Item = &'a [Frame]> {
        pcs.iter().enumerate().map(|(index, pc)| {
            let known = if index == 0 {
                &self.probed
            } else {
                &self.returns
            };
            known
                .get(pc)
                .and_then(|frames| frames.as_deref().ok())
                .unwrap_or_default()
        })
    }

    /// The Go type at an address of the target.
    pub fn go_type(&self, type_pointer: u64) -> Option<&GoType> {
        self.types.get(&type_pointer)?.as_deref()
    }

    /// The map type at an address of the target.
    pub fn map_type(&self, type_pointer: u64) -> Option<&MapType> {
        self.map_types.get(&type_pointer)?.as_deref()
    }

    /// The elements of the slice that a stack, innermost program counter first, grows or copies.
    pub fn element(&self, pcs: &[u64]) -> Option<&GoType> {
        let mut frames = pcs.iter().zip(self.stack(pcs));
        // Behind the first function outside the runtime another call is on its way.
        let outside = frames.position(|(_, frames)| !frames.iter().all(Frame::is_runtime))?;
        let element = |pc| self.elements.get(pc)?.as_deref();
        pcs.get(..=outside)?.iter().find_map(element)
    }

    /// The name of the type of an object that a stack, innermost program counter first, has allocated, where the code of the
    /// first function outside the runtime tells it. The size of the object in the heap tells the header of a map from its
    /// entries.
    pub fn allocated(&self, pcs: &[u64], size_bytes: Option<u64>) -> Option<&str> {
        let caller = self.caller_of_runtime(pcs)?;
        self.allocated.get(&caller)?.as_ref()?.name(size_bytes)
    }

    /// The innermost return address into a function that is not the runtime's own; `None` if one before it has no name.
    fn caller_of_runtime(&self, pcs: &[u64]) -> Option<u64> {
        let mut frames = self.stack(pcs).enumerate();
        let is_outside = |frames: &[Frame]| !frames.iter().all(Frame::is_runtime);
        let (index, frames) = frames.find(|(_, frames)| frames.is_empty() || is_outside(frames))?;
        let pc = pcs.get(index).filter(|_| !frames.is_empty())?;
        // The innermost one is the call itself.
        Some(if index == 0 { pc + 1 } else { *pc })
    }

    /// What the instruction at a program counter does with memory.
    pub fn access(&self, pc: u64) -> Option<Access> {
        self.accesses.get(&pc).copied().flatten()
    }

    /// Distinct program counters without a name.
    pub fn unknown_pcs(&self) -> u64 {
        let unknown = self
            .probed
            .values()
            .chain(self.returns.values())
            .filter(|frames| frames.is_err());
        unknown.count() as u64
    }

    /// Symbols of given names, for tests of reports.
    #[cfg(test)]
    pub(crate) fn of(
        returns: impl IntoIterator<Item = (u64, Vec<Frame>)>,
        types: Vec<(u64, GoType)>,
    ) -> Self {
        Symbols {
            probed: HashMap::new(),
            returns: returns
                .into_iter()
                .map(|(pc, frames)| (pc, Ok(frames.into())))
                .collect(),
            types: types
                .into_iter()
                .map(|(pointer, go_type)| (pointer, Some(Arc::new(go_type))))
                .collect(),
            map_types: HashMap::new(),
            elements: HashMap::new(),
            allocated: HashMap::new(),
            accesses: HashMap::new(),
        }
    }

    /// The same, with a name for the innermost program counter of a stack.
    #[cfg(test)]
    pub(crate) fn with_innermost(mut self, pc: u64, frames: Vec<Frame>) -> Self {
        self.probed.insert(pc, Ok(frames.into()));
        self
    }

    /// The same, with a map type.
    #[cfg(test)]
    pub(crate) fn with_map_type(mut self, type_pointer: u64, map_type: MapType) -> Self {
        self.map_types
            .insert(type_pointer, Some(Arc::new(map_type)));
        self
    }

    /// The same, with the elements of the slice that the call behind a return address grows.
    #[cfg(test)]
    pub(crate) fn with_element(mut self, return_address: u64, element: GoType) -> Self {
        self.elements
            .insert(return_address, Some(Arc::new(element)));
        self
    }
}
