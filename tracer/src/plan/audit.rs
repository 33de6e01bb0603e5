//! Reads back from a binary's machine code what its plan takes for granted: for those who extend the version table.
//!
//! A plan is right if each allocation passes exactly one probe, once, while size and type are still in the registers in
//! which Go passes them, each operation on a map likewise, and each pause and assist is seen to end. All of that shows in
//! the code of the probed functions. No capture depends on this module.

mod collector;
mod heap;
mod layout;

use super::leaves::ALLOCATOR_PREFIX;
use super::maps::{MapRow, Operation, registers};
use super::site::{Site, TWO_ARGUMENTS};
use super::{Coverage, Extras, HeapProbes, PlanError, ProbePlan, exact, leaf_set, sampled};
use crate::program::{Function, GoBinary, VirtualAddress};
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, OpAccess, Register,
};
use std::collections::BTreeSet;

/// The kernel programs read the goroutine from this register.
const GOROUTINE: Register = Register::R14;
/// They also walk the stack from these, and know when the frame is set up already.
const FRAME: [Register; 2] = [Register::RSP, Register::RBP];
/// What the end of a stack check calls before it starts the function again.
const MORE_STACK: &str = "runtime.morestack";
/// What the names of a Swiss map's functions start with.
const MAP_PREFIX: &str = "internal/runtime/maps.";
/// More code than any of these functions has.
const MAX_BODY: u64 = 1 << 16;

/// A plan, and what its target's code says about it.
#[derive(Debug)]
pub struct Audit {
    /// The plan.
    pub plan: ProbePlan,
    /// Functions of the version's leaf set that the binary does not have: nothing calls them, so the linker dropped them.
    pub absent: Vec<String>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Something in the code that contradicts the plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The version table does not cover the binary.
    #[error("the version table does not cover this binary: {0:?}")]
    Coverage(Coverage),
    /// The function's code is not in the file.
    #[error("{function}: its code is not in the file")]
    NoCode {
        /// The function.
        function: String,
    },
    /// The probed address is within an instruction.
    #[error("{function}: no instruction starts at the probe")]
    NotAnInstruction {
        /// The function.
        function: String,
    },
    /// An argument is gone before the probe.
    #[error("{function}: {register} is written at +{offset}, before the probe")]
    Overwritten {
        /// The function.
        function: String,
        /// The register.
        register: String,
        /// The instruction that writes it, from the start of the function.
        offset: u64,
    },
    /// Code can go on behind the probe without passing it.
    #[error("{function}: the branch at +{offset} passes the probe by")]
    PassedBy {
        /// The function.
        function: String,
        /// The branch, from the start of the function.
        offset: u64,
    },
    /// Code can pass the probe more than once in a call.
    #[error("{function}: the branch at +{offset} leads to the probe again")]
    Repeated {
        /// The function.
        function: String,
        /// The branch, from the start of the function.
        offset: u64,
    },
    /// One allocation, or one operation on a map, passes two probes.
    #[error("{function} calls {callee}, which is probed too")]
    Nested {
        /// The probed function, or one it calls.
        function: String,
        /// What it calls.
        callee: String,
    },
    /// The plan says itself that something has no probe.
    #[error("no probe sees {0}")]
    NotSeen(String),
    /// A structure of the runtime is laid out in another way.
    #[error("{field} is at {found}, not at {known}")]
    Layout {
        /// The member.
        field: String,
        /// Its offset in the plan.
        known: u64,
        /// Its offset in DWARF.
        found: u64,
    },
    /// The runtime does not read what a program reads.
    #[error("{function} does not use {field} at {offset}")]
    NotUsed {
        /// The function.
        function: String,
        /// The member.
        field: &'static str,
        /// Its offset in the plan.
        offset: u64,
    },
    /// The runtime marks specials of the heap profiler in another way.
    #[error("setprofilebucket writes (offset, kind) {code:?} into a special, not {known:?}")]
    Special {
        /// What the table has.
        known: (u64, u64),
        /// What the code does.
        code: (u64, u64),
    },
}

