//! Plans for small executables of each set of allocation functions.

use super::{
    CostClass, Coverage, Extras, Growing, MapLayout, MapPlan, MapProbes, Operation, PlanError,
    ProbePlan, Yields, exact,
};
use crate::program::GoBinary;
use crate::program::fixture::{ALLOCATOR, BASE, Fixture, MALLOC, MemoryFile};
use tracer_common::cookie::MapArguments;

/// What every program has from Go 1.24 on, and one of the functions for a single size of 1.27.
const FROM_1_24: &[&str] = &[
    "runtime.mallocgc",
    "runtime.mallocgcSmallNoscan",
    "runtime.mallocgcSmallScanHeader",
    "runtime.mallocgcLarge",
    "runtime.mallocgcTinySlowPath",
    "runtime.mallocgcSmallNoScanSC7",
];

fn plan(
    version: &'static str,
    allocators: &'static [&'static str],
) -> Result<ProbePlan, PlanError> {
    let fixture = Fixture {
        version,
        allocators,
        ..Fixture::default()
    };
    let file = MemoryFile::new(&fixture.build().bytes);
    exact(&GoBinary::open(&file.path()).unwrap(), Extras::ALL)
}

/// The functions that are probed, without `runtime.mallocgc`.
fn leaves(plan: &ProbePlan) -> Vec<&str> {
    let names = plan.rows.iter().map(|row| row.function.as_str());
    names
        .filter_map(|name| name.strip_prefix("runtime.mallocgc"))
        .collect()
}

#[test]
fn up_to_1_23_the_plan_is_one_probe_behind_the_stack_check() {
    for (version, headers) in [
        ("go1.19.8", false),
        ("go1.21.13", false),
        ("go1.23.9", true),
    ] {
        let plan = plan(version, &["runtime.mallocgc"]).unwrap();
        assert_eq!(plan.headers, headers, "{version}");
        assert_eq!(plan.coverage, Coverage::Complete);
        let [row] = &*plan.rows else { panic!("{plan}") };
        assert_eq!((row.address.0, row.site.offset), (MALLOC, 6));
        assert_eq!(row.offset.0, MALLOC + 6 - BASE);
        assert_eq!(row.site.cost, CostClass::Emulated);
        assert_eq!(row.site.instruction, "push rbp");
    }
}

#[test]
fn from_1_24_the_plan_has_the_leaves_and_no_dispatcher() {
    for version in ["go1.24.11", "go1.25.5", "go1.26.6", "go1.27.3"] {
        let plan = plan(version, FROM_1_24).unwrap();
        let expected = ["SmallNoscan", "SmallScanHeader", "Large", "SmallNoScanSC7"];
        assert_eq!(leaves(&plan), expected, "{version}");
        assert_eq!(plan.coverage, Coverage::Complete);
    }
}

#[test]
fn what_the_table_does_not_know_is_said() {
    let coverage = |version, allocators| plan(version, allocators).unwrap().coverage;
    assert_eq!(coverage("go1.99.1", FROM_1_24), Coverage::NewerThanTable);
    assert_eq!(
        coverage("go1.23.9", &["runtime.mallocgc", "runtime.mallocgcHuge"]),
        Coverage::UnknownFunctions(vec!["runtime.mallocgcHuge".to_owned()])
    );
}

#[test]
fn a_function_that_is_missing_is_named() {
    let error = plan("go1.27.3", &["runtime.mallocgc"]).unwrap_err();
    assert!(
        matches!(&error, PlanError::MissingFunction { function, .. } if function.starts_with("runtime.mallocgc")),
        "{error}"
    );
}

#[test]
fn code_that_is_no_go_function_has_no_place_for_a_probe() {
    let mut bytes = Fixture {
        version: "go1.23.9",
        ..Fixture::default()
    }
    .build()
    .bytes;
    bytes[usize::try_from(MALLOC - BASE).unwrap()] = 0x90;
    let file = MemoryFile::new(&bytes);
    let error = exact(&GoBinary::open(&file.path()).unwrap(), Extras::ALL).unwrap_err();
    assert!(matches!(error, PlanError::NoSite { .. }), "{error}");
}

