//! Checks the probes on the collector: those behind a stack check like all others, those in the middle of a function by
//! the ways through it.

use super::{Body, Fault, check, is_jump};
use crate::plan::gc::{GcEvent, GcPlan, GcRow};
use crate::program::{GoBinary, VirtualAddress};
use iced_x86::{FlowControl, Instruction};
use std::collections::BTreeSet;

/// What an assist calls that does something.
const DRAIN: &str = "runtime.gcDrainN";
/// Functions that do not return, by how their names start.
const NO_RETURN: [&str; 5] = [
    "runtime.throw",
    "runtime.fatal",
    "runtime.panic",
    "runtime.goPanic",
    "runtime.gopanic",
];

/// What contradicts the plan's part about the collector.
pub(super) fn faults(binary: &GoBinary, plan: &GcPlan) -> Vec<Fault> {
    let skipped = plan.skipped.iter().cloned().map(Fault::NotSeen);
    let mut faults: Vec<Fault> = skipped.collect();
    let mut hosts = BTreeSet::new();
    for row in &plan.rows {
        match row.event {
            GcEvent::PauseEnd | GcEvent::Restart | GcEvent::AssistEnd => {
                if hosts.insert((row.address, row.event == GcEvent::AssistEnd)) {
                    faults.extend(passed_by(binary, plan, row));
                }
            }
            // A call of the function, or its own code, too late.
            GcEvent::Marked if row.site.frame_set_up => {
                faults.extend(passed_by(binary, plan, row));
            }
            _ => drop(check(
                binary,
                &row.function,
                &row.site,
                row.event.registers(),
                &mut faults,
            )),
        }
    }
    faults
}

/// How the function of `row` can return without passing a place of that kind; an assist only once it has done something.
fn passed_by(binary: &GoBinary, plan: &GcPlan, row: &GcRow) -> Vec<Fault> {
    let function = || row.function.clone();
    let Some(body) = binary
        .function(&row.function)
        .and_then(|function| Body::read(binary, function))
    else {
        return vec![Fault::NoCode {
            function: function(),
        }];
    };
    let alike = plan
        .rows
        .iter()
        .filter(|other| (other.address, other.event) == (row.address, row.event));
    let sites: BTreeSet<u64> = alike.map(|row| row.site.address.0).collect();
    let name = |code: &Instruction| {
        let callee = binary.function_at(VirtualAddress(code.near_branch_target()));
        callee.map_or("", |callee| callee.name)
    };
    let starts: Vec<u64> = if row.event == GcEvent::AssistEnd {
        let calls = body.instructions.iter();
        calls
            .filter(|code| code.flow_control() == FlowControl::Call && name(code) == DRAIN)
            .map(Instruction::next_ip)
            .collect()
    } else {
        vec![row.address.0]
    };
    let returns = |call: &Instruction| {
        let callee = name(call);
        !NO_RETURN.iter().any(|start| callee.starts_with(start))
    };
    let aligned = |site: &u64| body.at(*site).is_some();
    if starts.is_empty() || !sites.iter().all(aligned) {
        return vec![Fault::NotAnInstruction {
            function: function(),
        }];
    }
    let start = row.address.0;
    body.ends_without(starts, &sites, returns)
        .map(|end| Fault::PassedBy {
            function: function(),
            offset: end.saturating_sub(start),
        })
        .collect()
}

impl Body<'_> {
    /// The instruction at an address.
    fn at(&self, address: u64) -> Option<&Instruction> {
        let at = self
            .instructions
            .binary_search_by_key(&address, Instruction::ip);
        self.instructions.get(at.ok()?)
    }

    /// Where the function can be left, on ways from `starts` that come through none of `sites`. `returns` tells whether a
    /// call does.
    fn ends_without(
        &self,
        starts: Vec<u64>,
        sites: &BTreeSet<u64>,
        returns: impl Fn(&Instruction) -> bool,
    ) -> impl Iterator<Item = u64> {
        let mut ends = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut ahead = starts;
        while let Some(address) = ahead.pop() {
            if sites.contains(&address) || !seen.insert(address) {
                continue;
            }
            // A jump to elsewhere is a way out as well.
            let Some(code) = self.at(address) else {
                ends.insert(address);
                continue;
            };
            match code.flow_control() {
                FlowControl::Return | FlowControl::IndirectBranch => drop(ends.insert(address)),
                FlowControl::Call if !returns(code) => {}
                FlowControl::Interrupt | FlowControl::Exception => {}
                FlowControl::UnconditionalBranch => ahead.push(code.near_branch_target()),
                _ => {
                    ahead.push(code.next_ip());
                    if is_jump(code) {
                        ahead.push(code.near_branch_target());
                    }
                }
            }
        }
        ends.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Function;

    const START: u64 = 0x40_1000;

    /// Where `code` can be left from its start without passing the instruction at `site`.
    fn ends(code: &[u8], site: u64) -> Vec<u64> {
        let function = Function {
            name: "f",
            address: VirtualAddress(START),
            size: u64::try_from(code.len()).unwrap(),
        };
        let sites = BTreeSet::from([START + site]);
        Body::decode(function, code)
            .ends_without(vec![START], &sites, |_| true)
            .map(|end| end - START)
            .collect()
    }

    #[test]
    fn a_place_on_every_way_is_passed() {
        // je +1; nop; push %rbp; ret
        assert!(ends(&[0x74, 1, 0x90, 0x55, 0xc3], 3).is_empty());
    }

    #[test]
    fn a_way_around_the_place_is_found() {
        // je +1; push %rbp; ret
        assert_eq!(ends(&[0x74, 1, 0x55, 0xc3], 2), [3]);
    }

    #[test]
    fn a_loop_ends_and_a_jump_elsewhere_is_a_way_out() {
        // jmp -2
        assert!(ends(&[0xeb, 0xfe], 9).is_empty());
        // jmp +0x10
        assert_eq!(ends(&[0xeb, 0x10], 9), [0x12]);
    }
}
