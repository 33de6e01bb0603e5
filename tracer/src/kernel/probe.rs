//! What is attached where: from the rows of a plan to programs, cookies and file offsets.

use crate::plan::{
    CrashRow, Dispatch, GcRow, HeapEvent, HeapRow, MapRow, Operation, PlanRow, Pointers, ProbePlan,
    YieldPoint,
};
use crate::program::FileOffset;
use tracer_common::config;
use tracer_common::cookie::{AllocCookie, Cookie, CrashCookie, GcCookie, MapCookie, Tiny};
use tracer_common::family::Family;

/// A probe to attach.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) family: Family,
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
        let cookie = AllocCookie::new(Cookie::new(number, row.site.frame_set_up), tiny);
        let (program, cookie) = match row.dispatch {
            None => (config::PROGRAM_ALLOC, cookie),
            Some(Dispatch { mask, specialised }) => (
                config::PROGRAM_ALLOC_DISPATCHED,
                cookie.dispatching(mask, specialised),
            ),
        };
        Probe {
            family: Family::Alloc,
            program,
            cookie: cookie.cookie(),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about maps.
    fn of_map(number: u8, row: &MapRow) -> Self {
        let (family, program) = match row.operation {
            Operation::Grow(_) => (Family::MapGrowth, config::PROGRAM_MAP_GROWTH),
            Operation::Assign | Operation::Delete | Operation::Clear => {
                (Family::MapWrite, config::PROGRAM_MAP_WRITE)
            }
        };
        let cookie = Cookie::new(number, row.site.frame_set_up);
        Probe {
            family,
            program,
            cookie: MapCookie::new(cookie, row.arguments).cookie(),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about the collector.
    fn of_gc(number: u8, row: &GcRow) -> Self {
        let event = row.event;
        let (family, program) = if event.is_assist() {
            (Family::Assist, config::PROGRAM_ASSIST)
        } else {
            (Family::Gc, config::PROGRAM_GC)
        };
        let cookie = Cookie::new(number, row.site.frame_set_up);
        let (words, stack) = (event.words(), event.has_stack());
        Probe {
            family,
            program,
            cookie: GcCookie::new(cookie, words, stack, row.second).cookie(),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about the heap.
    fn of_heap(number: u8, row: &HeapRow) -> Self {
        let (family, program) = match row.event {
            HeapEvent::Sample => (Family::HeapSample, config::PROGRAM_HEAP_SAMPLE),
            HeapEvent::Free => (Family::HeapFree, config::PROGRAM_HEAP_FREE),
            HeapEvent::Refill => (Family::HeapSample, config::PROGRAM_SPAN_REFILL),
            HeapEvent::Uncache => (Family::HeapSample, config::PROGRAM_SPAN_UNCACHE),
            HeapEvent::Large => (Family::HeapSample, config::PROGRAM_SPAN_LARGE),
        };
        Probe {
            family,
            program,
            cookie: Cookie::new(number, row.site.frame_set_up),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of row `number` of a plan's part about crashes.
    fn of_crash(number: u8, row: &CrashRow) -> Self {
        let cookie = Cookie::new(number, row.site.frame_set_up);
        Probe {
            family: Family::Crash,
            program: config::PROGRAM_CRASH,
            cookie: CrashCookie::new(cookie, row.message).cookie(),
            offset: row.offset,
            function: row.function.clone(),
        }
    }

    /// The probe of a place where goroutines go on.
    fn of_yield_point(point: &YieldPoint) -> Self {
        Probe {
            family: Family::Resume,
            program: config::PROGRAM_RESUME,
            cookie: Cookie::NONE,
            offset: point.offset,
            function: point.function.clone(),
        }
    }
}

/// The probes of a family, in the order of its rows.
pub(super) fn of_family(family: Family, plan: &ProbePlan) -> Vec<Probe> {
    let mut probes = match family {
        Family::Alloc => numbered(&plan.rows, Probe::of_row),
        Family::Resume => plan
            .yield_points
            .iter()
            .map(Probe::of_yield_point)
            .collect(),
        Family::MapWrite | Family::MapGrowth => numbered(&plan.maps.rows, Probe::of_map),
        Family::Crash => numbered(&plan.maps.crashes, Probe::of_crash),
        Family::Gc | Family::Assist => {
            let rows = plan.gc.iter().flat_map(|plan| &plan.rows);
            numbered(rows, Probe::of_gc)
        }
        Family::HeapSample | Family::HeapFree => numbered(&plan.heap.rows, Probe::of_heap),
        // Events of perf, see `faults`.
        Family::Fault => Vec::new(),
        // Sent by whatever program needs them.
        Family::Stack | Family::Labels => Vec::new(),
    };
    // Families that share a part of the plan share its numbers.
    probes.retain(|probe| probe.family == family);
    probes
}

fn numbered<'a, R: 'a>(
    rows: impl IntoIterator<Item = &'a R>,
    probe: impl Fn(u8, &R) -> Probe,
) -> Vec<Probe> {
    let numbered = (0..=u8::MAX).zip(rows);
    numbered.map(|(number, row)| probe(number, row)).collect()
}
