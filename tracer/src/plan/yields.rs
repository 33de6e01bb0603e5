//! Places behind which a goroutine may be at another P than where its allocation was recorded.
//!
//! Between the probe and the tiny allocator the runtime may yield: in a mark assist, or in the stack check of a function
//! on the way. It goes on behind the call of `gcAssistAlloc`, or of `morestack`: an instruction that runs then only.
//! Source: `src/runtime/malloc.go`; `malloc_stubs.go` from 1.26. Arena chunks (`GOEXPERIMENT=arenas`) assist as well,
//! without an allocation of their own: there a block may be counted wrong.

use super::leaves::ALLOCATOR_PREFIX;
use super::{PlanRow, Pointers};
use crate::program::{FileOffset, Function, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind};
use std::collections::BTreeMap;

/// Bytes of a function to search; the longest seen, `mallocgc` of a profile-guided 1.27 build, has 4,985.
const SEARCHED_BYTES: usize = 16_384;
const ASSIST: &str = "runtime.gcAssistAlloc";
/// Assists if the goroutine has used up its credit.
const DEDUCT: &str = "runtime.deductAssistCredit";
const MORE_STACK: &str = "runtime.morestack";
/// The tiny allocator of size-specialised functions while the collector marks.
const TINY_SLOW_PATH: &str = "runtime.mallocgcTinySlowPath";

/// A place where a goroutine goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YieldPoint {
    /// The function it is in.
    pub function: String,
    /// Where the function starts.
    pub start: VirtualAddress,
    /// The instruction where it goes on.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The function whose call is before it.
    pub behind: String,
}

/// What it means that a goroutine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// It never does, between a probe and the tiny allocator.
    Never,
    /// It is on its way from a probe to the allocation.
    AfterProbe,
    /// It is on its way from this row, a dispatcher, to an allocation that the row counts, or to another row.
    BeforeDispatch(u8),
}

/// Finds the places behind the probes of `rows`.
pub(super) fn find(binary: &GoBinary, rows: &[PlanRow]) -> (Vec<YieldPoint>, Yields) {
    let mut search = Search {
        binary,
        points: BTreeMap::new(),
    };
    let mut dispatcher = None;
    for (number, row) in (0..=u8::MAX).zip(rows) {
        let Some(host) = binary.function(&row.function) else {
            continue;
        };
        match (row.pointers, row.dispatch) {
            // Other allocations come through `deductAssistCredit` as well, but not to behind this call of it.
            (Pointers::Tiny, _) => search.behind(&host, &[ASSIST, DEDUCT]),
            (Pointers::ByType, None) => {
                search.behind(&host, &[ASSIST]);
                search.within(&host, DEDUCT);
            }
            // Specialised functions are called before the dispatcher assists.
            (Pointers::ByType, Some(dispatch)) if !dispatch.specialised => {
                search.within(&host, DEDUCT);
                dispatcher = Some(number);
            }
            _ => {}
        }
        if matches!(row.pointers, Pointers::Tiny | Pointers::ByType) {
            search.within(&host, TINY_SLOW_PATH);
        }
    }
    let points: Vec<YieldPoint> = search.points.into_values().collect();
    let yields = match dispatcher {
        _ if points.is_empty() => Yields::Never,
        None => Yields::AfterProbe,
        Some(row) => Yields::BeforeDispatch(row),
    };
    (points, yields)
}

struct Search<'a> {
    binary: &'a GoBinary,
    points: BTreeMap<VirtualAddress, YieldPoint>,
}

impl Search<'_> {
    /// Adds the places in `callee`, if `host` calls it.
    fn within(&mut self, host: &Function<'_>, callee: &str) {
        let calls = self.calls(host);
        if calls.iter().any(|call| call.callee == callee)
            && let Some(callee) = self.binary.function(callee)
        {
            self.behind(&callee, &[ASSIST, MORE_STACK]);
        }
    }

    /// Adds the places in `host` behind calls of functions whose names start with one of `callees`.
    fn behind(&mut self, host: &Function<'_>, callees: &[&str]) {
        for call in self.calls(host) {
            if !callees.iter().any(|callee| call.callee.starts_with(callee)) {
                continue;
            }
            let Some(offset) = self.binary.file_offset(call.behind) else {
                continue;
            };
            let point = YieldPoint {
                function: host.name.to_owned(),
                start: host.address,
                address: call.behind,
                offset,
                behind: call.callee,
            };
            self.points.insert(call.behind, point);
        }
    }

    fn calls(&self, host: &Function<'_>) -> Vec<Call> {
        let len =
            usize::try_from(host.size).map_or(SEARCHED_BYTES, |size| size.min(SEARCHED_BYTES));
        let code = self.binary.code(host.address, len).unwrap_or_default();
        direct_calls(code, host.address)
            .filter_map(|(callee, behind)| {
                let callee = self.binary.function_at(callee)?;
                let relevant = callee.name.starts_with(ALLOCATOR_PREFIX)
                    || [ASSIST, DEDUCT, MORE_STACK]
                        .iter()
                        .any(|name| callee.name.starts_with(name));
                relevant.then(|| Call {
                    callee: callee.name.to_owned(),
                    behind,
                })
            })
            .collect()
    }
}

struct Call {
    callee: String,
    /// Where it returns to.
    behind: VirtualAddress,
}

/// Where each direct call of the code goes, and where it returns to.
fn direct_calls(
    code: &[u8],
    address: VirtualAddress,
) -> impl Iterator<Item = (VirtualAddress, VirtualAddress)> {
    let instructions = Decoder::with_ip(64, code, address.0, DecoderOptions::NONE).into_iter();
    instructions
        .filter(|instruction| {
            instruction.mnemonic() == Mnemonic::Call
                && instruction.op0_kind() == OpKind::NearBranch64
        })
        .map(|call| {
            (
                VirtualAddress(call.near_branch_target()),
                VirtualAddress(call.next_ip()),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_with_their_return_address() {
        // push %rbp; call +0x10; call *%rax; nop
        let code = [0x55, 0xe8, 0x10, 0, 0, 0, 0xff, 0xd0, 0x90];
        let calls: Vec<_> = direct_calls(&code, VirtualAddress(0x1000)).collect();
        assert_eq!(calls, [(VirtualAddress(0x1016), VirtualAddress(0x1006))]);
    }
}
