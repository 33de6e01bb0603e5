//! Plans for small executables of each set of allocation functions.

use super::{CostClass, Coverage, MapProbes, PlanError, ProbePlan, Yields, exact};
use crate::target::GoBinary;
use crate::target::fixture::{ALLOCATOR, BASE, Fixture, MALLOC, MemoryFile};

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
    exact(&GoBinary::open(&file.path()).unwrap(), MapProbes::Writes)
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
    let error = exact(&GoBinary::open(&file.path()).unwrap(), MapProbes::Writes).unwrap_err();
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
    exact(&GoBinary::open(&file.path()).unwrap(), MapProbes::Writes).unwrap()
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
