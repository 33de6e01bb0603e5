//! A capture before its first probe: the process, its binary and the plan are known.

use super::context::Context;
use super::events::Watch;
use super::feed::Feed;
use super::heap::{HeapAsked, Outlook};
use super::{Mode, Request, Session, SessionError, lock};
use crate::aggregate::{Aggregator, CodeFacts, GcRules, MapRules, Rounding, Rules, TypeFacts};
use crate::collect::{Collector, Remote, tap};
use crate::governor::{Governor, Terms};
use crate::kernel::{self, Anchors, Attached, Extra, Settings};
use crate::plan::{self, Extras, HeapProbes, MapProbes, ProbePlan};
use crate::program::{
    ControllerLayout, GoBinary, HeapCounter, LoadBias, PhysicalStacks, Process, RuntimePc,
    VirtualAddress,
};
use crate::report::Target;
use crate::symbolize::{Symbolizer, is_runtime, package};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// The first Go 1.N that says why it stops the world (`stwReason` in `src/runtime/proc.go`).
const STW_REASONS: u16 = 21;

/// The profiler's rate below which its samples are no longer rare: its default is 512 KiB.
const FREQUENT_SAMPLES: u64 = 16 << 10;

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

/// What is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Each allocation.
    pub allocations: bool,
    /// What else, but for the heap.
    pub extras: Extras,
    /// Of the heap.
    pub heap: HeapAsked,
}

impl Wanted {
    /// Everything that can be recorded.
    pub(crate) const ALL: Wanted = Wanted {
        allocations: true,
        extras: Extras::ALL,
        heap: HeapAsked::Live,
    };

    /// Nothing: the target is only looked at.
    pub const NOTHING: Wanted = Wanted {
        allocations: false,
        extras: Extras::NONE,
        heap: HeapAsked::Nothing,
    };
}

