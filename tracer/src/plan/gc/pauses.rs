//! Where the runtime notes how long the world stood.
//!
//! From Go 1.22 on `startTheWorldWithSema` does so, for every pause. Before, the collector does it for its own, in functions
//! and closures of three names, and other pauses end when `startTheWorld` goes on. Hides that 1.19 has
//! `(*timeHistogram).record` inlined.

use super::{GcEvent, Search};
use crate::plan::code::instructions;
use crate::plan::site::argument_index;
use crate::program::{Function, VirtualAddress};
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind};
use tracer_common::cookie::ArgumentIndex;

/// The first Go 1.N whose `startTheWorldWithSema` notes how long the world stood.
const NOTES_ALL: u16 = 22;
const START: &str = "runtime.startTheWorldWithSema";
const NOTE: &str = "runtime.(*timeHistogram).record";
/// What the names of functions start with that note the collector's pauses up to Go 1.21.
const COLLECTOR: [&str; 3] = [
    "runtime.gcStart",
    "runtime.gcMarkDone",
    "runtime.gcMarkTermination",
];
/// The function that ends other pauses up to Go 1.21, in a closure of its own.
const START_OTHERS: &str = "runtime.startTheWorld.func";
/// Most functions and closures of these names that are searched; a runtime has a dozen.
const MAX_HOSTS: usize = 64;
/// `timeHistNumSubBuckets` of Go 1.19.
const SUB_BUCKETS: u64 = 16;

impl<'a> Search<'a> {
    /// Adds the ends of pauses.
    pub(super) fn pause_ends(&mut self) {
        let binary = self.binary;
        if binary.go_version().at_least(1, NOTES_ALL) {
            let hosts = self.function(START).into_iter().collect();
            return self.notes(hosts);
        }
        let hosts = COLLECTOR
            .iter()
            .flat_map(|name| binary.functions_with_prefix(name));
        self.notes(hosts.take(MAX_HOSTS).collect());
        let mut found = false;
        for host in binary.functions_with_prefix(START_OTHERS).take(MAX_HOSTS) {
            let code: Vec<Instruction> = instructions(binary, &host).collect();
            for pair in code.windows(2) {
                if let [call, behind] = pair
                    && self.calls(call, START)
                {
                    self.inside(&host, behind, GcEvent::Restart, ArgumentIndex::SECOND);
                    found = true;
                }
            }
        }
        if !found {
            self.skip("pauses that are not the collector's: their end was not found");
        }
    }

    /// Adds the places in `hosts` where the length of a pause is noted.
    fn notes(&mut self, hosts: Vec<Function<'a>>) {
        let mut found = false;
        for host in hosts {
            let code: Vec<Instruction> = instructions(self.binary, &host).collect();
            let calls = code.iter().filter(|code| self.calls(code, NOTE));
            let calls = calls.map(|call| (*call, ArgumentIndex::SECOND));
            let mut places: Vec<_> = calls.collect();
            if places.is_empty() {
                places = inlined(&code);
            }
            found |= !places.is_empty();
            for (place, length) in places {
                self.inside(&host, &place, GcEvent::PauseEnd, length);
            }
        }
        if !found {
            self.skip("how long pauses are: the place where that is noted was not found");
        }
    }

    /// Whether an instruction calls the function `name`.
    pub(super) fn calls(&self, instruction: &Instruction, name: &str) -> bool {
        let target = VirtualAddress(instruction.near_branch_target());
        let callee = || self.binary.function_at(target);
        instruction.mnemonic() == Mnemonic::Call
            && instruction.op0_kind() == OpKind::NearBranch64
            && callee().is_some_and(|callee| callee.name == name)
    }
}

/// The inlined copies of `record` in `code`, and where each has the length: branches on whether it is negative, and then,
/// if it is not, on whether it is less than [`SUB_BUCKETS`].
fn inlined(code: &[Instruction]) -> Vec<(Instruction, ArgumentIndex)> {
    let places = code.windows(3).filter_map(|three| {
        let [test, branch, next] = three else {
            return None;
        };
        let length = test.op0_register();
        let tests = test.mnemonic() == Mnemonic::Test
            && test.op1_register() == length
            && length.is_gpr64()
            && branch.flow_control() == FlowControl::ConditionalBranch;
        let go_on = match branch.mnemonic() {
            Mnemonic::Jge | Mnemonic::Jns => branch.near_branch_target(),
            Mnemonic::Jl | Mnemonic::Js => next.ip(),
            _ => return None,
        };
        let at = code.partition_point(|code| code.ip() < go_on);
        let mut there = code.get(at..)?.iter();
        let compare = there.find(|code| code.mnemonic() != Mnemonic::Nop)?;
        let compares = compare.mnemonic() == Mnemonic::Cmp
            && compare.op0_register() == length
            && compare.op1_kind() == OpKind::Immediate8to64
            && compare.immediate(1) == SUB_BUCKETS;
        let length = argument_index(length)?;
        (tests && compares).then_some((*branch, length))
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions, Register};

    fn found(code: &[u8]) -> Vec<(u64, ArgumentIndex)> {
        let decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
        let code: Vec<Instruction> = decoder.into_iter().collect();
        let found = inlined(&code).into_iter();
        found.map(|(place, length)| (place.ip(), length)).collect()
    }

    #[test]
    fn an_inlined_note_is_found_by_its_two_questions() {
        // test %rdx,%rdx; jge +2; xor %eax,%eax; cmp $0x10,%rdx
        let code = [
            0x48, 0x85, 0xd2, 0x7d, 2, 0x31, 0xc0, 0x48, 0x83, 0xfa, 0x10,
        ];
        let at = |register| [(0x1003, argument_index(register).unwrap())];
        assert_eq!(found(&code), at(Register::RDX));
        // test %rsi,%rsi; jl +5; nop; cmp $0x10,%rsi
        let code = [0x48, 0x85, 0xf6, 0x7c, 5, 0x90, 0x48, 0x83, 0xfe, 0x10];
        assert_eq!(found(&code), at(Register::RSI));
    }

    #[test]
    fn other_questions_are_none() {
        // The second one is about another register, another number, or there is none.
        for code in [
            &[0x48, 0x85, 0xd2, 0x7d, 0, 0x48, 0x83, 0xfe, 0x10][..],
            &[0x48, 0x85, 0xd2, 0x7d, 0, 0x48, 0x83, 0xfa, 0x11],
            &[0x48, 0x85, 0xd2, 0x7d, 0, 0x90],
            &[0x48, 0x85, 0xd2, 0x74, 0, 0x48, 0x83, 0xfa, 0x10],
            &[],
        ] {
            assert_eq!(found(code), [], "{code:x?}");
        }
    }
}
