//! What a capture may have found to be alive.

use crate::plan::HeapProbes;
use crate::report::{
    Amount, Estimate, Figures, Growth, Heap, History, Live, Probed, Profiler, Recent, Report,
};

const MIB: u64 = 1 << 20;
const S: u64 = 1_000_000_000;

fn amount(objects: u64, bytes: u64) -> Amount {
    Amount { objects, bytes }
}

/// A capture in mode sampled of a service whose cache leaks 2 MiB a second, run by workers of two tenants.
pub(crate) fn with_heap() -> Report {
    let mut report = super::report();
    report.window.mode = "sampled".into();
    report.completeness.coverage = None;
    report.heap = Some(Heap {
        probes: HeapProbes::Profiler,
        profiler: Profiler {
            rate_bytes: Some(512 << 10),
            linked: Some(true),
        },
        reason: None,
        probed: Some(Probed {
            samples: 2265,
            frees: 2201,
            frees_before: 17,
            unfollowed: 0,
            missing_labels: 0,
            incomplete_labels: 2,
            live: Some(amount(125_000, 19 * MIB)),
        }),
        history: Some(History {
            buckets: 31,
            complete: true,
            live: amount(900_000, 140 * MIB),
            at_start: Some(amount(770_000, 120 * MIB)),
        }),
    });
    for site in &mut report.sites {
        make_estimate(&mut site.figures);
        site.live = Some(Live::default());
        site.recent = Some(Recent::default());
        site.figures.live_bytes = Some(0);
    }
    make_estimate(&mut report.totals);
    report.totals.live_bytes = Some(140 * MIB);
    if let Some(site) = report.sites.first_mut() {
        site.live = Some(Live {
            now: amount(880_000, 131 * MIB),
            bytes_error: 8 * MIB,
            raw_objects: 262,
            at_start: Some(amount(745_000, 111 * MIB)),
            allocated: amount(9_000_000, 1400 * MIB),
        });
        site.recent = Some(recent());
        site.growth = Some(growth(&[111, 115, 119, 123, 127, 131]));
        site.figures.live_bytes = Some(131 * MIB);
        site.figures.growth_per_s = Some(2 * MIB.cast_signed());
        for stack in &mut site.stacks {
            stack.live = Some(amount(880_000, 131 * MIB));
            stack.recent = Some(amount(125_000, 19 * MIB));
            stack.figures.live_bytes = Some(19 * MIB);
        }
    }
    if let Some(site) = report.sites.get_mut(1) {
        // Noise.
        site.growth = Some(growth(&[9, 12, 8, 11, 9, 10]));
        if let Some(live) = &mut site.live {
            live.now = amount(4500, 10 * MIB);
        }
        site.figures.live_bytes = Some(10 * MIB);
        site.figures.growth_per_s = Some(0);
    }
    let tenants = ["acme", "globex"];
    for (stack, tenant) in report.stacks.iter_mut().zip(tenants) {
        stack.creator = Some(6);
        stack.labels = vec![("tenant".into(), tenant.into())];
    }
    report
}

fn make_estimate(figures: &mut Figures) {
    figures.requested_bytes = None;
    figures.estimate = Some(Estimate {
        allocs_error: Some(figures.allocs / 20),
        alloc_bytes_error: figures.alloc_bytes.map(|bytes| bytes / 25),
    });
}

fn recent() -> Recent {
    Recent {
        samples: 1680,
        freed: 1642,
        live: amount(125_000, 19 * MIB),
        bytes_error: 3 * MIB,
        ages: vec![(S, 4), (4 * S, 12), (8 * S, 22)],
        lifetimes: vec![(1 << 20, 1600), (1 << 28, 42)],
        goroutines: vec![(18, 30), (19, 8)],
    }
}

fn growth(mib: &[u64]) -> Growth {
    let times = (0..).map(|number| number * 2 * S);
    Growth {
        bytes_per_s: (mib[mib.len() - 1] as f64 - mib[0] as f64) * MIB as f64 / 10.0,
        error: 0.2 * MIB as f64,
        cycles: 5,
        course: times.zip(mib.iter().map(|mib| mib * MIB)).collect(),
    }
}

/// A look at the heap without a probe.
pub(crate) fn only_history() -> Report {
    let mut report = with_heap();
    report.window.mode = "heap".into();
    report.window.duration_ns = 0;
    if let Some(heap) = &mut report.heap {
        heap.probes = HeapProbes::Off;
        heap.probed = None;
        heap.history = heap.history.map(|history| History {
            at_start: None,
            ..history
        });
    }
    for site in &mut report.sites {
        for stack in &mut site.stacks {
            stack.recent = None;
            stack.figures.live_bytes = stack.live.map(|live| live.bytes);
        }
        site.recent = None;
        site.growth = None;
        site.figures.growth_per_s = None;
    }
    report
}

/// A capture of spans: nobody knows what is alive.
pub(crate) fn of_spans() -> Report {
    let mut report = super::report();
    report.window.mode = "sampled".into();
    make_estimate(&mut report.totals);
    report.totals.estimate = Some(Estimate::default());
    report.completeness.coverage = Some(0.97);
    report
        .sites
        .iter_mut()
        .for_each(|site| make_estimate(&mut site.figures));
    report.heap = Some(Heap {
        probes: HeapProbes::Spans,
        profiler: Profiler {
            rate_bytes: Some(0),
            linked: Some(false),
        },
        reason: Some(
            "the runtime's heap profiler is off, because nothing in the program reads its profile"
                .into(),
        ),
        probed: Some(Probed {
            samples: 1000,
            ..Probed::default()
        }),
        history: None,
    });
    report
}

/// Words without end, and escape sequences.
pub(super) fn nasty(long: &str) -> Option<Heap> {
    let mut heap = only_history().heap?;
    heap.reason = Some(format!("{long}\u{1b}[31m {long}"));
    Some(heap)
}
