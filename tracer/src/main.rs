//! The `tracer` command: parse, run, print the error chain once, exit code.

use std::process::ExitCode;
use tracer::cli;
use tracer::launch;

fn main() -> ExitCode {
    // A child of `tracer run` on its way to becoming the traced program.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == launch::EXEC_TRACED) {
        let program = words.next().unwrap_or_default();
        return ExitCode::from(launch::exec_traced(&program, &words.collect::<Vec<_>>()));
    }
    let args = cli::parse();
    cli::start_logging(&args);
    match cli::run(args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cli::say(format_args!("tracer: {error:#}"));
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