/// Makes the plan for `binary` and checks it against the code.
///
/// # Errors
/// There is no plan.
pub fn audit(binary: &GoBinary) -> Result<Audit, PlanError> {
    let plan = exact(binary, Extras::ALL)?;
    let (set, _) = leaf_set(binary.go_version())?;
    let absent = set.absent(|name| plan.rows.iter().any(|row| row.function == name));
    let mut faults = Vec::new();
    if plan.coverage != Coverage::Complete {
        faults.push(Fault::Coverage(plan.coverage.clone()));
    }
    for row in &plan.rows {
        let body = check(binary, &row.function, &row.site, TWO_ARGUMENTS, &mut faults);
        // A dispatcher counts only what it does not pass on.
        if let Some(body) = body.filter(|_| row.dispatch.is_none()) {
            let probed = |address| plan.rows.iter().any(|row| row.address == address);
            faults.extend(nested(binary, probed, ALLOCATOR_PREFIX, body));
        }
    }
    for row in &plan.maps.rows {
        let needed = registers(row.arguments);
        if let Some(body) = check(binary, &row.function, &row.site, needed, &mut faults) {
            let alike = |other: &&MapRow| grows(other) == grows(row);
            let mut others = plan.maps.rows.iter().filter(alike);
            let probed = |address| others.any(|other| other.address == address);
            faults.extend(nested(binary, probed, MAP_PREFIX, body));
        }
    }
    for row in &plan.maps.crashes {
        check(binary, &row.function, &row.site, TWO_ARGUMENTS, &mut faults);
    }
    if let Some(plan) = &plan.gc {
        faults.extend(collector::faults(binary, plan));
    }
    let spans = Extras {
        heap: HeapProbes::Spans,
        ..Extras::NONE
    };
    faults.extend(heap::faults(binary, &plan.heap));
    faults.extend(heap::faults(binary, &sampled(binary, spans)?.heap));
    faults.extend(layout::faults(binary, &plan));
    Ok(Audit {
        plan,
        absent,
        faults,
    })
}

/// Whether a row is about growth: a write passes one of these as well.
fn grows(row: &MapRow) -> bool {
    matches!(row.operation, Operation::Grow(_))
}

/// Checks the probe at `site` in `function`, whose program needs the registers `needed`, and gives the function's code.
fn check<'a>(
    binary: &'a GoBinary,
    function: &str,
    site: &Site,
    needed: &[Register],
    faults: &mut Vec<Fault>,
) -> Option<Body<'a>> {
    let body = binary
        .function(function)
        .and_then(|function| Body::read(binary, function));
    let Some(body) = body else {
        faults.push(Fault::NoCode {
            function: function.to_owned(),
        });
        return None;
    };
    let is_more_stack = |address| {
        binary
            .function_at(address)
            .is_some_and(|function| function.name.starts_with(MORE_STACK))
    };
    faults.extend(body.contradictions(site, needed, is_more_stack));
    Some(body)
}

/// Probed functions that `body` calls, itself or through functions whose names start with `prefix` that are not probed.
fn nested(
    binary: &GoBinary,
    mut probed: impl FnMut(VirtualAddress) -> bool,
    prefix: &str,
    body: Body<'_>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::from([body.function.address]);
    let mut bodies = vec![body];
    while let Some(body) = bodies.pop() {
        for address in body.destinations() {
            let Some(callee) = binary.function_at(address) else {
                continue;
            };
            if probed(callee.address) {
                faults.push(Fault::Nested {
                    function: body.function.name.to_owned(),
                    callee: callee.name.to_owned(),
                });
            } else if callee.name.starts_with(prefix) && seen.insert(callee.address) {
                bodies.extend(Body::read(binary, callee));
            }
        }
    }
    faults
}

/// The instructions of a function.
#[derive(Debug)]
struct Body<'a> {
    function: Function<'a>,
    instructions: Vec<Instruction>,
}

