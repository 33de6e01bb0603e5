//! The command line: what was typed (`args`), what was meant (`config`), one file per subcommand.

mod args;
mod attach;
mod config;
mod doctor;
mod exit;
mod record;
mod report;
mod sinks;
mod terminal;

pub use args::Args;
pub use exit::code as exit_code;

use args::Command;

/// Does what was asked for.
///
/// # Errors
/// Whatever went wrong, to be shown once by the caller; [`exit_code`] gives the code to exit with.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Attach(attach) => attach::run(&attach, &args.global),
        Command::Record(record) => record::run(&record, &args.global),
        Command::Report(report) => report::run(&report, &args.global),
        Command::Doctor(doctor) => doctor::run(&doctor, &args.global),
    }
}

/// Sends diagnostic messages to standard error, if they were asked for.
pub fn start_logging(args: &Args) {
    let level = if args.global.verbose {
        log::LevelFilter::Debug
    } else {
        log::LevelFilter::Warn
    };
    env_logger::Builder::new()
        .filter_level(level)
        .format_target(false)
        .init();
}
