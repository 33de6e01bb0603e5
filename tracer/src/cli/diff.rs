//! `tracer diff`: what changed from one saved capture to another.

use super::args::{Diff, Global};
use super::messages::say;
use super::report::read;
use super::sinks::{Sinks, StandardStream};
use crate::compare::{self, Outcome, Verdict};
use crate::output::{Format, Options, diff};

/// The code of a comparison that breaks a rule.
const FAILED: u8 = 1;

pub(super) fn run(args: &Diff, global: &Global) -> anyhow::Result<u8> {
    let output = &args.output;
    // Names that tell no format are for the sinks to judge: standard output and pipes need none.
    let named = output.files.iter().map(|path| Format::of_path(path));
    named.flatten().try_for_each(diff::check)?;
    let (base, candidate) = (read(&args.base)?, read(&args.candidate)?);
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    let terms = args.terms.meant();
    let comparison = compare::compare(&base, &candidate, terms);
    let verdicts = compare::check(&args.fail_on, &base, &candidate, terms.normalize);
    sinks.each(global, args.limit, |format, text, out| {
        let value = comparison.figure.value();
        diff::render(
            format,
            &comparison,
            &verdicts,
            &Options { text, value },
            out,
        )
    })?;
    for verdict in &verdicts {
        tell(verdict);
    }
    let failed = verdicts.iter().any(|verdict| verdict.outcome.fails());
    Ok(if failed { FAILED } else { 0 })
}

/// What became of a rule, but for those that are simply kept.
fn tell(verdict: &Verdict) {
    let Verdict { rule, reason, .. } = verdict;
    match verdict.outcome {
        Outcome::Kept => {}
        Outcome::Noise => say(format_args!("tracer: {rule} holds: {reason}")),
        Outcome::Broken => say(format_args!("tracer: {rule} is broken: {reason}")),
        Outcome::Unknown => say(format_args!("tracer: {rule} cannot be checked: {reason}")),
    }
}