impl Prepared {
    /// Looks at the process and plans the probes for what is wanted. Needs the right to read the process, nothing else.
    ///
    /// # Errors
    /// The process is gone, is no Go program, or cannot be planned for.
    pub fn new(pid: i32, wanted: Wanted) -> Result<Self, SessionError> {
        let process = Process::open(pid)?;
        let binary = Arc::new(process.binary()?);
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

    /// Attaches the probes and starts to record.
    ///
    /// # Errors
    /// The kernel refuses, or the target exits meanwhile; nothing stays attached then.
    pub fn start(mut self, request: &Request) -> Result<Session, SessionError> {
        if request.mode == Mode::Sampled {
            self.warn_of_frequent_samples();
        }
        // Before the probes, so that an early Ctrl-C ends the capture in order.
        let watch = Watch::new(&self.process).map_err(SessionError::Events)?;
        let settings = Settings {
            min_size: request.min_size,
            stack_depth: request.stack_depth,
            timestamps: request.singles,
            ring_bytes: request.ring_bytes,
            rings: request.rings,
            verbose: request.verbose,
            anchors: Anchors::of(&self.process, &self.binary, self.bias, &self.plan),
        };
        let (mut attached, source) = kernel::attach(&self.process, &self.plan, &settings)?;
        self.plan.faults &= attached.has_faults();
        let (tap, spout) = request.singles.then(tap).unzip();
        let collector =
            Collector::start(source, self.aggregator(), tap).map_err(SessionError::Thread)?;
        if self.plan.faults {
            let mapped = self.process.mapped(&self.binary);
            collector.set_mapped(mapped.unwrap_or_default())?;
        }
        attached.start()?;
        let hit_cost = attached.hit_cost();
        let attached = Arc::new(Mutex::new(attached));
        let governor = self.governor(request.mode, &attached, collector.remote())?;
        let mode = match governor {
            None if self.allocations => Mode::Exact,
            _ => request.mode,
        };
        let symbolizer = Symbolizer::new(Arc::clone(&self.binary), self.bias);
        let context = Context::new(self, mode, hit_cost);
        let start_ns = context.start_monotonic_ns;
        Ok(Session {
            context,
            feed: spout.map(|spout| Feed::new(spout, symbolizer, start_ns)),
            attached,
            governor,
            collector,
            events: watch.started(request.duration, request.interval),
        })
    }

    /// The governor of `--mode auto`; none if it cannot see what it needs, which is the case if the target is gone.
    fn governor(
        &self,
        mode: Mode,
        attached: &Arc<Mutex<Attached>>,
        collector: Remote,
    ) -> Result<Option<Governor>, SessionError> {
        let Mode::Auto { max_overhead } = mode else {
            return Ok(None);
        };
        let hit_cost = lock(attached).hit_cost();
        let heap = HeapCounter::start(&self.process, self.bias, self.plan.total_alloc);
        let (Some(hit_cost), Some(heap)) = (hit_cost, heap) else {
            log::warn!("cannot keep a budget here: tracing is exact, whatever it costs");
            return Ok(None);
        };
        let rows = self.plan.rows.iter();
        let terms = Terms {
            max_overhead,
            hit_cost,
            heap,
            probed: rows
                .map(|row| self.bias.to_runtime(row.site.address))
                .collect(),
            extras: self.extras(),
        };
        Governor::start(&self.process, Arc::clone(attached), collector, terms)
            .map_err(SessionError::Thread)
    }

    fn warn_of_frequent_samples(&self) {
        let rate = self.heap.scale_rate.filter(|rate| *rate < FREQUENT_SAMPLES);
        if let Some(rate) = rate.filter(|_| self.heap.probes == HeapProbes::Profiler) {
            log::warn!(
                "about one allocation in {rate} bytes is sampled, as the target has set MemProfileRate: that costs the target more than the default of one in 524288"
            );
        }
    }

    fn aggregator(&self) -> Aggregator {
        let facts = || {
            Box::new(BinaryFacts {
                binary: Arc::clone(&self.binary),
                bias: self.bias,
                stacks: RefCell::new(ProfiledStacks::new(&self.binary, self.bias)),
            })
        };
        let rules = Rules {
            rows: self.plan.rows.iter().map(|row| row.pointers).collect(),
            headers: self.plan.headers,
        };
        let map_rows = self.plan.maps.rows.iter();
        Aggregator::new(
            Rounding::new(rules, facts()),
            self.plan.yields,
            (
                MapRules {
                    operations: map_rows.map(|row| row.operation).collect(),
                },
                self.gc_rules(),
            ),
            facts(),
        )
    }
}

impl Prepared {
    /// What is recorded besides allocations and may be given up.
    fn extras(&self) -> Vec<Extra> {
        let maps = match self.plan.maps.probes {
            MapProbes::Off => &[][..],
            MapProbes::Growth => &[Extra::MapGrowths],
            MapProbes::Writes => &[Extra::MapWrites, Extra::MapGrowths],
        };
        let faults = self.plan.faults.then_some(Extra::Faults);
        let assists = self.plan.gc.as_ref().map(|_| Extra::Assists);
        let live = (!self.plan.heap.rows.is_empty()).then_some(Extra::Live);
        let maps = maps.iter().copied();
        maps.chain(faults).chain(assists).chain(live).collect()
    }

    fn gc_rules(&self) -> GcRules {
        let minor = self.binary.go_version().minor;
        let rows = self.plan.gc.iter().flat_map(|plan| &plan.rows);
        GcRules {
            events: rows.map(|row| row.event).collect(),
            controller: Some(ControllerLayout::of(minor)),
            reasons: minor >= STW_REASONS,
        }
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

/// Turns stacks of the runtime's heap profile into stacks as the kernel programs walk them, for one capture.
#[derive(Debug)]
pub(super) struct ProfiledStacks {
    bias: LoadBias,
    stacks: PhysicalStacks,
}

impl ProfiledStacks {
    pub(super) fn new(binary: &Arc<GoBinary>, bias: LoadBias) -> Self {
        ProfiledStacks {
            bias,
            stacks: PhysicalStacks::new(binary),
        }
    }

    /// The call that a stack begins with, then return addresses.
    pub(super) fn of(&mut self, pcs: &[u64]) -> Vec<u64> {
        let bias = self.bias;
        let link_time = |pc: &u64| bias.to_link_time(RuntimePc(*pc)).0;
        let logical: Vec<u64> = pcs.iter().map(link_time).collect();
        let physical = self.stacks.of(&logical).into_iter();
        let mut physical: Vec<u64> = physical
            .map(|pc| bias.to_runtime(VirtualAddress(pc)).0)
            .collect();
        if let Some(innermost) = physical.first_mut() {
            *innermost = innermost.saturating_sub(1);
        }
        physical
    }
}