/// The plan of a binary whose functions call each other: `(from, to)`, by their position.
fn plan_with_calls(
    version: &'static str,
    functions: &'static [&'static str],
    calls: &[(u64, u64)],
) -> ProbePlan {
    const CALL: u64 = 32;
    let fixture = Fixture {
        version,
        allocators: functions,
        ..Fixture::default()
    };
    let mut bytes = fixture.build().bytes;
    for (from, to) in calls {
        let distance = u32::try_from(to * ALLOCATOR - (from * ALLOCATOR + CALL + 5)).unwrap();
        let at = usize::try_from(MALLOC - BASE + from * ALLOCATOR + CALL).unwrap();
        bytes[at] = 0xe8;
        bytes[at + 1..at + 5].copy_from_slice(&distance.to_le_bytes());
    }
    let file = MemoryFile::new(&bytes);
    exact(&GoBinary::open(&file.path()).unwrap(), Extras::ALL).unwrap()
}

#[test]
fn a_mark_assist_behind_the_probe_is_watched() {
    let functions = &[
        "runtime.mallocgc",
        "runtime.deductAssistCredit",
        "runtime.gcAssistAlloc",
    ];
    let plan = plan_with_calls("go1.23.9", functions, &[(0, 1), (1, 2)]);
    let [point] = &*plan.yield_points else {
        panic!("{plan}")
    };
    assert_eq!(
        (point.function.as_str(), point.behind.as_str()),
        ("runtime.deductAssistCredit", "runtime.gcAssistAlloc")
    );
    assert_eq!(point.address.0, MALLOC + ALLOCATOR + 37);
    assert_eq!(plan.yields, Yields::AfterProbe);
}

#[test]
fn a_mark_assist_before_the_probe_is_not() {
    let functions = &[
        "runtime.mallocgc",
        "runtime.mallocgcTiny",
        "runtime.mallocgcSmallNoscan",
        "runtime.mallocgcSmallScanHeader",
        "runtime.mallocgcLarge",
        "runtime.deductAssistCredit",
        "runtime.gcAssistAlloc",
    ];
    let plan = plan_with_calls("go1.25.5", functions, &[(0, 5), (5, 6)]);
    assert_eq!((plan.yield_points.len(), plan.yields), (0, Yields::Never));
}

