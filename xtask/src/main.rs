//! `cargo xtask`: builds, tests and demonstrates tracer. Each subcommand has a file of its own; this one only
//! chooses among them and prints the error of the one that failed.

mod apt;
mod bench;
mod bpf;
mod build;
mod capture;
mod command;
mod compiler;
mod demo;
mod dist;
mod fresh;
mod go;
mod http;
mod large;
mod live;
mod matrix;
mod pictures;
mod pip;
mod pprof;
mod probes;
mod programs;
mod progress;
mod service;
mod sudo;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, tests and demonstrates tracer.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Bench(bench::Arguments),
    Bpf(bpf::Arguments),
    Build(build::Arguments),
    Capture(capture::Arguments),
    Demo(demo::Arguments),
    Dist(dist::Arguments),
    Fresh(fresh::Arguments),
    Pictures(pictures::Arguments),
    Probes(probes::Arguments),
    Test(test::Arguments),
    Tidy(tidy::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("error: {error}"));
            for cause in error.chain().skip(1) {
                progress::say(&format!("  because: {cause}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Bpf(bpf::Arguments {}) => bpf::run(),
        Task::Build(arguments) => build::run(&arguments),
        Task::Capture(arguments) => capture::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::Fresh(arguments) => fresh::run(&arguments),
        Task::Pictures(arguments) => pictures::run(&arguments),
        Task::Probes(arguments) => probes::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Tidy(tidy::Arguments {}) => tidy::run(),
    }
}
