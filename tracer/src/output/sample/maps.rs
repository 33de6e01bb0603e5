//! What a capture may have found about maps.

use super::frame;
use crate::report::{
    Crash, Figures, Frame, MapInstance, MapOperations, MapPart, MapSite, Maps, Report,
};

/// A capture of a service whose cache grows without bound, beside a map that is made anew for each request.
pub(crate) fn with_maps() -> Report {
    let mut report = super::report();
    report.maps = Some(maps());
    report.crashes = vec![crash()];
    report
}

fn put() -> Frame {
    frame(
        "main.(*Cache).Put",
        "/srv/shop/internal/cache/cache.go",
        88,
        false,
    )
}

fn index() -> Frame {
    frame("main.index", "/srv/shop/index.go", 12, false)
}

fn part(name: &str, size_bytes: u64, pointer_bytes: u64) -> MapPart {
    MapPart {
        name: name.into(),
        is_pointer: name.starts_with('*'),
        size_bytes,
        pointer_bytes,
    }
}

fn maps() -> Maps {
    let cache = MapSite {
        id: 1,
        frames: vec![put()],
        type_name: "map[string]*main.User".into(),
        key: Some(part("string", 16, 8)),
        elem: Some(part("*main.User", 8, 8)),
        operations: Some(MapOperations {
            writes: 85_000,
            deletes: 0,
            clears: 0,
            nil_writes: 0,
            net_entries: 85_000,
            unsettled: 0,
        }),
        growths: 97,
        same_size_growths: 0,
        first_growths: 0,
        steps: 0,
        instances: 1,
        max_entries: 97_000,
        growth: Some(growth(9_437_184)),
        amplification: None,
    };
    let index = MapSite {
        id: 2,
        frames: vec![index()],
        type_name: "map[*main.User]int".into(),
        key: Some(part("*main.User", 8, 8)),
        elem: Some(part("int", 8, 0)),
        operations: Some(MapOperations {
            writes: 1_000_000,
            deletes: 12,
            clears: 3,
            nil_writes: 1,
            net_entries: -12,
            unsettled: 4,
        }),
        growths: 7000,
        same_size_growths: 2,
        first_growths: 1000,
        steps: 6998,
        instances: 1000,
        max_entries: 1000,
        growth: Some(growth(35_651_584)),
        amplification: Some(2.1),
    };
    Maps {
        writes: Some(1_085_016),
        growths: 7097,
        sites: vec![cache, index],
        instances: vec![cached()],
        overflowed: 0,
        forgotten: 0,
        skipped: vec![],
    }
}

fn growth(bytes: u64) -> Figures {
    Figures {
        allocs: 9000,
        alloc_bytes: Some(bytes),
        requested_bytes: Some(bytes),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate: None,
    }
}

fn cached() -> MapInstance {
    MapInstance {
        id: 1,
        site: 1,
        type_name: "map[string]*main.User".into(),
        entries: 97_000,
        max_entries: 97_000,
        capacity: Some(131_072),
        table_bytes: Some(3_276_800),
        table_pointer_bytes: Some(3_145_728),
        growths: 97,
        writes: Some(85_000),
        deletes: Some(0),
        alive: Some(true),
        curve: (0..=20)
            .map(|half| (half * 500_000_000, 12_000 + 4250 * half))
            .collect(),
    }
}

fn crash() -> Crash {
    Crash {
        function: "runtime.fatal".into(),
        message: "concurrent map writes".into(),
        goroutine: Some(42),
        frames: vec![
            put(),
            frame("main.(*Server).order", "/srv/shop/server.go", 140, false),
        ],
        t_ns: 9_800_000_000,
        count: 1,
    }
}

/// The same with names as hostile as they come, and numbers as large.
pub(super) fn nasty(function: &Frame) -> (Maps, Vec<Crash>) {
    let mut maps = maps();
    for site in &mut maps.sites {
        site.frames = vec![function.clone()];
        site.type_name = format!("map[string]*{}", function.function);
        site.growths = u64::MAX;
        site.first_growths = 1;
        site.steps = u64::MAX;
        site.operations = Some(MapOperations {
            net_entries: i64::MIN,
            writes: u64::MAX,
            ..MapOperations::default()
        });
        site.amplification = Some(f64::MAX);
    }
    for instance in &mut maps.instances {
        instance.curve = vec![(0, 0), (u64::MAX, u64::MAX), (5, 5)];
        instance.table_bytes = Some(u64::MAX);
    }
    maps.skipped = vec!["x\u{1b}[31m".repeat(50)];
    let crash = Crash {
        message: "concurrent map \u{1b}]0;owned\u{7}".into(),
        frames: vec![function.clone(); 5],
        ..crash()
    };
    (maps, vec![crash])
}
