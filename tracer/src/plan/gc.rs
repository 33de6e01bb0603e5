//! The probes on the garbage collector: its cycles, the pauses of the world, mark assists, calls of `runtime.GC`.
//!
//! Hides the names of the runtime's functions, and which instruction of each knows what: besides places behind a stack
//! check these are calls and branches in the middle, which the kernel emulates as well. Source: `src/runtime/mgc.go`,
//! `mgcmark.go`, `mgcpacer.go`, `proc.go`.

use super::site::CostClass;
use super::{Place, Site, place};
use crate::target::{FileOffset, Function, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use tracer_common::config::GcWords;

/// Bytes of a function to search; the longest, `startTheWorldWithSema` with race detector, has 1,600.
const SEARCHED_BYTES: usize = 8192;
/// `gcAssistTimeSlack` of `src/runtime/mgcpacer.go`, nanoseconds, the same in every version.
const ASSIST_TIME_SLACK: u64 = 5000;
/// The first Go 1.N whose `startTheWorldWithSema` notes how long the world stood.
const NOTED: u16 = 22;

const START_CYCLE: &str = "runtime.(*gcControllerState).startCycle";
const RESET_LIVE: &str = "runtime.(*gcControllerState).resetLive";
const STOP: &str = "runtime.stopTheWorldWithSema";
const START: &str = "runtime.startTheWorldWithSema";
const COLLECT: &str = "runtime.GC";
const ASSIST: &str = "runtime.gcAssistAlloc1";
const NOTE: &str = "runtime.(*timeHistogram).record";
const WAKE: &str = "runtime.wakep";

/// Every probe on the collector.
#[derive(Clone, Debug, Default)]
pub struct GcPlan {
    /// One row for each probe; the position is the row number on the wire.
    pub rows: Vec<GcRow>,
    /// What the probes do not see, each in words.
    pub skipped: Vec<String>,
}

/// One probe on the collector.
#[derive(Clone, Debug)]
pub struct GcRow {
    /// Name of the function.
    pub function: String,
    /// Where it starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// What happens there.
    pub event: GcEvent,
}

/// What happens at a probe on the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcEvent {
    /// `(*gcControllerState).startCycle`: a cycle starts, the world is stopped. Arguments: `gcController`, the time, the
    /// number of processors, the kind of the trigger (0 the heap's size, 1 the time, 2 a call of `runtime.GC`).
    CycleStart,
    /// `(*gcControllerState).resetLive`: all is marked, the world is stopped. Arguments: `gcController`, bytes marked.
    Marked,
    /// `stopTheWorldWithSema` is called. Argument: the reason, from Go 1.21 on (`stwReason`).
    PauseStart,
    /// `startTheWorldWithSema` calls `(*timeHistogram).record`, from Go 1.22 on: the second argument is how long the world
    /// stood, in nanoseconds, as it is added to `PauseTotalNs`.
    PauseEnd,
    /// `startTheWorldWithSema` calls `wakep`, up to Go 1.21: the world runs. On top of the stack is still the result of
    /// `nanotime1`, the time until which the runtime counts the pause, unless it is traced and has called others since.
    Restart,
    /// `runtime.GC` is called.
    Call,
    /// `gcAssistAlloc1` begins to assist, on the system stack.
    AssistStart,
    /// It has done so: the branch on whether enough time has come together to be added up, which every assist passes
    /// that did something.
    AssistEnd,
}

impl GcEvent {
    /// Whether the probe records a mark assist, and nothing else.
    pub fn is_assist(self) -> bool {
        matches!(self, GcEvent::AssistStart | GcEvent::AssistEnd)
    }

    /// Which memory tells more.
    pub fn words(self) -> GcWords {
        match self {
            GcEvent::CycleStart | GcEvent::Marked => GcWords::Argument,
            GcEvent::Restart => GcWords::Stack,
            _ => GcWords::None,
        }
    }

    /// Whether it matters who calls.
    pub fn has_stack(self) -> bool {
        matches!(self, GcEvent::Call | GcEvent::AssistStart)
    }

    /// Registers that must still hold what the function was called with.
    pub(super) fn registers(self) -> &'static [Register] {
        match self {
            GcEvent::CycleStart => &[Register::RAX, Register::RDI],
            GcEvent::Marked => &[Register::RAX, Register::RBX],
            GcEvent::PauseStart => &[Register::RAX],
            _ => &[],
        }
    }
}

