//! The probes on the garbage collector: its cycles, the pauses of the world, mark assists, calls of `runtime.GC`.
//!
//! Hides the names of the runtime's functions, and which instruction of each knows what: besides places behind a stack
//! check these are calls and branches in the middle, which the kernel emulates as well. Source: `src/runtime/mgc.go`,
//! `mgcmark.go`, `mgcpacer.go`, `proc.go`.

mod pauses;

use super::code::{instructions, site_at};
use super::{Place, Site, place};
use crate::program::{FileOffset, Function, GoBinary, VirtualAddress};
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};
use tracer_common::cookie::{ArgumentIndex, GcWords};

/// Most probes; a runtime has a dozen.
const MAX_ROWS: usize = 64;
/// `gcAssistTimeSlack` of `src/runtime/mgcpacer.go`, nanoseconds, the same in every version.
const ASSIST_TIME_SLACK: u64 = 5000;

const START_CYCLE: &str = "runtime.(*gcControllerState).startCycle";
const RESET_LIVE: &str = "runtime.(*gcControllerState).resetLive";
/// What calls it.
const MARK: &str = "runtime.gcMark";
const STOP: &str = "runtime.stopTheWorldWithSema";
const COLLECT: &str = "runtime.GC";
const ASSIST: &str = "runtime.gcAssistAlloc1";

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
    /// Where the event finds its second argument.
    pub second: ArgumentIndex,
}

/// What happens at a probe on the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcEvent {
    /// `(*gcControllerState).startCycle`: a cycle starts, the world is stopped. Arguments: `gcController`, the time, the
    /// number of processors, the kind of the trigger (0 the heap's size, 1 the time, 2 a call of `runtime.GC`).
    CycleStart,
    /// `(*gcControllerState).resetLive` is called: all is marked, the world is stopped. Arguments: `gcController`, bytes marked.
    Marked,
    /// `stopTheWorldWithSema` is called. Argument: the reason, from Go 1.21 on (`stwReason`).
    PauseStart,
    /// The runtime notes how long the world stood, by `(*timeHistogram).record`: from Go 1.22 on any pause, up to 1.21 the
    /// collector's only. The second argument is the length in nanoseconds as it is added to `PauseTotalNs`.
    PauseEnd,
    /// `startTheWorldWithSema` has returned to `startTheWorld`, up to Go 1.21: the end of the pauses that the runtime does
    /// not note. The first argument, in fact its result, is the time at which the world ran.
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
    search.marked();
    search.behind_check(STOP, GcEvent::PauseStart);
    search.pause_ends();
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
                second: ArgumentIndex::SECOND,
            }),
            Err(error) => {
                log::debug!("{name}: {error}");
                self.skip(&format!("{name}, which has no place for a probe"));
            }
        }
    }

    /// Adds the end of the mark: before `resetLive` has changed anything, so its call where Go 1.19 has no cheap place in it
    /// that early.
    fn marked(&mut self) {
        let binary = self.binary;
        let early = binary.function(RESET_LIVE).is_some_and(|function| {
            let place = place(binary, &function, GcEvent::Marked.registers());
            place.is_ok_and(|place| !place.site.frame_set_up)
        });
        let caller = binary.function(MARK).filter(|_| !early);
        let call = caller.and_then(|caller| {
            let mut code = instructions(binary, &caller);
            Some((caller, code.find(|code| self.calls(code, RESET_LIVE))?))
        });
        match call {
            Some((caller, call)) => {
                self.inside(&caller, &call, GcEvent::Marked, ArgumentIndex::SECOND)
            }
            None => self.behind_check(RESET_LIVE, GcEvent::Marked),
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
                branch = Some(instruction);
                break;
            }
            compared = compares_with_slack(&instruction);
        }
        match branch {
            Some(branch) => self.inside(
                &function,
                &branch,
                GcEvent::AssistEnd,
                ArgumentIndex::SECOND,
            ),
            None => self.skip("how long mark assists take: their end was not found"),
        }
    }

    /// Adds an instruction in the middle of a function.
    fn inside(
        &mut self,
        function: &Function<'_>,
        instruction: &Instruction,
        event: GcEvent,
        second: ArgumentIndex,
    ) {
        if self.plan.rows.len() >= MAX_ROWS {
            return self.skip("some places: there are too many");
        }
        let address = VirtualAddress(instruction.ip());
        let Some(offset) = self.binary.file_offset(address) else {
            return self.skip(&format!("{}, which has no code", function.name));
        };
        self.plan.rows.push(GcRow {
            function: function.name.to_owned(),
            address: function.address,
            offset,
            site: site_at(function, instruction),
            event,
            second,
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
