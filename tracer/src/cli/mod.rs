//! The command line: what was typed (`args`), what was meant (`config`), one file per subcommand.

mod args;
mod attach;
mod config;
mod diff;
mod doctor;
mod driving;
mod exit;
mod heap;
mod man;
mod messages;
mod outlet;
mod progress;
mod record;
mod report;
mod run;
mod sinks;
mod terminal;
mod top;
mod version;

pub use args::Args;
pub use exit::code as exit_code;
pub use messages::say;

use crate::tui::terminal::Messages;
use args::Command;
use clap::Parser as _;

/// What was typed. Ends the process where that is no command of ours, or asks for help or the version.
pub fn parse() -> Args {
    match version::answer(std::env::args_os()) {
        Some(answer) => answer.exit(),
        None => Args::parse(),
    }
}

/// Does what was asked for, and gives the code to exit with.
///
/// # Errors
/// Whatever went wrong, to be shown once by the caller; [`exit_code`] gives the code for it.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.command {
        Command::Attach(attach) => attach::run(&attach, &args.global).map(|()| 0),
        Command::Record(record) => record::run(&record, &args.global).map(|()| 0),
        Command::Run(run) => run::run(&run, &args.global),
        Command::Heap(heap) => heap::run(&heap, &args.global).map(|()| 0),
        Command::Report(report) => report::run(&report, &args.global).map(|()| 0),
        Command::Diff(diff) => diff::run(&diff, &args.global),
        Command::Top(top) => top::run(&top, &args.global).map(|()| 0),
        Command::Doctor(doctor) => doctor::run(&doctor, &args.global).map(|()| 0),
        Command::Completions(completions) => man::completions(&completions).map(|()| 0),
        Command::Man(man) => man::pages(&man).map(|()| 0),
    }
}

/// Sends diagnostic messages to standard error, if they were asked for: ours and those of the kernel programs, whose
/// modules are named alike.
pub fn start_logging(args: &Args) {
    let mut logger = env_logger::Builder::new();
    logger.filter_level(log::LevelFilter::Warn);
    if args.global.verbose {
        logger.filter_module("tracer", log::LevelFilter::Debug);
    }
    if matches!(args.command, Command::Top(_)) {
        logger.target(env_logger::Target::Pipe(Box::new(Messages)));
    }
    logger.format_target(false).init();
}
