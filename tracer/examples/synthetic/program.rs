//! A program to pretend the events of: the calls, types and probes of a real Go executable.
//!
//! Hides machine code: call instructions are found by decoding it.

use anyhow::{Context as _, Result, ensure};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};
use std::collections::BTreeSet;
use std::sync::Arc;
use tracer::aggregate::{CodeFacts, TypeFacts};
use tracer::plan::{self, Extras, Pointers, ProbePlan};
use tracer::program::{GoBinary, LoadBias, RuntimePc, VirtualAddress};
use tracer::symbolize::{Lookup, Symbolizer, is_runtime, package};

/// Functions of the runtime that allocate for their caller.
const BETWEEN: [&str; 4] = [
    "runtime.newobject",
    "runtime.makeslice",
    "runtime.growslice",
    "runtime.slicebytetostring",
];
/// Most types that are used.
const MAX_TYPES: usize = 10_000;

/// Addresses to make stacks of.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) plan: ProbePlan,
    /// Return addresses in functions of the runtime that allocate for their caller.
    pub(crate) between: Vec<u64>,
    /// Return addresses outside the runtime, each at another place in the source.
    pub(crate) sites: Vec<u64>,
    /// Return addresses outside the runtime.
    pub(crate) callers: Vec<u64>,
    pub(crate) types: Vec<Type>,
}

/// A Go type of the executable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub(crate) pointer: u64,
    pub(crate) size: u64,
    pub(crate) has_pointers: bool,
}

impl Program {
    /// Takes `sites` places and twice as many callers, spread over the executable.
    pub(crate) fn of(binary: &Arc<GoBinary>, sites: usize) -> Result<Self> {
        let plan = plan::exact(binary, Extras::NONE)?;
        let mut calls = Vec::new();
        let mut between = Vec::new();
        let mut types = BTreeSet::new();
        for function in binary.functions_with_prefix("") {
            let length = usize::try_from(function.size)?;
            let code = binary.code(function.address, length).unwrap_or_default();
            let found = if BETWEEN.contains(&function.name) {
                &mut between
            } else if is_runtime(&package(function.name)) || package(function.name).is_empty() {
                continue;
            } else {
                &mut calls
            };
            look_through(binary, code, function.address, found, &mut types);
        }
        ensure!(!between.is_empty() && !types.is_empty(), "no Go program");
        let types = types.into_iter().filter_map(|address| {
            let go_type = binary.types().read(VirtualAddress(address)).ok()?;
            (go_type.size_bytes > 0).then_some(Type {
                pointer: address,
                size: go_type.size_bytes,
                has_pointers: go_type.pointer_bytes > 0,
            })
        });
        Ok(Program {
            plan,
            between,
            sites: distinct_places(binary, &calls, sites)?,
            callers: spread(&calls, 2 * sites),
            types: types.take(MAX_TYPES).collect(),
        })
    }
}

/// Adds the return address of each call and each type that is mentioned.
fn look_through(
    binary: &GoBinary,
    code: &[u8],
    start: VirtualAddress,
    returns: &mut Vec<u64>,
    types: &mut BTreeSet<u64>,
) {
    for instruction in Decoder::with_ip(64, code, start.0, DecoderOptions::NONE) {
        if instruction.flow_control() == FlowControl::Call {
            returns.push(instruction.next_ip());
        } else if let Some(address) = address_loaded(&instruction)
            && types.len() < 2 * MAX_TYPES
            && binary.types().read(VirtualAddress(address)).is_ok()
        {
            types.insert(address);
        }
    }
}

fn address_loaded(instruction: &Instruction) -> Option<u64> {
    (instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand())
        .then(|| instruction.ip_rel_memory_address())
}

/// `count` of `calls`, no two of which have the same logical frames.
fn distinct_places(binary: &Arc<GoBinary>, calls: &[u64], count: usize) -> Result<Vec<u64>> {
    let mut symbolizer = Symbolizer::new(Arc::clone(binary), LoadBias::NONE);
    let mut names = BTreeSet::new();
    let mut places = Vec::new();
    // Every other call is as good as all of them, unless there are too few.
    let step = (calls.len() / count / 2).max(1);
    for call in (0..step).flat_map(|first| calls.iter().skip(first).step_by(step)) {
        let frames = symbolizer.frames(RuntimePc(*call), Lookup::ReturnAddress);
        let frames = frames
            .ok()
            .with_context(|| format!("no name for {call:#x}"))?;
        let name: Vec<_> = frames
            .iter()
            .map(|frame| (Arc::clone(&frame.function), frame.line))
            .collect();
        if frames.iter().all(|frame| !frame.is_runtime()) && names.insert(name) {
            places.push(*call);
            if places.len() == count {
                return Ok(places);
            }
        }
    }
    let found = places.len();
    anyhow::bail!("the executable has {found} places that could allocate, {count} are asked for")
}

/// `count` of `all` at equal distances, or all.
fn spread(all: &[u64], count: usize) -> Vec<u64> {
    let step = (all.len() / count).max(1);
    all.iter().step_by(step).take(count).copied().collect()
}

/// The row of the plan that takes such an allocation.
pub(crate) fn row(plan: &ProbePlan, size: u64, has_pointers: bool) -> Option<usize> {
    let fit = match (size, has_pointers) {
        (32_769.., _) => Pointers::Large,
        (0..16, false) => Pointers::Tiny,
        (_, false) => Pointers::Never,
        (0..=512, true) => Pointers::WithoutHeader,
        (_, true) => Pointers::WithHeader,
    };
    let of = |wanted| plan.rows.iter().position(|row| row.pointers == wanted);
    of(fit).or_else(|| of(Pointers::ByType))
}

/// What aggregation asks of the executable.
#[derive(Debug)]
pub(crate) struct Facts(pub(crate) Arc<GoBinary>);

impl TypeFacts for Facts {
    fn has_pointers(&self, type_pointer: u64) -> Option<bool> {
        let go_type = self.0.types().read(VirtualAddress(type_pointer)).ok()?;
        Some(go_type.pointer_bytes != 0)
    }
}

impl CodeFacts for Facts {
    fn is_runtime(&self, pc: u64) -> bool {
        let function = self.0.function_at(VirtualAddress(pc));
        function.is_some_and(|function| is_runtime(&package(function.name)))
    }

    fn is_frameless(&self, _pc: u64) -> bool {
        false
    }

    fn physical(&self, pcs: &[u64]) -> Vec<u64> {
        pcs.to_vec()
    }
}
