//! A program whose runtime keeps no profile: that is said, and nothing is said to be zero.

use crate::taken::{heap, parse};
use tracer_tests::{Program, for_each_build, list};

#[test]
fn a_profiler_that_is_off_is_told_and_not_shown_as_nothing_alive() {
    for_each_build("quiet", |build| {
        let program = Program::start_at(&build.path(), &[]);
        program.wait_for("ready");
        let finished = heap(program.pid(), &["--format", "json"]);
        let capture = parse(&finished);
        let heap = &capture["heap"];
        assert_eq!(heap["profiler"]["on"], false, "{build}: {heap}");
        assert!(heap["live_since_attach"].is_null(), "{build}: {heap}");
        let reason = heap["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("profiler"), "{build}: {heap}");
        for site in list(&capture, "sites") {
            assert!(site["live"].is_null(), "{build}: {site}");
        }
    });
}
