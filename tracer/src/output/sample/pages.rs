//! What a capture may have found about page faults, the collector and resident memory.

use crate::report::{
    FaultFigures, FaultsByMemory, Gc, GcCycle, GcFigures, GcPause, Memory, MemoryPart, PartKind,
    PauseFigures, Report,
};

const MIB: u64 = 1 << 20;
const MS: u64 = 1_000_000;

/// A capture of a service that collects a hundred times, and whose memory was larger than it is.
pub(crate) fn with_pages() -> Report {
    let mut report = super::report();
    let of_cache = faults(48_000, 12);
    let of_builder = faults(1_500, 0);
    let all = faults(49_600, 12);
    report.faults = Some(all);
    report.totals.faults = Some(all.all());
    for (site, of_site) in report.sites.iter_mut().zip([of_cache, of_builder]) {
        site.faults = Some(of_site);
        site.figures.faults = Some(of_site.all());
        site.gc = Some(GcFigures {
            assists: 240,
            assist_ns: 91 * MS,
            calls: 0,
        });
        if let Some(stack) = site.stacks.first_mut() {
            stack.figures.faults = Some(of_site.all());
        }
    }
    if let Some(last) = report.sites.last_mut() {
        last.faults = Some(FaultFigures::default());
        last.figures.faults = Some(0);
        last.gc = Some(GcFigures {
            calls: 3,
            ..GcFigures::default()
        });
    }
    report.gc = Some(gc());
    report.memory = Some(memory());
    for (point, number) in report.timeline.iter_mut().zip(1..) {
        point.rss_anon_bytes = point.rss_bytes.map(|rss| rss - 20 * MIB);
        point.rss_file_bytes = Some(20 * MIB);
        point.swap_bytes = Some(0);
        point.heap_live = Some((60 + number % 4 * 20) * MIB);
        point.heap_goal = Some(130 * MIB);
        point.faults = Some(number * 900);
        point.gc_cycles = Some(10);
        point.limit_used_bytes = point.rss_bytes.map(|rss| rss + 30 * MIB);
    }
    report
}

fn faults(minor: u64, major: u64) -> FaultFigures {
    FaultFigures {
        minor,
        major,
        reads: major,
        writes: minor / 10 * 9,
        unknown_access: minor - minor / 10 * 9,
        by_memory: FaultsByMemory {
            heap: minor - 100,
            stack: 90,
            binary: major,
            file: 0,
            other: 10,
        },
        at_no_site: 0,
    }
}

fn gc() -> Gc {
    let cycle = |number: u64| GcCycle {
        start_ns: (number > 0).then_some(number * 100 * MS),
        end_ns: number * 100 * MS + 9 * MS,
        trigger: (number > 0).then(|| "heap".to_owned()),
        heap_before: (number > 0).then_some(118 * MIB),
        heap_peak: Some(124 * MIB),
        heap_after: Some(64 * MIB),
        heap_goal: (number > 0).then_some(130 * MIB),
        assist_ns: Some(MS),
        worker_ns: Some(8 * MS),
        idle_ns: Some(0),
        stw_ns: vec![20_000, 31_000],
    };
    let pause = |reason: &str, gc| GcPause {
        start_ns: 5 * MS,
        duration_ns: 31_000,
        reason: Some(reason.to_owned()),
        gc,
    };
    Gc {
        cycles: (0..100).map(cycle).collect(),
        cycles_total: 100,
        pauses: vec![
            pause("GC mark termination", true),
            pause("read mem stats", false),
        ],
        gc_pauses: PauseFigures {
            count: 200,
            total_ns: 5_100_000,
            longest_ns: 410_000,
        },
        other_pauses: PauseFigures {
            count: 1,
            total_ns: 31_000,
            longest_ns: 31_000,
        },
        assists: 480,
        assist_ns: 182 * MS,
        calls: 3,
        overflowed: 0,
        skipped: vec![],
    }
}

fn memory() -> Memory {
    let parts = [
        (PartKind::FreeSpans, 190),
        (PartKind::Live, 64),
        (PartKind::NotCollected, 60),
        (PartKind::Files, 20),
        (PartKind::Other, 18),
        (PartKind::Metadata, 14),
        (PartKind::Slots, 13),
        (PartKind::Stacks, 11),
    ];
    Memory {
        rss_bytes: 390 * MIB,
        anon_bytes: 370 * MIB,
        file_bytes: 20 * MIB,
        swap_bytes: 0,
        parts: parts
            .map(|(kind, mib)| MemoryPart {
                kind,
                bytes: mib * MIB,
            })
            .into(),
        untouched_bytes: Some(0),
        gc_percent: Some(100),
        go_limit_bytes: None,
    }
}

/// Figures as large as they can be.
pub(super) fn make_nasty(report: &mut Report) {
    let most = FaultFigures {
        minor: u64::MAX,
        major: u64::MAX,
        reads: u64::MAX,
        writes: u64::MAX,
        unknown_access: u64::MAX,
        by_memory: FaultsByMemory {
            heap: u64::MAX,
            stack: u64::MAX,
            binary: u64::MAX,
            file: u64::MAX,
            other: u64::MAX,
        },
        at_no_site: u64::MAX,
    };
    let mut gc = gc();
    gc.assist_ns = u64::MAX;
    gc.gc_pauses.total_ns = u64::MAX;
    for cycle in &mut gc.cycles {
        cycle.start_ns = Some(u64::MAX);
        cycle.trigger = Some("\u{1b}[31m".to_owned());
        cycle.worker_ns = Some(u64::MAX);
        cycle.assist_ns = Some(u64::MAX);
        cycle.heap_after = Some(u64::MAX);
    }
    for pause in &mut gc.pauses {
        pause.reason = Some("\u{1b}]0;owned\u{7}".to_owned() + &"x".repeat(300));
    }
    gc.skipped = vec!["数".repeat(200)];
    let mut memory = memory();
    memory.rss_bytes = u64::MAX;
    for part in &mut memory.parts {
        part.bytes = u64::MAX;
    }
    for site in &mut report.sites {
        site.faults = Some(most);
        site.figures.faults = Some(u64::MAX);
        site.gc = Some(GcFigures {
            assists: u64::MAX,
            assist_ns: u64::MAX,
            calls: u64::MAX,
        });
    }
    report.faults = Some(most);
    report.gc = Some(gc);
    report.memory = Some(memory);
}
