//! `tracer --version --verbose`: what exactly this agent is, for a report of a fault. Hides that these two options
//! without a subcommand are a command line of their own.

use clap::{Command, Parser};
use std::ffi::OsString;

/// The version, and then one fact a line, as the build script found them.
const FACTS: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("TRACER_COMMIT"),
    "\narchitecture: ",
    env!("TRACER_ARCHITECTURE"),
    "\neBPF object: ",
    env!("TRACER_OBJECT"),
    "\neBPF compiler: ",
    env!("TRACER_OBJECT_COMPILER"),
);

/// The words that ask for it, and no other.
#[derive(Debug, Parser)]
#[command(disable_version_flag = true, disable_help_flag = true)]
struct Question {
    #[arg(short = 'V', long)]
    version: bool,
    #[arg(short, long)]
    verbose: bool,
}

/// The answer as clap shows a version, if the words of a command line ask for it.
pub(super) fn answer(words: impl IntoIterator<Item = OsString>) -> Option<clap::Error> {
    let question = Question::try_parse_from(words).ok()?;
    if !(question.version && question.verbose) {
        return None;
    }
    let tracer = Command::new("tracer").long_version(FACTS);
    tracer.try_get_matches_from(["tracer", "--version"]).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> bool {
        answer(line.split(' ').map(OsString::from)).is_some()
    }

    #[test]
    fn only_both_options_without_a_subcommand_ask_for_it() {
        for line in [
            "tracer -vV",
            "tracer -Vv",
            "tracer --version --verbose",
            "tracer -v --version",
        ] {
            assert!(asked(line), "{line}");
        }
        for line in [
            "tracer",
            "tracer -V",
            "tracer -v",
            "tracer -vV doctor",
            "tracer run -- x -vV",
        ] {
            assert!(!asked(line), "{line}");
        }
    }

    #[test]
    fn a_line_tells_one_fact() {
        let answer = answer(["tracer", "-vV"].map(OsString::from)).unwrap();
        assert!(!answer.use_stderr() && answer.exit_code() == 0);
        let text = answer.to_string();
        let first = concat!("tracer ", env!("CARGO_PKG_VERSION"));
        assert_eq!(text.lines().next(), Some(first));
        let keys: Vec<&str> = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split(": ").next())
            .collect();
        assert_eq!(
            keys,
            ["commit", "architecture", "eBPF object", "eBPF compiler"]
        );
        let fact = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_once(": ").unwrap().1
        };
        let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let commit = fact("commit");
        assert!(commit == "unknown" || hexadecimal(commit), "{commit}");
        let object = fact("eBPF object");
        assert!(
            object == "none" || (object.len() == 64 && hexadecimal(object)),
            "{object}"
        );
    }
}
