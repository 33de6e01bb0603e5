//! `tracer record`: one capture, then one report.

use super::args::{Global, Record};
use super::config;
use super::driving::{self, Announcement, Files, Naming};
use super::progress::{Recording, during};
use super::sinks::{Sinks, StandardStream};
use crate::drive::Driver;

pub(super) fn run(args: &Record, global: &Global) -> anyhow::Result<()> {
    if driving::explained(&args.target)? {
        return Ok(());
    }
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    let prepared = driving::prepared(&args.target)?;
    let request = config::request(&args.target.tracing, global);
    let mut driver = Driver::new(config::recording(args.duration))?;
    during("attaching", || driver.start(vec![prepared], &request))?;
    driving::drive(
        driver,
        &mut [
            &mut Announcement,
            &mut Recording::of(args.duration),
            &mut Naming::default(),
            &mut Files::new(sinks, global, &args.show, output.value),
        ],
    )
}
