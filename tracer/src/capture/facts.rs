//! What aggregation asks of the target's program, and the rules by which it reads records.

use super::prepared::Prepared;
use super::profiled::ProfiledStacks;
use crate::aggregate::{Aggregator, CodeFacts, GcRules, MapRules, Rounding, Rules, TypeFacts};
use crate::program::{ControllerLayout, GoBinary, LoadBias, RuntimePc};
use crate::symbolize::{is_runtime, package};
use std::cell::RefCell;
use std::sync::Arc;

/// The first Go 1.N that says why it stops the world (`stwReason` in `src/runtime/proc.go`).
const STW_REASONS: u16 = 21;

/// An empty aggregator for the records of this plan.
pub(super) fn aggregator(prepared: &Prepared) -> Aggregator {
    let Prepared {
        binary, bias, plan, ..
    } = prepared;
    let facts = || {
        Box::new(BinaryFacts {
            binary: Arc::clone(binary),
            bias: *bias,
            stacks: RefCell::new(ProfiledStacks::new(binary, *bias)),
        })
    };
    let rules = Rules {
        rows: plan.rows.iter().map(|row| row.pointers).collect(),
        headers: plan.headers,
    };
    let map_rules = MapRules {
        operations: plan.maps.rows.iter().map(|row| row.operation).collect(),
    };
    Aggregator::new(
        Rounding::new(rules, facts()),
        plan.yields,
        (map_rules, gc_rules(prepared)),
        facts(),
    )
}

fn gc_rules(prepared: &Prepared) -> GcRules {
    let minor = prepared.binary.go_version().minor;
    let rows = prepared.plan.gc.iter().flat_map(|plan| &plan.rows);
    GcRules {
        events: rows.map(|row| row.event).collect(),
        controller: Some(ControllerLayout::of(minor)),
        reasons: minor >= STW_REASONS,
    }
}

/// What aggregation asks of the binary.
struct BinaryFacts {
    binary: Arc<GoBinary>,
    bias: LoadBias,
    stacks: RefCell<ProfiledStacks>,
}

impl TypeFacts for BinaryFacts {
    fn has_pointers(&self, type_pointer: u64) -> Option<bool> {
        let address = self.bias.to_link_time(RuntimePc(type_pointer));
        Some(self.binary.types().read(address).ok()?.pointer_bytes != 0)
    }
}

impl CodeFacts for BinaryFacts {
    fn is_runtime(&self, pc: u64) -> bool {
        let address = self.bias.to_link_time(RuntimePc(pc));
        let function = self.binary.function_at(address);
        function.is_some_and(|function| is_runtime(&package(function.name)))
    }

    fn physical(&self, pcs: &[u64]) -> Vec<u64> {
        self.stacks.borrow_mut().of(pcs)
    }

    fn is_frameless(&self, pc: u64) -> bool {
        let address = self.bias.to_link_time(RuntimePc(pc));
        self.binary.frame_size_at(address) == Some(0)
    }
}
