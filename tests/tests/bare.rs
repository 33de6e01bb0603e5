//! The probes that `cargo xtask bench` compares with: they do nothing, at every place of the exact plan.

use anyhow::Result;
use tracer::kernel;
use tracer::plan::{self, Extras, MapProbes};
use tracer::program::Process;
use tracer_tests::{Churn, wait_for_earlier_detaches};

#[test]
fn probes_that_do_nothing_are_at_every_place_and_let_the_target_run() -> Result<()> {
    let mut churn = Churn::start(2);
    wait_for_earlier_detaches();
    let process = Process::open(churn.pid().try_into()?)?;
    let extras = Extras {
        maps: MapProbes::Writes,
        ..Extras::NONE
    };
    let plan = plan::exact(&process.binary()?, extras)?;
    let probes = kernel::attach_empty(&process, &plan)?;
    assert_eq!(probes.count, plan.probes());
    churn.iterate(1);
    drop(probes);
    assert!(churn.program.is_running());
    Ok(())
}
