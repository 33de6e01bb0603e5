//! From the stacks of Go's own profiles to those of a walk over frames.
//!
//! Hides how the runtime lists inlined calls: it stores a program counter of its own for each of them
//! (`src/runtime/traceback.go`, `tracebackPCs`; up to Go 1.20 `gentraceback`), where a walk finds one return address.

use super::pclntab::{Pclntab, Steps};
use super::{GoBinary, VirtualAddress};
use std::collections::HashMap;
use std::sync::Arc;

/// Deeper than the compiler inlines; a bound on trees that point in a circle.
const MAX_INLINED: usize = 64;

/// How many program counters are remembered; then all are forgotten at once. Programs have some thousand that allocate.
const MAX_REMEMBERED: usize = 1 << 16;

/// Turns stacks of the runtime's profiles into those of a walk over frames. Remembers what is inlined where.
#[derive(Debug)]
pub struct PhysicalStacks {
    binary: Arc<GoBinary>,
    /// For all stacks together.
    steps: Steps,
    /// By return address: see [`PhysicalStacks::callers_at`].
    callers: HashMap<u64, Box<[u64]>>,
}

impl PhysicalStacks {
    /// For stacks of a process that runs `binary`.
    #[must_use]
    pub fn new(binary: &Arc<GoBinary>) -> Self {
        PhysicalStacks {
            binary: Arc::clone(binary),
            steps: Steps::of_all(),
            callers: HashMap::new(),
        }
    }

    /// The return addresses on a stack, innermost first, out of those that the runtime has stored for its logical
    /// frames. All are link-time addresses. The innermost may be an instruction behind an inlined call, if the runtime
    /// has left out the frames inside of that.
    pub fn of(&mut self, pcs: &[u64]) -> Vec<u64> {
        let mut rest = pcs;
        let mut physical = Vec::new();
        while let Some((pc, outer)) = rest.split_first() {
            physical.push(*pc);
            rest = outer;
            for virtual_pc in self.callers_at(*pc) {
                // The runtime leaves out the wrappers that the compiler has made around methods.
                if let Some((next, outer)) = rest.split_first()
                    && next == virtual_pc
                {
                    rest = outer;
                }
            }
        }
        physical
    }

    /// The program counters that the runtime makes up for the functions into which the call before `return_address` is
    /// inlined, innermost first: those behind the first byte of an instruction of theirs. No call ends there.
    fn callers_at(&mut self, return_address: u64) -> &[u64] {
        if self.callers.len() == MAX_REMEMBERED && !self.callers.contains_key(&return_address) {
            self.callers.clear();
        }
        let (binary, steps) = (&self.binary, &mut self.steps);
        self.callers
            .entry(return_address)
            .or_insert_with(|| find_callers(binary.pclntab(), return_address, steps).into())
    }
}

fn find_callers(table: Option<Pclntab<'_>>, return_address: u64, steps: &mut Steps) -> Vec<u64> {
    let mut callers = Vec::new();
    let mut pc = return_address.wrapping_sub(1);
    let Some(function) = table.and_then(|table| table.function(VirtualAddress(pc))) else {
        return callers;
    };
    while callers.len() < MAX_INLINED
        && let Some(index) = function.inlined_at(pc, steps)
        && let Some(call) = function.inlined_call(index)
    {
        pc = call.parent_pc;
        callers.push(pc.wrapping_add(1));
    }
    callers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fixture::{END, Fixture, MALLOC, MemoryFile, OUTER};

    fn check(pcs: &[u64], expected: &[u64]) {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let binary = GoBinary::open(&MemoryFile::new(&fixture.build().bytes).path()).unwrap();
            let mut stacks = PhysicalStacks::new(&Arc::new(binary));
            assert_eq!(stacks.of(pcs), expected, "{version}");
            // What is remembered says the same.
            assert_eq!(stacks.of(pcs), expected, "{version}");
        }
    }

    /// Return address of a call in `main.inner`, which is inlined into `main.outer`.
    const IN_INNER: u64 = OUTER + 12;
    /// What the runtime stores for `main.outer` then: its instruction is at 4.
    const ITS_CALLER: u64 = OUTER + 5;
    /// Return address of a call in `main.outer` itself.
    const IN_OUTER: u64 = OUTER + 20;

    #[test]
    fn an_inlined_call_has_one_return_address_with_its_caller() {
        check(&[IN_INNER, ITS_CALLER, IN_OUTER], &[IN_INNER, IN_OUTER]);
        let twice = [IN_INNER, ITS_CALLER, IN_INNER, ITS_CALLER];
        check(&twice, &[IN_INNER, IN_INNER]);
    }

    #[test]
    fn what_the_runtime_has_left_out_is_not_missed() {
        check(&[ITS_CALLER, IN_OUTER], &[ITS_CALLER, IN_OUTER]);
        check(&[IN_INNER, IN_OUTER], &[IN_INNER, IN_OUTER]);
        check(&[MALLOC + 9], &[MALLOC + 9]);
        check(&[], &[]);
    }

    #[test]
    fn addresses_outside_the_code_stay_as_they_are() {
        let outside = [0, 1, END + 1, u64::MAX];
        check(&outside, &outside);
    }
}