impl<'a> Body<'a> {
    fn read(binary: &GoBinary, function: Function<'a>) -> Option<Self> {
        let length = usize::try_from(function.size.min(MAX_BODY)).ok()?;
        let code = binary.code(function.address, length)?;
        Some(Self::decode(function, code))
    }

    fn decode(function: Function<'a>, code: &[u8]) -> Self {
        let decoder = Decoder::with_ip(64, code, function.address.0, DecoderOptions::NONE);
        Body {
            function,
            instructions: decoder.into_iter().collect(),
        }
    }

    /// What in the code contradicts that each call passes the probe at `site` once, with its arguments in the registers
    /// `needed`.
    fn contradictions(
        &self,
        site: &Site,
        needed: &[Register],
        is_more_stack: impl Fn(VirtualAddress) -> bool,
    ) -> Vec<Fault> {
        let (start, probe) = (self.function.address.0, site.address.0);
        let function = || self.function.name.to_owned();
        let is_needed = |register| {
            register == GOROUTINE
                || needed.contains(&register)
                || FRAME.contains(&register) && !site.frame_set_up
        };
        let mut faults = Vec::new();
        if !self.instructions.iter().any(|code| code.ip() == probe) {
            return vec![Fault::NotAnInstruction {
                function: function(),
            }];
        }
        let mut restarts = BTreeSet::new();
        for code in self.instructions.iter().filter(|code| code.ip() < probe) {
            let offset = code.ip() - start;
            faults.extend(
                overwritten(code, is_needed).map(|register| Fault::Overwritten {
                    function: function(),
                    register: format!("{register:?}"),
                    offset,
                }),
            );
            let restart = self.restart(code.near_branch_target(), &is_more_stack);
            match (code.flow_control(), restart) {
                (FlowControl::Next, _) => {}
                (FlowControl::ConditionalBranch, Some(jump)) => drop(restarts.insert(jump)),
                _ => faults.push(Fault::PassedBy {
                    function: function(),
                    offset,
                }),
            }
        }
        let again = self.instructions.iter().filter(|code| {
            is_jump(code)
                && (start..=probe).contains(&code.near_branch_target())
                && !restarts.contains(&code.ip())
        });
        faults.extend(again.map(|code| Fault::Repeated {
            function: function(),
            offset: code.ip() - start,
        }));
        faults
    }

    /// The jump to the function's start at the end of the failed stack check at `address`: it saves the arguments,
    /// calls for more stack, restores the arguments, and nothing else.
    fn restart(&self, address: u64, is_more_stack: impl Fn(VirtualAddress) -> bool) -> Option<u64> {
        let first = self
            .instructions
            .iter()
            .position(|code| code.ip() == address)?;
        let mut has_more_stack = false;
        for code in self.instructions.get(first..)? {
            match code.flow_control() {
                FlowControl::Next => {}
                FlowControl::Call if is_more_stack(VirtualAddress(code.near_branch_target())) => {
                    has_more_stack = true;
                }
                FlowControl::UnconditionalBranch => {
                    let restarts = code.near_branch_target() == self.function.address.0;
                    return (restarts && has_more_stack).then_some(code.ip());
                }
                _ => return None,
            }
        }
        None
    }

    /// Where direct calls and jumps out of the function lead.
    fn destinations(&self) -> impl Iterator<Item = VirtualAddress> {
        let start = self.function.address.0;
        let own = start..start.saturating_add(self.function.size);
        self.instructions
            .iter()
            .filter(move |code| {
                let target = code.near_branch_target();
                code.flow_control() == FlowControl::Call && target != 0
                    || is_jump(code) && !own.contains(&target)
            })
            .map(|code| VirtualAddress(code.near_branch_target()))
    }
}

/// A direct jump, conditional or not.
fn is_jump(code: &Instruction) -> bool {
    matches!(
        code.flow_control(),
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
    )
}

