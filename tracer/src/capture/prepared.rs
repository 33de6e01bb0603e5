//! A capture before its first probe: the process, its binary and the plan are known.

use super::error::CaptureError;
use super::heap::Outlook;
use super::request::Wanted;
use crate::plan::{self, Extras, ProbePlan};
use crate::program::{GoBinary, LoadBias, Process};
use crate::report::Target;
use std::sync::Arc;

/// What is known before anything is attached.
#[derive(Debug)]
pub struct Prepared {
    pub(super) process: Process,
    pub(super) binary: Arc<GoBinary>,
    pub(super) bias: LoadBias,
    pub(super) plan: ProbePlan,
    pub(super) heap: Outlook,
    /// Whether each allocation is recorded.
    pub(super) allocations: bool,
}

impl Prepared {
    /// Looks at the process and plans the probes for what is wanted. Needs the right to read the process, nothing else.
    ///
    /// # Errors
    /// The process is gone, is no Go program, or cannot be planned for.
    pub fn new(pid: i32, wanted: Wanted) -> Result<Self, CaptureError> {
        let process = Process::open(pid)?;
        let binary = Arc::new(process.binary()?);
        Prepared::of(process, binary, wanted)
    }

    /// The same, of a process whose binary is open.
    pub(super) fn of(
        process: Process,
        binary: Arc<GoBinary>,
        wanted: Wanted,
    ) -> Result<Self, CaptureError> {
        let bias = process.load_bias(&binary)?;
        let heap = Outlook::of(&process, &binary, bias, wanted.heap);
        let plan_for = |heap: &Outlook| {
            let extras = Extras {
                heap: heap.probes,
                ..wanted.extras
            };
            if wanted.allocations {
                plan::exact(&binary, extras)
            } else {
                plan::sampled(&binary, extras)
            }
        };
        let plan = plan_for(&heap)?;
        let (heap, plan) = match heap.without(wanted.heap, &plan.heap.skipped) {
            Some(heap) => (heap.clone(), plan_for(&heap)?),
            None => (heap, plan),
        };
        Ok(Prepared {
            process,
            binary,
            bias,
            plan,
            heap,
            allocations: wanted.allocations,
        })
    }

    /// The process, whose end the driver waits for.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What the process runs.
    pub fn binary(&self) -> &Arc<GoBinary> {
        &self.binary
    }

    /// The probes that would be attached.
    pub fn plan(&self) -> &ProbePlan {
        &self.plan
    }

    /// The traced process and its binary, for reports.
    pub fn target(&self) -> Target {
        let exe = self
            .process
            .exe_name()
            .map(|name| name.path.display().to_string())
            .unwrap_or_default();
        Target {
            pid: self.process.pid().unsigned_abs(),
            exe,
            build_id: self.binary.build_id().map(str::to_owned),
            go_version: self.binary.go_version().to_string(),
            arch: self.binary.arch().go_name().to_owned(),
            stripped: self.binary.is_stripped(),
            pie: self.binary.is_pie(),
            cgo: self.binary.is_cgo(),
            container: self.process.container_id(),
            memory_limit_bytes: self.process.memory_limit_bytes(),
        }
    }
}
