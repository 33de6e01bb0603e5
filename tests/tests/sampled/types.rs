//! The Go type of a sample, which the runtime does not keep: it is read from the code that allocates.

use crate::traced::{plain, trace};
use tracer_tests::{list, sites_in};

/// What each function makes. A generic one has its type from a dictionary, and a map what it is made of.
const TYPES: [(&str, &str); 7] = [
    ("main.leakSmall", "main.node"),
    ("main.leakBlocks", "[]uint8"),
    ("main.leakLarge", "[40960]uint8"),
    ("main.leakTables", "[100]*main.node"),
    ("main.newLeaf", "main.leaf"),
    ("main.atBottom", "main.deep"),
    ("main.leakRequests", "main.request"),
];

#[test]
fn samples_have_types() {
    let scene = [
        "-rate", "65536", "-leak", "32000000", "-churn", "0", "-labels", "3000000",
    ];
    let builds = plain("leak");
    for build in [&builds[0], &builds[builds.len() - 1]] {
        let capture = trace(build, &scene).capture;
        for (function, expected) in TYPES {
            let sites = sites_in(&capture, function);
            assert!(!sites.is_empty(), "{build}: {function}");
            for site in sites {
                let types = list(site, "types").iter();
                let names: Vec<&str> = types.filter_map(|it| it["name"].as_str()).collect();
                assert_eq!(names, [expected], "{build}: {function}");
            }
        }
    }
}