/// Finds the probes.
pub(super) fn plan(binary: &GoBinary) -> GcPlan {
    let mut search = Search {
        binary,
        plan: GcPlan::default(),
    };
    search.behind_check(START_CYCLE, GcEvent::CycleStart);
    search.behind_check(RESET_LIVE, GcEvent::Marked);
    search.behind_check(STOP, GcEvent::PauseStart);
    if binary.go_version().at_least(1, NOTED) {
        search.at_calls(START, NOTE, GcEvent::PauseEnd);
    } else {
        search.at_calls(START, WAKE, GcEvent::Restart);
    }
    // A program that never calls it does not have it.
    if binary.function(COLLECT).is_some() {
        search.behind_check(COLLECT, GcEvent::Call);
    }
    search.behind_check(ASSIST, GcEvent::AssistStart);
    search.at_assist_end();
    for skipped in &search.plan.skipped {
        log::warn!("no probe sees {skipped}");
    }
    search.plan
}

struct Search<'a> {
    binary: &'a GoBinary,
    plan: GcPlan,
}

impl<'a> Search<'a> {
    /// Adds the first good place behind the stack check of a function.
    fn behind_check(&mut self, name: &str, event: GcEvent) {
        let Some(function) = self.function(name) else {
            return;
        };
        match place(self.binary, &function, event.registers()) {
            Ok(Place { offset, site }) => self.plan.rows.push(GcRow {
                function: name.to_owned(),
                address: function.address,
                offset,
                site,
                event,
            }),
            Err(error) => {
                log::debug!("{name}: {error}");
                self.skip(&format!("{name}, which has no place for a probe"));
            }
        }
    }

    /// Adds every call of `callee` in a function.
    fn at_calls(&mut self, name: &str, callee: &str, event: GcEvent) {
        let Some(function) = self.function(name) else {
            return;
        };
        let binary = self.binary;
        let calls = |instruction: &Instruction| {
            let target = VirtualAddress(instruction.near_branch_target());
            instruction.mnemonic() == Mnemonic::Call
                && instruction.op0_kind() == OpKind::NearBranch64
                && binary
                    .function_at(target)
                    .is_some_and(|found| found.name == callee)
        };
        let places: Vec<u64> = instructions(binary, &function)
            .filter(calls)
            .map(|call| call.ip())
            .collect();
        if places.is_empty() {
            self.skip(&format!("the end of pauses: {name} does not call {callee}"));
        }
        for place in places {
            self.inside(
                &function,
                place,
                event,
                "call",
                "a call, which the kernel emulates",
            );
        }
    }

    /// Adds the branch behind the comparison with [`ASSIST_TIME_SLACK`].
    fn at_assist_end(&mut self) {
        let Some(function) = self.function(ASSIST) else {
            return;
        };
        let mut compared = false;
        let mut branch = None;
        for instruction in instructions(self.binary, &function) {
            if compared && instruction.flow_control() == FlowControl::ConditionalBranch {
                branch = Some(instruction.ip());
                break;
            }
            compared = compares_with_slack(&instruction);
        }
        match branch {
            Some(place) => self.inside(
                &function,
                place,
                GcEvent::AssistEnd,
                "branch",
                "a branch, which the kernel emulates",
            ),
            None => self.skip("how long mark assists take: their end was not found"),
        }
    }

    /// Adds an instruction in the middle of a function.
    fn inside(
        &mut self,
        function: &Function<'_>,
        place: u64,
        event: GcEvent,
        instruction: &str,
        reason: &'static str,
    ) {
        let address = VirtualAddress(place);
        let Some(offset) = self.binary.file_offset(address) else {
            return self.skip(&format!("{}, which has no code", function.name));
        };
        self.plan.rows.push(GcRow {
            function: function.name.to_owned(),
            address: function.address,
            offset,
            site: Site {
                address,
                offset: place.saturating_sub(function.address.0),
                instruction: instruction.to_owned(),
                cost: CostClass::Emulated,
                frame_set_up: true,
                reason,
            },
            event,
        });
    }

    fn function(&mut self, name: &str) -> Option<Function<'a>> {
        let function = self.binary.function(name);
        if function.is_none() {
            self.skip(&format!("{name}, which the binary does not have"));
        }
        function
    }

    fn skip(&mut self, what: &str) {
        self.plan.skipped.push(what.to_owned());
    }
}

/// `cmp $5000,register` or `cmp $5000,memory`.
fn compares_with_slack(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Cmp
        && matches!(
            instruction.op1_kind(),
            OpKind::Immediate32to64 | OpKind::Immediate32
        )
        && instruction.immediate(1) == ASSIST_TIME_SLACK
}

/// The code of a function.
fn instructions<'a>(
    binary: &'a GoBinary,
    function: &Function<'_>,
) -> impl Iterator<Item = Instruction> + 'a {
    let len =
        usize::try_from(function.size).map_or(SEARCHED_BYTES, |size| size.min(SEARCHED_BYTES));
    let code = binary.code(function.address, len).unwrap_or_default();
    let mut decoder = Decoder::with_ip(64, code, function.address.0, DecoderOptions::NONE);
    std::iter::from_fn(move || decoder.can_decode().then(|| decoder.decode()))
}
