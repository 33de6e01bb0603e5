//! What was typed. Validates, never acts.

mod compare;
mod examples;
mod parse;
mod show;
mod tracing;

pub(super) use compare::Terms;
pub(super) use parse::percent;
pub(super) use show::{DiffOutput, Output, Show, SortBy, StreamFormat, Value};
pub(super) use tracing::{DEFAULT_BUDGET, ModeArgument, Tracing};

use crate::compare::Rule;
use clap::{ArgAction, Parser, Subcommand, ValueEnum, ValueHint, value_parser};
use parse::duration;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Shows where the memory of a running Go program comes from, from outside
///
/// Counts every heap allocation of a running, unmodified Go program by the line of code that makes it: no code change, no
/// restart, no endpoint in the target.
#[derive(Debug, Parser)]
#[command(version, disable_version_flag = true, after_help = examples::EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: Global,
    /// Print version; with --verbose also commit, eBPF object and its compiler
    #[arg(short = 'V', long, action = ArgAction::Version, display_order = 1000)]
    version: Option<bool>,
}

/// Options of every subcommand.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Global {
    /// When to use colour
    #[arg(
        long,
        value_enum,
        default_value_t,
        global = true,
        display_order = 900,
        value_name = "WHEN"
    )]
    pub(super) color: Color,
    /// The same as --color never
    #[arg(long, global = true, display_order = 901, conflicts_with = "color")]
    pub(super) no_color: bool,
    /// Show diagnostic messages, those of the kernel programs included
    #[arg(long, short, global = true, display_order = 902)]
    pub(super) verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb; also elsewhere if CLICOLOR_FORCE is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Trace a process live, to standard output, until Ctrl-C
    #[command(after_help = examples::ATTACH_EXAMPLES)]
    Attach(Attach),
    /// Trace a process for a while, then report
    #[command(after_help = examples::RECORD_EXAMPLES)]
    Record(Record),
    /// Run a program and trace it from its first instruction to its exit
    #[command(after_help = examples::RUN_EXAMPLES)]
    Run(Run),
    /// Show what is alive on a process's heap, and where it comes from, without a probe
    #[command(after_help = examples::HEAP_EXAMPLES)]
    Heap(Heap),
    /// Show a saved capture
    #[command(after_help = examples::REPORT_EXAMPLES)]
    Report(Report),
    /// Compare two saved captures
    #[command(after_help = examples::DIFF_EXAMPLES)]
    Diff(Diff),
    /// Watch a process on the whole screen
    #[command(after_help = examples::TOP_EXAMPLES)]
    Top(Top),
    /// Check this host and a process
    #[command(after_help = examples::DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Print what a shell needs to complete command lines of tracer
    #[command(after_help = examples::COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Write the manual pages, for packages
    #[command(hide = true)]
    Man(Man),
}

