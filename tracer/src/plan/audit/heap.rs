//! Checks the probes that sample the heap, and what their programs read of spans and specials.

use super::{Body, Fault, check};
use crate::plan::heap::{HeapEvent, HeapLayout, HeapPlan, HeapRow, uncaches};
use crate::plan::site::TWO_ARGUMENTS;
use crate::program::GoBinary;
use iced_x86::{Instruction, OpKind};

/// What contradicts the plan's part about the heap.
pub(super) fn faults(binary: &GoBinary, plan: &HeapPlan) -> Vec<Fault> {
    let skipped = plan.skipped.iter().cloned().map(Fault::NotSeen);
    let mut faults: Vec<Fault> = skipped.collect();
    let table = HeapLayout::of_version(binary.go_version().minor);
    for row in &plan.rows {
        if row.event == HeapEvent::Uncache {
            if !is_at_call(binary, row) {
                faults.push(Fault::NotAnInstruction {
                    function: row.function.clone(),
                });
            }
            continue;
        }
        let body = check(binary, &row.function, &row.site, TWO_ARGUMENTS, &mut faults);
        let Some(body) = body.filter(|_| row.event == HeapEvent::Refill) else {
            continue;
        };
        // It reads what the program reads.
        let used = [
            ("mcache.alloc", table.mcache_alloc, 8),
            ("mspan.allocCount", table.span_alloc_count, 2),
            ("mspan.allocCountBeforeCache", table.span_count_before, 2),
            ("mspan.elemsize", table.span_elemsize, 8),
        ];
        let missing = used
            .into_iter()
            .filter(|(_, offset, size)| !body.touches(*offset, *size));
        faults.extend(missing.map(|(field, offset, _)| Fault::NotUsed {
            function: row.function.clone(),
            field,
            offset,
        }));
    }
    let code = (plan.layout.special_kind, plan.layout.special_profile);
    let known = (table.special_kind, table.special_profile);
    if code != known {
        faults.push(Fault::Special { known, code });
    }
    faults
}

/// Whether the one call of `uncacheSpan` is probed.
fn is_at_call(binary: &GoBinary, row: &HeapRow) -> bool {
    let body = binary
        .function(&row.function)
        .and_then(|function| Body::read(binary, function));
    let calls = body.iter().flat_map(|body| &body.instructions);
    let calls = calls.filter(|code| uncaches(binary, code));
    calls.map(Instruction::ip).eq([row.site.address.0])
}

impl Body<'_> {
    /// Whether an instruction accesses so many bytes at this offset.
    fn touches(&self, offset: u64, size: usize) -> bool {
        let is_memory = |code: &Instruction| {
            (0..code.op_count()).any(|operand| code.op_kind(operand) == OpKind::Memory)
        };
        self.instructions.iter().any(|code| {
            is_memory(code)
                && code.memory_displacement64() == offset
                && code.memory_size().size() == size
        })
    }
}
