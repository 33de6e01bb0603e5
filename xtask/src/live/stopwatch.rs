//! How long each test takes, read off what libtest prints: it writes a test's name before the test and the result behind
//! it, if it runs one at a time. Its own `--report-time` is not in stable Rust.

use std::time::Duration;

/// A test that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) duration: Duration,
    pub(super) succeeded: bool,
}

/// Reads the output of tests that run one at a time.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    /// In the order in which they ran.
    pub(super) tests: Vec<Test>,
    running: Option<(String, Duration)>,
    line: Vec<u8>,
}

impl Stopwatch {
    /// Takes what was printed at a time, which counts from any moment.
    pub(super) fn take(&mut self, printed: &[u8], at: Duration) {
        for byte in printed {
            if *byte == b'\n' {
                self.end_line(at);
                self.line.clear();
            } else {
                self.line.push(*byte);
                self.start(at);
            }
        }
    }

    /// The test that has not ended.
    pub(super) fn running(&self) -> Option<&str> {
        self.running.as_ref().map(|(name, _)| name.as_str())
    }

    /// Starts a test if the line has its name by now.
    fn start(&mut self, at: Duration) {
        let name = self
            .line
            .strip_prefix(b"test ")
            .and_then(|rest| rest.strip_suffix(b" ... "));
        if let (Some(name), None) = (name, &self.running) {
            self.running = Some((String::from_utf8_lossy(name).into_owned(), at));
        }
    }

    /// Ends the test that runs if the line ends in its result; what its children print may stand before that.
    fn end_line(&mut self, at: Duration) {
        let succeeded = self.line.ends_with(b"ok");
        if !succeeded && !self.line.ends_with(b"FAILED") {
            return;
        }
        if let Some((name, started)) = self.running.take() {
            self.tests.push(Test {
                name,
                duration: at.saturating_sub(started),
                succeeded,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds pieces, one each second, and gives each test with its seconds.
    fn timed(pieces: &[&str]) -> Vec<(String, u64, bool)> {
        let mut stopwatch = Stopwatch::default();
        for (second, piece) in (0..).zip(pieces) {
            stopwatch.take(piece.as_bytes(), Duration::from_secs(second));
        }
        let tests = stopwatch.tests.into_iter();
        tests
            .map(|test| (test.name, test.duration.as_secs(), test.succeeded))
            .collect()
    }

    #[test]
    fn each_test_has_the_time_from_its_name_to_its_result() {
        let pieces = [
            "\nrunning 2 tests\n",
            "test a::b ... ",
            "",
            "ok\ntest c ",
            "... ",
            "FAIL",
            "ED\n",
            "\nfailures:\n\n---- c stdout ----\ntest x ... y\n",
            "test result: FAILED. 1 passed; 1 failed\n",
        ];
        let expected = [("a::b".to_owned(), 2, true), ("c".to_owned(), 2, false)];
        assert_eq!(timed(&pieces), expected);
    }

    #[test]
    fn a_test_that_ends_its_process_is_known() {
        let mut stopwatch = Stopwatch::default();
        stopwatch.take(b"test a ... ok\ntest b ... ", Duration::ZERO);
        assert_eq!(stopwatch.tests.len(), 1);
        assert_eq!(stopwatch.running(), Some("b"));
    }

    #[test]
    fn what_a_child_prints_does_not_end_a_test() {
        let pieces = ["test a ... ", "a line of a child\nand half a line ", "ok\n"];
        assert_eq!(timed(&pieces), [("a".to_owned(), 2, true)]);
    }
}
