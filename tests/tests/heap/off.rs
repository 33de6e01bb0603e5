//! A program whose runtime keeps no profile: that is said, and nothing is said to be zero.

use crate::taken::heap;
use tracer_tests::{Program, for_each_build};

#[test]
fn a_profiler_that_is_off_is_told_and_not_shown_as_nothing_alive() {
    for_each_build("quiet", |build| {
        let program = Program::start_at(&build.path(), &[]);
        program.wait_for("ready");
        for format in ["text", "json"] {
            let finished = heap(program.pid(), &["--format", format]);
            let messages = &finished.messages;
            assert_eq!(finished.code(), 1, "{build}: {messages}");
            assert_eq!(finished.output, "", "{build}");
            // What is wrong, and what to do about it.
            for words in ["heap profiler is off", "net/http/pprof", "--mode sampled"] {
                assert!(messages.contains(words), "{build}: {messages}");
            }
        }
    });
}
