//! One driver with several targets, in this very process: what they share is had once, and each is exact.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tracer::capture::{Capture, HeapAsked, ModeAsked, Request, Wanted};
use tracer::drive::{Consumer, Course, Driver, Flow, Moment};
use tracer::plan::Extras;
use tracer::report::{EndedBy, Report};
use tracer_tests::{PATIENCE, Program, newest_go, number};

/// The programs, which measure themselves when both are recorded.
struct Measured {
    programs: Vec<Program>,
    started: usize,
    done: usize,
    since: Instant,
    reports: Vec<Report>,
}

impl Consumer for Measured {
    fn started(&mut self, _capture: &mut Capture) -> anyhow::Result<()> {
        self.started += 1;
        if self.started == self.programs.len() {
            self.programs.iter_mut().for_each(Program::go_on);
        }
        Ok(())
    }

    fn moment(&mut self, _moment: &mut Moment<'_>) -> anyhow::Result<Flow> {
        let programs = self.programs.iter();
        let lines = programs.flat_map(Program::pending_lines);
        self.done += lines.filter(|line| line == "done").count();
        assert!(
            self.since.elapsed() < PATIENCE,
            "the programs measure themselves"
        );
        Ok(if self.done == self.programs.len() {
            Flow::End(EndedBy::Signal)
        } else {
            Flow::GoOn
        })
    }

    fn ended(&mut self, report: &Report) -> anyhow::Result<()> {
        self.reports.push(report.clone());
        Ok(())
    }
}

#[test]
fn two_processes_of_one_binary_are_recorded_by_one_driver_each_exactly() {
    let calls = ["300", "700"];
    let programs = calls.map(|calls| Program::start(&newest_go(), "known", &["-calls", calls]));
    let mut driver = Driver::new(Course {
        duration: None,
        interval: Duration::from_millis(100),
    })
    .expect("a driver");
    let wanted = Wanted {
        allocations: true,
        extras: Extras::NONE,
        heap: HeapAsked::Nothing,
    };
    let prepared: Vec<_> = programs
        .iter()
        .map(|program| {
            program.wait_for("ready");
            let pid = program.pid().try_into().expect("a process id");
            driver.prepare(pid, wanted).expect("a Go program")
        })
        .collect();
    assert!(
        Arc::ptr_eq(prepared[0].binary(), prepared[1].binary()),
        "the binary is opened once"
    );
    let request = Request {
        mode: ModeAsked::Exact,
        min_size: 0,
        stack_depth: 128,
        ring_bytes: None,
        rings: None,
        verbose: false,
        singles: false,
    };
    driver.start(prepared, &request).expect("probes");
    let mut measured = Measured {
        programs: programs.into(),
        started: 0,
        done: 0,
        since: Instant::now(),
        reports: Vec::new(),
    };
    driver.run(&mut [&mut measured]).expect("two reports");
    assert_eq!(measured.reports.len(), 2);
    for (program, report) in measured.programs.iter_mut().zip(&measured.reports) {
        program.go_on();
        let own = serde_json::from_str(&program.line()).expect("the program's figures");
        assert_eq!(report.target.pid, program.pid());
        assert_eq!(report.completeness.lost_total(), 0);
        assert_eq!(report.totals.allocs, number(&own, "/total/mallocs"));
        let bytes = number(&own, "/total/total_alloc");
        assert_eq!(report.totals.alloc_bytes, Some(bytes));
    }
    assert_ne!(
        measured.reports[0].totals.allocs,
        measured.reports[1].totals.allocs
    );
}
