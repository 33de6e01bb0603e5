//! Page faults per stack, by what the memory is used for.
//!
//! The stack is that of the code which touched a page first. What is not in the runtime's arenas is placed by the mappings
//! of the process, which are read from outside every now and then: a fault at an address that is not known yet waits for
//! the next reading.

use super::StackMap;
use crate::decode::{Fault, SpanUse, StackId};
use crate::program::{Mapped, MappedKind};

/// Most distinct stacks that are kept apart.
const MAX_FAULT_STACKS: usize = 100_000;
/// Most faults that wait for a place: those of a tick at a rate that few programs have.
const MAX_WAITING: usize = 1 << 16;

/// What a page is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUse {
    /// Objects of the Go heap.
    Heap,
    /// Stacks of goroutines, and work buffers of the collector.
    Stack,
    /// The executable: code, constants, variables.
    Binary,
    /// Another mapped file.
    File,
    /// Anything else: the runtime's own tables, C's heap, stacks of threads.
    Other,
}

impl MemoryUse {
    /// All of them, in the order of [`FaultSums::by_use`].
    pub const ALL: [MemoryUse; 5] = [
        MemoryUse::Heap,
        MemoryUse::Stack,
        MemoryUse::Binary,
        MemoryUse::File,
        MemoryUse::Other,
    ];
}

/// Sums over page faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSums {
    /// Those that needed no device.
    pub minor: u64,
    /// Those that did.
    pub major: u64,
    /// Those of both kinds that a system call took.
    pub in_kernel: u64,
    /// All by what the memory is used for, as in [`MemoryUse::ALL`].
    pub by_use: [u64; MemoryUse::ALL.len()],
}

impl FaultSums {
    /// Faults of both kinds.
    pub fn all(&self) -> u64 {
        self.minor + self.major
    }

    /// Adds the sums of `other`.
    pub fn merge(&mut self, other: &FaultSums) {
        self.minor += other.minor;
        self.major += other.major;
        self.in_kernel += other.in_kernel;
        for (sum, part) in self.by_use.iter_mut().zip(other.by_use) {
            *sum += part;
        }
    }

    fn add(&mut self, fault: &Fault) {
        *if fault.major {
            &mut self.major
        } else {
            &mut self.minor
        } += 1;
        self.in_kernel += u64::from(fault.in_kernel);
    }

    fn place(&mut self, memory: MemoryUse) {
        if let Some(count) = self.by_use.get_mut(memory as usize) {
            *count += 1;
        }
    }
}

/// All page faults of a capture.
#[derive(Clone, Debug, Default)]
pub struct FaultTotals {
    /// Sums over all of them.
    pub sums: FaultSums,
    /// Sums per stack.
    pub stacks: StackMap<FaultSums>,
    /// Faults beyond the bound on stacks: in `sums`, at no stack.
    pub overflowed: u64,
    /// Those that wait for a place, and the addresses.
    waiting: Vec<(StackId, u64)>,
    /// What addresses are mapped to, in ascending order.
    mapped: Vec<Mapped>,
}

impl FaultTotals {
    /// Takes a fault of the stack `stack`.
    pub(super) fn add(&mut self, stack: StackId, fault: &Fault) {
        self.sums.add(fault);
        if self.stacks.len() >= MAX_FAULT_STACKS && !self.stacks.contains_key(&stack) {
            self.overflowed += 1;
        } else {
            self.stacks.entry(stack).or_default().add(fault);
        }
        let memory = match fault.span {
            Some(SpanUse::Heap) => Some(MemoryUse::Heap),
            Some(SpanUse::Stack) => Some(MemoryUse::Stack),
            None => self.use_of(fault.address),
        };
        match memory {
            Some(memory) => self.place(stack, memory),
            None if self.waiting.len() < MAX_WAITING => self.waiting.push((stack, fault.address)),
            None => self.place(stack, MemoryUse::Other),
        }
    }

    /// The same with other stacks in the place of these.
    pub fn renamed(self, mut name: impl FnMut(StackId) -> StackId) -> Self {
        let mut stacks: StackMap<FaultSums> = StackMap::default();
        for (stack, sums) in &self.stacks {
            stacks.entry(name(*stack)).or_default().merge(sums);
        }
        FaultTotals { stacks, ..self }
    }

    /// Whether a reading of the mappings would tell something.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes what addresses are mapped to now, in ascending order, and places what waits: what is not mapped any more is
    /// anything. Without any the process has exited, and what it had mapped before holds.
    pub(super) fn set_mapped(&mut self, mapped: Vec<Mapped>) {
        if !mapped.is_empty() {
            self.mapped = mapped;
        }
        for (stack, address) in std::mem::take(&mut self.waiting) {
            let memory = self.use_of(address).unwrap_or(MemoryUse::Other);
            self.place(stack, memory);
        }
    }

    fn place(&mut self, stack: StackId, memory: MemoryUse) {
        self.sums.place(memory);
        if let Some(sums) = self.stacks.get_mut(&stack) {
            sums.place(memory);
        }
    }

    fn use_of(&self, address: u64) -> Option<MemoryUse> {
        let behind = self.mapped.partition_point(|range| range.start <= address);
        let range = self.mapped.get(behind.checked_sub(1)?)?;
        (address < range.end).then_some(match range.kind {
            MappedKind::Binary => MemoryUse::Binary,
            MappedKind::File => MemoryUse::File,
            MappedKind::Anonymous => MemoryUse::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(address: u64, span: Option<SpanUse>) -> Fault {
        Fault {
            stack: StackId(1),
            address,
            major: false,
            in_kernel: false,
            span,
        }
    }

    fn range(start: u64, end: u64, kind: MappedKind) -> Mapped {
        Mapped { start, end, kind }
    }

    #[test]
    fn spans_are_placed_at_once_and_the_rest_by_the_mappings() {
        let mut totals = FaultTotals::default();
        totals.add(StackId(1), &fault(5000, Some(SpanUse::Heap)));
        totals.add(StackId(1), &fault(6000, Some(SpanUse::Stack)));
        assert!(!totals.has_waiting());
        for address in [100, 199, 200, 300, 99] {
            totals.add(StackId(2), &fault(address, None));
        }
        assert!(totals.has_waiting());
        assert_eq!(totals.sums.by_use, [1, 1, 0, 0, 0]);
        totals.set_mapped(vec![
            range(100, 200, MappedKind::Binary),
            range(200, 300, MappedKind::File),
        ]);
        assert_eq!(totals.sums.by_use, [1, 1, 2, 1, 2]);
        assert_eq!(totals.stacks[&StackId(2)].by_use, [0, 0, 2, 1, 2]);
        totals.add(StackId(2), &fault(250, None));
        assert_eq!(totals.sums.by_use, [1, 1, 2, 2, 2]);
        assert_eq!(totals.sums.all(), 8);
    }

    #[test]
    fn kinds_are_kept_apart() {
        let mut totals = FaultTotals::default();
        let plain = fault(1, Some(SpanUse::Heap));
        totals.add(StackId(1), &plain);
        totals.add(
            StackId(1),
            &Fault {
                major: true,
                in_kernel: true,
                ..plain
            },
        );
        let sums = totals.stacks[&StackId(1)];
        assert_eq!((sums.minor, sums.major, sums.in_kernel), (1, 1, 1));
    }
}
