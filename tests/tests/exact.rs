//! Counts and bytes equal what the target's own runtime says, site by site.

use serde_json::Value;
use tracer_tests::{
    Build, Program, assert_accounted, for_each_build, for_each_of, lost, number, oldest_and_newest,
    some_builds_of, trace_measured,
};

/// Sites whose allocating statement is in a library: the site is there, the statement in the stack.
const THROUGH_LIBRARIES: [&str; 3] = [
    "main.throughReflect",
    "main.throughBuilder",
    "main.throughSprintf",
];

/// Each probe takes the kernel a tenth of a second to take out, and there are many builds: a test of all of them has no
/// others, and a test of some has them all.
const ALLOCATIONS_ONLY: [&str; 6] = ["--maps", "off", "--faults", "off", "--gc", "off"];

/// Traces `known` with these arguments, the agent with these options.
fn traced(build: &Build, args: &[&str], options: &[&str]) -> (Value, Value) {
    trace_measured(Program::start_at(&build.path(), args), options)
}

/// Allocations, bytes, and bytes asked for, of all stacks through a line of a function.
fn through(capture: &Value, function: &str, line: u64) -> [u64; 3] {
    let frames = capture["frames"].as_array().expect("frames");
    let stacks = capture["stacks"].as_object().expect("stacks");
    let at_line = |index: &Value| {
        let frame = &frames[usize::try_from(index.as_u64().expect("an index")).expect("an index")];
        frame["function"] == function && frame["line"] == line
    };
    let sites = capture["sites"].as_array().expect("sites").iter();
    let of_sites = sites.flat_map(|site| site["stacks"].as_array().expect("stacks of a site"));
    let matching = of_sites.filter(|stack| {
        let id = stack["id"].as_str().expect("an id");
        stacks[id]
            .as_array()
            .expect("frames of a stack")
            .iter()
            .any(at_line)
    });
    matching.fold([0; 3], |sums, stack| {
        let fields =
            ["/allocs", "/alloc_bytes", "/requested_bytes"].map(|field| number(stack, field));
        [
            sums[0] + fields[0],
            sums[1] + fields[1],
            sums[2] + fields[2],
        ]
    })
}

/// Allocations of the sites whose innermost frame is a line of a function.
fn at(capture: &Value, function: &str, line: u64) -> u64 {
    let sites = capture["sites"].as_array().expect("sites").iter();
    let matching = sites.filter(|site| {
        site["frames"][0]["function"] == function && site["frames"][0]["line"] == line
    });
    matching.map(|site| number(site, "/allocs")).sum()
}

fn assert_exact(build: &Build, args: &[&str], options: &[&str]) {
    let (capture, expected) = traced(build, args, options);
    let context = format!("{build}, {args:?}, {options:?}");
    assert_accounted(&capture);
    assert_eq!(lost(&capture), 0, "{context}: lost");
    assert_eq!(
        number(&capture, "/totals/allocs"),
        number(&expected, "/total/mallocs"),
        "{context}: allocations"
    );
    let bytes = number(&capture, "/totals/alloc_bytes");
    let own_bytes = number(&expected, "/total/total_alloc");
    assert_eq!(bytes, own_bytes, "{context}: bytes");
    assert_inlined(&capture, &expected, &context);
    let sites = expected["sites"].as_array().expect("sites");
    assert!(
        sites.len() > 20,
        "{context}: the program measures its sites"
    );
    for site in sites {
        let function = site["function"].as_str().expect("a name");
        let line = number(site, "/line");
        let [allocs, alloc_bytes, requested] = through(&capture, function, line);
        // The measurement of each site may catch an allocation of the runtime itself (a GC cycle's), never less.
        let runtime = if args.contains(&"-gc") { 16 } else { 0 };
        let own = number(site, "/mallocs");
        assert!(
            (own.saturating_sub(runtime)..=own).contains(&allocs),
            "{context}: {function} {allocs} of {own}"
        );
        if runtime > 0 {
            continue;
        }
        let own_bytes = number(site, "/total_alloc");
        assert_eq!(alloc_bytes, own_bytes, "{context}: bytes of {function}");
        if let Some(expected) = site["requested"].as_u64() {
            assert_eq!(
                requested, expected,
                "{context}: bytes asked for by {function}"
            );
        }
        if !THROUGH_LIBRARIES.contains(&function) {
            assert_eq!(
                at(&capture, function, line),
                own,
                "{context}: the site {function}"
            );
        }
    }
}

/// A function that is inlined into its caller is a site with both names.
fn assert_inlined(capture: &Value, expected: &Value, context: &str) {
    let mut sites = expected["sites"].as_array().expect("sites").iter();
    let inlined = sites.find(|site| site["inlined"] == true);
    let inlined = inlined.expect("an inlined site");
    let (function, entry) = (&inlined["function"], &inlined["entry"]);
    let mut sites = capture["sites"].as_array().expect("sites").iter();
    let site = sites.find(|site| {
        let frame = &site["frames"][0];
        frame["function"] == *function && frame["inlined"] == true
    });
    let site = site.unwrap_or_else(|| panic!("{context}: no site {function}"));
    assert_eq!(site["frames"][1]["function"], *entry, "{context}");
}

#[test]
fn one_goroutine() {
    for_each_of(&oldest_and_newest("known"), |build| {
        assert_exact(build, &[], &[])
    });
}

#[test]
fn many_goroutines_in_every_build() {
    let args = ["-goroutines", "4"];
    for_each_build("known", |build| {
        assert_exact(build, &args, &ALLOCATIONS_ONLY)
    });
}

/// A goroutine that assists the collector may go on at another CPU: what it says then must come after its allocation,
/// whichever ring both went to.
#[test]
fn garbage_collection_in_the_window_and_many_rings() {
    let args = ["-goroutines", "4", "-gc"];
    for_each_of(&some_builds_of("known"), |build| {
        assert_exact(build, &args, &["--rings", "8"]);
    });
}