/// The plan of a binary with these functions besides `runtime.mallocgc`.
fn map_plan(version: &'static str, functions: &'static [&'static str], maps: MapProbes) -> MapPlan {
    let fixture = Fixture {
        version,
        allocators: functions,
        ..Fixture::default()
    };
    let file = MemoryFile::new(&fixture.build().bytes);
    exact(
        &GoBinary::open(&file.path()).unwrap(),
        Extras {
            maps,
            ..Extras::ALL
        },
    )
    .unwrap()
    .maps
}

/// What a program with maps has up to Go 1.23.
const BUCKETS: &[&str] = &[
    "runtime.mallocgc",
    "runtime.hashGrow",
    "runtime.mapassign_faststr",
    "runtime.mapassign_faststr.func1",
    "runtime.mapdelete",
    "runtime.mapclear",
    "runtime.throw",
    "runtime.gopanic",
];

/// What a program with maps has from Go 1.24 on.
const SWISS: &[&str] = &[
    "runtime.mallocgc",
    "runtime.mallocgcSmallNoscan",
    "runtime.mallocgcSmallScanHeader",
    "runtime.mallocgcLarge",
    "internal/runtime/maps.(*Map).growToTable",
    "internal/runtime/maps.(*table).grow",
    "internal/runtime/maps.(*table).split",
    "internal/runtime/maps.(*table).rehash",
    "internal/runtime/maps.fatal",
    "runtime.mapassign",
    "runtime.mapassign_fast16",
    "runtime.fatal",
];

#[test]
fn growth_is_where_the_layout_has_it() {
    let rows = |version, functions| {
        let plan = map_plan(version, functions, MapProbes::Growth);
        let rows: Vec<(String, Operation, MapArguments)> = plan
            .rows
            .into_iter()
            .map(|row| (row.function, row.operation, row.arguments))
            .collect();
        (plan.layout, rows)
    };
    let (layout, buckets) = rows("go1.23.9", BUCKETS);
    assert_eq!(layout, MapLayout::Buckets);
    let hash_grow = (
        "runtime.hashGrow".to_owned(),
        Operation::Grow(Growing::Buckets),
        MapArguments::TypeMap,
    );
    assert_eq!(buckets, [hash_grow]);
    let (layout, swiss) = rows("go1.27.3", SWISS);
    assert_eq!(layout, MapLayout::Swiss);
    let how: Vec<_> = swiss
        .iter()
        .map(|(_, operation, arguments)| (*operation, *arguments))
        .collect();
    let table = MapArguments::TableTypeMap;
    assert_eq!(
        how,
        [
            (Operation::Grow(Growing::ToTable), MapArguments::MapType),
            (Operation::Grow(Growing::Table), table),
        ]
    );
}

#[test]
fn a_binary_of_go_1_24_may_have_maps_of_buckets() {
    const NO_SWISS: &[&str] = &[
        "runtime.mallocgc",
        "runtime.mallocgcSmallNoscan",
        "runtime.mallocgcSmallScanHeader",
        "runtime.mallocgcLarge",
        "runtime.hashGrow",
    ];
    let plan = map_plan("go1.24.11", NO_SWISS, MapProbes::Growth);
    assert_eq!((plan.layout, plan.rows.len()), (MapLayout::Buckets, 1));
}

#[test]
fn writes_are_probed_when_they_are_asked_for() {
    let plan = map_plan("go1.23.9", BUCKETS, MapProbes::Writes);
    let rows: Vec<(&str, Operation)> = plan
        .rows
        .iter()
        .map(|row| (&*row.function, row.operation))
        .collect();
    assert_eq!(
        rows,
        [
            ("runtime.hashGrow", Operation::Grow(Growing::Buckets)),
            ("runtime.mapassign_faststr", Operation::Assign),
            ("runtime.mapdelete", Operation::Delete),
            ("runtime.mapclear", Operation::Clear),
        ]
    );
    let crashes: Vec<&str> = plan.crashes.iter().map(|row| &*row.function).collect();
    assert_eq!(crashes, ["runtime.throw", "runtime.gopanic"]);
    assert!(plan.skipped.is_empty(), "{:?}", plan.skipped);
}

#[test]
fn nothing_of_maps_is_probed_when_nothing_is_asked_for() {
    let plan = map_plan("go1.27.3", SWISS, MapProbes::Off);
    assert_eq!((plan.rows.len(), plan.crashes.len()), (0, 0));
}

#[test]
fn a_new_function_that_changes_maps_is_named() {
    let plan = map_plan("go1.27.3", SWISS, MapProbes::Writes);
    assert_eq!(
        plan.skipped,
        ["runtime.mapassign_fast16, which is not known"]
    );
}

#[test]
fn a_map_function_without_a_place_for_a_probe_is_left_out_and_named() {
    let mut bytes = Fixture {
        version: "go1.23.9",
        allocators: BUCKETS,
        ..Fixture::default()
    }
    .build()
    .bytes;
    // `runtime.hashGrow` starts with a nop.
    bytes[usize::try_from(MALLOC + ALLOCATOR - BASE).unwrap()] = 0x90;
    let file = MemoryFile::new(&bytes);
    let binary = GoBinary::open(&file.path()).unwrap();
    let plan = exact(
        &binary,
        Extras {
            maps: MapProbes::Growth,
            ..Extras::ALL
        },
    )
    .unwrap();
    assert_eq!(plan.maps.rows.len(), 0);
    assert_eq!(
        plan.maps.skipped,
        ["runtime.hashGrow, which has no place for a probe"]
    );
    assert!(plan.to_string().contains("runtime.gopanic"));
}
