//! What is attached where: from the rows of a plan to programs, cookies and file offsets.

use super::Extra;
use crate::plan::{
    CrashRow, Dispatch, GcRow, HeapEvent, HeapRow, MapRow, Operation, PlanRow, Pointers, ProbePlan,
};
use crate::program::FileOffset;
use tracer_common::config::{self, Cookie, Tiny};

/// A probe to attach.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) program: &'static str,
    pub(super) cookie: Cookie,
    pub(super) offset: FileOffset,
    pub(super) function: String,
}

impl Probe {
    /// The probe of row `number` of a plan.
    fn of_row(number: u8, row: &PlanRow) -> Self {
        let tiny = match row.pointers {
            Pointers::Tiny => Tiny::Always,
            Pointers::ByType => Tiny::ByType,
            Pointers::Never | Pointers::WithoutHeader | Pointers::WithHeader | Pointers::Large => {
                Tiny::Never
            }
        };
        let cookie = Cookie::new(number, row.site.frame_set_up, tiny);
        let (program, cookie) = match row.dispatch {
            None => (config::PROGRAM_ALLOC, cookie),
            Some(Dispatch { mask, specialised }) => (
                config::PROGRAM_ALLOC_DISPATCHED,
                cookie.dispatching(mask, specialised),
            ),
        };
        Probe {
            program,
            cookie,
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about maps.
    fn of_map(number: u8, row: &MapRow) -> Self {
        Probe {
            program: match row.operation {
                Operation::Grow(_) => config::PROGRAM_MAP_GROWTH,
                Operation::Assign | Operation::Delete | Operation::Clear => {
                    config::PROGRAM_MAP_WRITE
                }
            },
            cookie: Cookie::of_map(number, row.site.frame_set_up, row.arguments),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about the collector.
    fn of_gc(number: u8, row: &GcRow) -> Self {
        let event = row.event;
        Probe {
            program: if event.is_assist() {
                config::PROGRAM_ASSIST
            } else {
                config::PROGRAM_GC
            },
            cookie: Cookie::of_gc(
                number,
                row.site.frame_set_up,
                event.has_stack(),
                event.words(),
            )
            .with_second_argument(row.second_register()),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about the heap.
    fn of_heap(number: u8, row: &HeapRow) -> Self {
        Probe {
            program: match row.event {
                HeapEvent::Sample => config::PROGRAM_HEAP_SAMPLE,
                HeapEvent::Free => config::PROGRAM_HEAP_FREE,
                HeapEvent::Refill => config::PROGRAM_SPAN_REFILL,
                HeapEvent::Uncache => config::PROGRAM_SPAN_UNCACHE,
                HeapEvent::Large => config::PROGRAM_SPAN_LARGE,
            },
            cookie: Cookie::new(number, row.site.frame_set_up, Tiny::Never),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// What it records that can be given up; `None` for what cannot.
    pub(super) fn extra(&self) -> Option<Extra> {
        match self.program {
            config::PROGRAM_MAP_WRITE => Some(Extra::MapWrites),
            config::PROGRAM_MAP_GROWTH => Some(Extra::MapGrowths),
            config::PROGRAM_ASSIST => Some(Extra::Assists),
            config::PROGRAM_HEAP_SAMPLE
            | config::PROGRAM_HEAP_FREE
            | config::PROGRAM_SPAN_REFILL
            | config::PROGRAM_SPAN_UNCACHE
            | config::PROGRAM_SPAN_LARGE => Some(Extra::Live),
            _ => None,
        }
    }

    /// The probe of row `number` of a plan's part about crashes.
    fn of_crash(number: u8, row: &CrashRow) -> Self {
        Probe {
            program: config::PROGRAM_CRASH,
            cookie: Cookie::of_crash(number, row.site.frame_set_up, row.message),
            offset: row.offset,
            function: row.function.clone(),
        }
    }
}

/// The probes of a plan's rows, in their order.
pub(super) fn of_rows(plan: &ProbePlan) -> Vec<Probe> {
    (0..=u8::MAX)
        .zip(&plan.rows)
        .map(|(number, row)| Probe::of_row(number, row))
        .collect()
}

/// The probes of the places where goroutines go on; none if some tiny objects are left out and have no record to
/// correct.
pub(super) fn of_yield_points(plan: &ProbePlan, leaves_out_tiny: bool) -> Vec<Probe> {
    if leaves_out_tiny {
        return Vec::new();
    }
    let points = plan.yield_points.iter().map(|point| Probe {
        program: config::PROGRAM_RESUME,
        cookie: Cookie(0),
        offset: point.offset,
        function: point.function.clone(),
    });
    points.collect()
}

/// The probes on maps, in the order of their rows.
pub(super) fn of_maps(plan: &ProbePlan) -> Vec<Probe> {
    (0..=u8::MAX)
        .zip(&plan.maps.rows)
        .map(|(number, row)| Probe::of_map(number, row))
        .collect()
}

/// The probes on the collector, in the order of their rows.
pub(super) fn of_gc(plan: &ProbePlan) -> Vec<Probe> {
    let rows = plan.gc.iter().flat_map(|plan| &plan.rows);
    (0..=u8::MAX)
        .zip(rows)
        .map(|(number, row)| Probe::of_gc(number, row))
        .collect()
}

/// The probes of crashes, in the order of their rows.
pub(super) fn of_crashes(plan: &ProbePlan) -> Vec<Probe> {
    (0..=u8::MAX)
        .zip(&plan.maps.crashes)
        .map(|(number, row)| Probe::of_crash(number, row))
        .collect()
}

/// The probes that sample the heap, in the order of their rows.
pub(super) fn of_heap(plan: &ProbePlan) -> Vec<Probe> {
    (0..=u8::MAX)
        .zip(&plan.heap.rows)
        .map(|(number, row)| Probe::of_heap(number, row))
        .collect()
}
