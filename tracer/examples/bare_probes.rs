//! Attaches the probes of the exact plan to a process without the agent around them, for `cargo xtask bench`: probes
//! that do nothing, or ones that record with time stamps, which the agent has no option for.
//!
//! Writes a line `attached to …` to standard error once every probe is live, and detaches when standard input ends.

use anyhow::{Context as _, Result};
use clap::Parser;
use std::io::{Read as _, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tracer::kernel::{self, Anchors, Settings};
use tracer::plan::{self, Extras, ProbePlan};
use tracer::program::{GoBinary, Process};
use tracer::stream::Source as _;
use tracer_common::limits::MAX_FRAMES;

/// How long to rest when the ring is empty, as the agent does.
const REST: Duration = Duration::from_millis(5);

#[derive(Parser)]
struct Arguments {
    /// Process to attach to
    pid: i32,
    /// Record, with time stamps, instead of doing nothing; the records are dropped unread
    #[arg(long)]
    timestamps: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let process = Process::open(arguments.pid)?;
    let binary = process.binary()?;
    let plan = plan::exact(&binary, Extras::NONE)?;
    if arguments.timestamps {
        return record(&process, &binary, &plan);
    }
    let probes = kernel::attach_empty(&process, &plan)?;
    announce(arguments.pid, probes.count);
    wait_for_end_of_input()
}

fn record(process: &Process, binary: &GoBinary, plan: &ProbePlan) -> Result<()> {
    let bias = process.load_bias(binary)?;
    let settings = Settings {
        min_size: 0,
        stack_depth: MAX_FRAMES as u64,
        timestamps: true,
        ring_bytes: None,
        rings: None,
        verbose: false,
        anchors: Anchors::of(process, binary, bias, plan),
    };
    let (mut attached, mut source) = kernel::attach(process, plan, &settings, None)?;
    attached.start()?;
    announce(process.pid(), attached.probes());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if source.drain(&mut |_| ()) == 0 {
                    thread::sleep(REST);
                }
            }
        });
        let ended = wait_for_end_of_input();
        over.store(true, Ordering::Relaxed);
        ended
    })?;
    attached.stop().context("cannot stop recording")
}

#[expect(clippy::print_stderr, reason = "the message that a script waits for")]
fn announce(pid: i32, probes: usize) {
    eprintln!("attached to process {pid}: {probes} probes");
}

fn wait_for_end_of_input() -> Result<()> {
    let mut rest = Vec::new();
    stdin().read_to_end(&mut rest)?;
    Ok(())
}