/// The first register that is needed and that the instruction writes.
fn overwritten(code: &Instruction, is_needed: impl Fn(Register) -> bool) -> Option<Register> {
    let mut info = InstructionInfoFactory::new();
    let used = info.info(code).used_registers().iter().find(|used| {
        let is_written = !matches!(
            used.access(),
            OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
        );
        is_written && is_needed(used.register().full_register())
    })?;
    Some(used.register().full_register())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::CostClass;

    const START: u64 = 0x40_1000;
    const MORE: u64 = 0x40_2000;

    /// `cmp 0x10(%r14),%rsp; jbe TAIL; push %rbp; BODY; ret; TAIL: call morestack; jmp START`, with BODY from the test.
    fn function(before_push: &[u8], body: &[u8]) -> Vec<u8> {
        let to_tail = before_push.len() + 1 + body.len() + 1;
        let mut code = vec![0x49, 0x3b, 0x66, 0x10, 0x76, u8::try_from(to_tail).unwrap()];
        code.extend(before_push);
        code.push(0x55);
        code.extend(body);
        code.push(0xc3);
        code.push(0xe8);
        let next = START + u64::try_from(code.len()).unwrap() + 4;
        code.extend(u32::try_from(MORE - next).unwrap().to_le_bytes());
        let back = i8::try_from(code.len() + 2).unwrap();
        code.extend([0xeb, back.wrapping_neg().to_le_bytes()[0]]);
        code
    }

    /// The faults of `code` with a probe at `offset`.
    fn faults(code: &[u8], offset: u64) -> Vec<Fault> {
        let body = Body::decode(
            Function {
                name: "f",
                address: VirtualAddress(START),
                size: u64::try_from(code.len()).unwrap(),
            },
            code,
        );
        let site = Site {
            address: VirtualAddress(START + offset),
            offset,
            instruction: String::new(),
            cost: CostClass::Emulated,
            frame_set_up: false,
            reason: "",
        };
        body.contradictions(&site, TWO_ARGUMENTS, |address| address.0 == MORE)
    }

    #[test]
    fn a_probe_on_every_path_with_live_arguments_has_no_fault() {
        assert_eq!(faults(&function(&[], &[0x90]), 6), []);
    }

    #[test]
    fn a_probe_within_an_instruction_is_found() {
        let found = faults(&function(&[], &[]), 5);
        assert!(
            matches!(found[..], [Fault::NotAnInstruction { .. }]),
            "{found:?}"
        );
    }

    #[test]
    fn an_argument_that_is_written_before_the_probe_is_found() {
        // mov %ecx,%ebx: the lower half counts
        let found = faults(&function(&[0x89, 0xcb], &[]), 8);
        assert!(
            matches!(&found[..], [Fault::Overwritten { register, offset: 6, .. }] if register == "RBX"),
            "{found:?}"
        );
        // mov %ecx,%edx is none of our business
        assert_eq!(faults(&function(&[0x89, 0xca], &[]), 8), []);
    }

    #[test]
    fn a_branch_around_the_probe_is_found() {
        // je past the push
        let found = faults(&function(&[0x74, 0x01], &[0x90]), 8);
        assert!(
            matches!(found[..], [Fault::PassedBy { offset: 6, .. }]),
            "{found:?}"
        );
    }

    #[test]
    fn a_loop_through_the_probe_is_found() {
        // jne to the push: 55 75 fd
        let found = faults(&function(&[], &[0x75, 0xfd]), 6);
        assert!(
            matches!(found[..], [Fault::Repeated { offset: 7, .. }]),
            "{found:?}"
        );
    }

    #[test]
    fn calls_out_of_a_function_are_seen_and_jumps_within_are_not() {
        // jmp +0 (to the next instruction); then the tail's call
        let code = function(&[], &[0xeb, 0x00]);
        let body = Body::decode(
            Function {
                name: "f",
                address: VirtualAddress(START),
                size: u64::try_from(code.len()).unwrap(),
            },
            &code,
        );
        assert_eq!(
            body.destinations().collect::<Vec<_>>(),
            [VirtualAddress(MORE)]
        );
    }
}