/// What to trace, and how.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Target {
    /// Process to trace
    #[arg(long, short, value_parser = value_parser!(i32).range(1..), value_name = "PID")]
    pub(super) pid: i32,
    #[command(flatten)]
    pub(super) tracing: Tracing,
    /// Print the probes that would be attached, and why, then exit
    #[arg(long)]
    pub(super) explain: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Attach {
    #[command(flatten)]
    pub(super) target: Target,
    /// End after this time (30s, 5m); without it, go on until Ctrl-C
    #[arg(long, short, value_parser = duration, value_name = "TIME")]
    pub(super) duration: Option<Duration>,
    /// Time between two outputs
    #[arg(long, short, value_parser = duration, value_name = "TIME", default_value = "1s")]
    pub(super) interval: Duration,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = StreamFormat::Text)]
    pub(super) format: StreamFormat,
    /// Write a line for each allocation, too; needs --format ndjson. Those that the reader is too slow for are counted
    #[arg(long)]
    pub(super) events: bool,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Record {
    #[command(flatten)]
    pub(super) target: Target,
    /// How long to record; without it, until Ctrl-C or the target's exit
    #[arg(long, short, value_parser = duration, value_name = "TIME")]
    pub(super) duration: Option<Duration>,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Program to run: a path, or a name that is in PATH
    #[arg(value_name = "PROGRAM", value_hint = ValueHint::CommandName)]
    pub(super) program: OsString,
    /// Its arguments
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) arguments: Vec<OsString>,
    #[command(flatten)]
    pub(super) tracing: Tracing,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Heap {
    /// Process to look at
    #[arg(long, short, value_parser = value_parser!(i32).range(1..), value_name = "PID")]
    pub(super) pid: i32,
    /// Look for so long, to see what grows (30s, 5m); without it, once
    #[arg(long, short, value_parser = duration, value_name = "TIME")]
    pub(super) duration: Option<Duration>,
    /// Time between two looks
    #[arg(long, short, value_parser = duration, value_name = "TIME", default_value = "1s", requires = "duration")]
    pub(super) interval: Duration,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Report {
    /// A capture: a `.json` file made by `tracer record`
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// What to compare with: a `.json` file made by `tracer record`
    #[arg(value_name = "BASE")]
    pub(super) base: PathBuf,
    /// What may have changed: another
    #[arg(value_name = "CANDIDATE")]
    pub(super) candidate: PathBuf,
    #[command(flatten)]
    pub(super) terms: Terms,
    /// Rows to show in text
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: usize,
    /// Exit with code 1 if something grew by so much, and by more than noise: see below. May be repeated
    #[arg(long, value_name = "RULE")]
    pub(super) fail_on: Vec<Rule>,
    #[command(flatten)]
    pub(super) output: DiffOutput,
}

#[derive(Debug, clap::Args)]
pub(super) struct Top {
    #[command(flatten)]
    pub(super) target: Target,
    /// Time between two looks
    #[arg(long, short, value_parser = duration, value_name = "TIME", default_value = "1s")]
    pub(super) interval: Duration,
    /// What to show first
    #[arg(long, value_enum, value_name = "FIGURE", default_value_t = SortBy::Bytes)]
    pub(super) sort: SortBy,
}

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Look at this process, too
    #[arg(long, short, value_parser = value_parser!(i32).range(1..), value_name = "PID")]
    pub(super) pid: Option<i32>,
    /// Print the probes that a capture of it would attach, too, and why
    #[arg(long, requires = "pid")]
    pub(super) explain: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Where to; it is made if it does not exist
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// Date of the pages
    // Not empty: then the fields after it would take its place.
    #[arg(long, default_value = " ")]
    pub(super) date: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_option_is_documented_and_consistent() {
        Args::command().help_expected(true).debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_fit_80_columns() {
        let root = Args::command();
        let commands = root
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        for command in commands.chain([&root]) {
            let end = command.get_after_help().map(ToString::to_string);
            let end = end.unwrap_or_default();
            let (_, examples) = end.split_once("Examples:\n").unwrap();
            assert!(examples.contains("  tracer "), "{}", command.get_name());
            for line in examples.lines() {
                assert!(line.len() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn values_are_checked() {
        let check = |args: &[&str], ok: bool| {
            let parsed = Args::try_parse_from([&["tracer", "record", "--pid"], args].concat());
            assert_eq!(parsed.is_ok(), ok, "{args:?}");
        };
        check(&["1", "--duration", "500ms"], true);
        check(&["0"], false);
        check(&["-4"], false);
        check(&["1", "--duration", "0s"], false);
        check(&["1", "--duration", "soon"], false);
        check(&["1", "--mode", "exact"], true);
        check(&["1", "--mode", "guess"], false);
        check(&["1", "--max-overhead", "2.5%"], true);
        check(&["1", "--max-overhead", "0"], false);
        check(&["1", "--max-overhead", "100%"], false);
        check(&["1", "--maps", "writes"], true);
        check(&["1", "--maps", "reads"], false);
        check(&["1", "--min-size", "4KiB"], true);
        check(&["1", "--ring-size", "1MiB"], true);
        check(&["1", "--ring-size", "1000"], false);
        check(&["1", "--rings", "8"], true);
        check(&["1", "--rings", "3"], false);
        check(&["1", "--rings", "16"], false);
        check(&["1", "--stack-depth", "129"], false);
    }
}
