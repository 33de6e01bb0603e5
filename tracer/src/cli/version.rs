//! `tracer --version --verbose`: what exactly this agent is, for a report of a fault. Hides that these two options
//! without a subcommand are a command line of their own.

use clap::Parser;
use clap::error::ErrorKind;
use std::env::consts::ARCH;
use std::ffi::OsString;

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
    (question.version && question.verbose)
        .then(|| clap::Error::raw(ErrorKind::DisplayVersion, text()))
}

/// One fact a line; the build script knows the commit and the object.
fn text() -> String {
    format!(
        "tracer {}\n\
         commit: {}\n\
         architecture: {ARCH}\n\
         eBPF object: {}\n\
         eBPF compiler: {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("TRACER_COMMIT"),
        env!("TRACER_OBJECT"),
        env!("TRACER_OBJECT_COMPILER"),
    )
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
        let text = text();
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
