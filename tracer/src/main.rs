//! The `tracer` command: parse, run, print the error chain once, exit code.

use clap::Parser as _;
use std::process::ExitCode;
use tracer::cli::{self, Args};

fn main() -> ExitCode {
    let args = Args::parse();
    cli::start_logging(&args);
    match cli::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("tracer: {error:#}");
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
