//! The probes that `cargo xtask bench` compares with: they do nothing, at every place of the exact plan.

use anyhow::Result;
use tracer::kernel;
use tracer::plan::{self, Extras, MapProbes};
use tracer::program::Process;
use tracer_tests::{Program, newest_go, wait_for_earlier_detaches};

#[test]
fn probes_that_do_nothing_are_at_every_place_and_let_the_target_run() -> Result<()> {
    let mut churn = Program::start(&newest_go(), "churn", &["-goroutines", "2"]);
    churn.wait_for("ready");
    wait_for_earlier_detaches();
    let process = Process::open(churn.pid().try_into()?)?;
    let extras = Extras {
        maps: MapProbes::Writes,
        ..Extras::NONE
    };
    let plan = plan::exact(&process.binary()?, extras)?;
    let probes = kernel::attach_empty(&process, &plan)?;
    assert_eq!(probes.count, plan.probes());
    // What it said before is no news.
    drop(churn.pending_lines());
    let before = iterations(&churn.line())?;
    let after = iterations(&churn.line())?;
    assert!(after > before, "{before} iterations, then {after}");
    drop(probes);
    assert!(churn.is_running());
    Ok(())
}

/// The number in `iterations N`.
fn iterations(line: &str) -> Result<u64> {
    Ok(line.trim_start_matches("iterations ").parse()?)
}
