//! A gzipped `profile.proto`, as `go tool pprof` and everything that reads its format take it.
//!
//! Hides the encoding: string table, locations, labels. Sample types are called as in the Go runtime's own heap profile,
//! so that tools made for that one understand them. The values of each sample type add up to the totals of the report.

mod comments;
mod proto;
mod tables;
mod values;

use super::OutputError;
use crate::report::{Alive, HeapSource, Mode, Report, Stack, StackFigures, TypeFigures};
use flate2::{Compression, GzBuilder};
use prost::Message as _;
use proto::{Label, Mapping, Profile, Sample, ValueType};
use std::collections::HashMap;
use std::io::Write;
use tables::Tables;
use values::{Kind, Values, settle};

/// Name of a type that is not known.
const NO_TYPE: &str = "-";

/// Writes `report` as a gzipped profile. The same report is the same bytes.
pub fn write(report: &Report, out: &mut dyn Write) -> Result<(), OutputError> {
    let profile = profile(report).encode_to_vec();
    let mut gzip = GzBuilder::new().mtime(0).write(out, Compression::default());
    gzip.write_all(&profile)
        .and_then(|()| gzip.finish())
        .map(drop)
        .map_err(OutputError::Write)
}

/// What becomes a sample.
struct Row<'a> {
    /// Position of its stack in the report; `None` for what is at none.
    stack: Option<usize>,
    /// Frames further in than the site.
    start: usize,
    of_type: Option<&'a TypeFigures>,
    values: Values,
}

fn profile(report: &Report) -> Profile {
    let (totals, kinds) = Values::of_totals(report);
    let mut tables = Tables::new(&report.frames);
    let rows = rows(report, &totals);
    let samples = samples(&rows, &kinds, report, &mut tables);
    let mut value_type = |(name, unit): (&str, &str)| ValueType {
        r#type: tables.string(name),
        unit: tables.string(unit),
    };
    let sample_type = kinds.iter().map(|kind| value_type(kind.name())).collect();
    let period_type = Some(value_type(("space", "bytes")));
    let default_sample_type = tables.string(default_kind(report, &kinds).name().0);
    let comment = comments::of(report);
    let comment = comment.iter().map(|line| tables.string(line)).collect();
    let mapping = Mapping {
        id: 1,
        filename: tables.string(&report.target.exe),
        build_id: tables.string(report.target.build_id.as_deref().unwrap_or_default()),
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    };
    Profile {
        sample_type,
        sample: samples,
        mapping: vec![mapping],
        location: tables.locations,
        function: tables.functions,
        string_table: tables.strings,
        time_nanos: signed(report.window.start_unix_ns),
        duration_nanos: signed(report.window.duration_ns),
        period_type,
        period: signed(period(report)),
        comment,
        default_sample_type,
    }
}

fn default_kind(report: &Report, kinds: &[Kind]) -> Kind {
    let wanted = match report.window.mode {
        Mode::Heap => [Kind::InuseSpace, Kind::AllocSpace],
        _ => [Kind::AllocSpace, Kind::RequestedSpace],
    };
    let known = wanted.into_iter().find(|kind| kinds.contains(kind));
    known.unwrap_or(Kind::AllocObjects)
}

/// Bytes between two samples of what the figures are made of.
fn period(report: &Report) -> u64 {
    let heap = report.heap.as_ref();
    let rate = heap.and_then(|heap| heap.profiler.rate_bytes);
    let sampled = match report.window.mode {
        Mode::Heap => true,
        Mode::Sampled => heap.is_some_and(|heap| heap.source == Some(HeapSource::Profiler)),
        _ => false,
    };
    rate.filter(|_| sampled).unwrap_or(1)
}

/// Everything that has a value.
fn rows<'a>(report: &'a Report, totals: &Values) -> Vec<Row<'a>> {
    let by_id: HashMap<u64, usize> = report
        .stacks
        .iter()
        .enumerate()
        .map(|(at, stack)| (stack.id, at))
        .collect();
    let alive = Alive::of(report);
    // Those of samples; of what is alive they always are.
    let in_samples = report.window.mode.is_of_samples();
    let rounded = |kind: Kind| {
        let counted = [
            Kind::AllocObjects,
            Kind::AllocSpace,
            Kind::RequestedSpace,
            Kind::Faults,
        ];
        in_samples || !counted.contains(&kind)
    };
    let mut rows: Vec<Row<'a>> = Vec::new();
    for site in &report.sites {
        for of_stack in &site.stacks {
            let stack = by_id.get(&of_stack.id).copied();
            let frames = stack.and_then(|at| report.stacks.get(at));
            let start = frames.and_then(|stack| stack.start_of(site, &report.frames));
            let parts = split(of_stack, alive, rounded);
            rows.extend(parts.into_iter().map(|(of_type, values)| Row {
                stack,
                start: start.unwrap_or(0),
                of_type,
                values,
            }));
        }
    }
    let mut parts: Vec<&mut Values> = rows.iter_mut().map(|row| &mut row.values).collect();
    let rest = settle(&mut parts, totals, rounded);
    rows.push(Row {
        stack: None,
        start: 0,
        of_type: None,
        values: rest,
    });
    rows.retain(|row| !row.values.is_nothing());
    rows
}

/// The types of a stack, and what of it belongs to none of them.
fn split(
    stack: &StackFigures,
    alive: Alive,
    rounded: impl Fn(Kind) -> bool,
) -> Vec<(Option<&TypeFigures>, Values)> {
    let whole = Values::of_stack(stack, alive);
    if let [only] = stack.types.as_slice() {
        return vec![(Some(only), whole)];
    }
    let mut parts: Vec<_> = stack
        .types
        .iter()
        .map(|of_type| (Some(of_type), Values::of_type(of_type)))
        .collect();
    let mut values: Vec<&mut Values> = parts.iter_mut().map(|(_, values)| values).collect();
    let rest = settle(&mut values, &whole, rounded);
    parts.push((None, rest));
    parts
}

/// What tells samples apart, besides their mean size.
type Identity = (Vec<u64>, Vec<Label>);

/// The samples: one for each stack from its site on, type, and labels of the goroutine.
fn samples(
    rows: &[Row<'_>],
    kinds: &[Kind],
    report: &Report,
    tables: &mut Tables<'_>,
) -> Vec<Sample> {
    let mut sums: Vec<(Identity, Values)> = Vec::new();
    let mut known: HashMap<Identity, usize> = HashMap::new();
    for row in rows {
        let stack = row.stack.and_then(|at| report.stacks.get(at));
        let frames = stack.and_then(|stack| stack.frames.get(row.start..));
        let locations = tables.stack(frames.unwrap_or_default());
        let identity = (locations, labels(row, stack, report, tables));
        let at = *known.entry(identity).or_insert_with_key(|identity| {
            sums.push((identity.clone(), Values::default()));
            sums.len() - 1
        });
        if let Some((_, sum)) = sums.get_mut(at) {
            sum.add(&row.values);
        }
    }
    let samples = sums.into_iter().map(|((location_id, mut label), values)| {
        let value = kinds.iter().map(|kind| signed(values.get(*kind)));
        // As in the runtime's own profile.
        let size = values.mean_size();
        if size > 0 {
            label.push(tables.bytes("bytes", size));
        }
        Sample {
            location_id,
            value: value.collect(),
            label,
        }
    });
    samples.collect()
}

/// The type, and what is known of the goroutine.
fn labels(
    row: &Row<'_>,
    stack: Option<&Stack>,
    report: &Report,
    tables: &mut Tables<'_>,
) -> Vec<Label> {
    let mut labels = Vec::new();
    let name = row.of_type.map(|of_type| of_type.name.as_str());
    if let Some(name) = name.filter(|name| *name != NO_TYPE) {
        labels.push(tables.label("type", name));
    }
    let creator = stack.and_then(|stack| report.frames.get(stack.creator?));
    if let Some(creator) = creator {
        let line = creator.line.map(|line| format!(":{line}"));
        let place = format!("{}{}", creator.file, line.unwrap_or_default());
        let made_by = format!("{} {place}", creator.function);
        labels.push(tables.label("goroutine", made_by.trim()));
    }
    for (key, value) in stack.iter().flat_map(|stack| &stack.labels) {
        labels.push(tables.label(key, value));
    }
    labels
}

/// What the format has signed; a hostile capture may have more.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) use tests::check_sums;

#[cfg(test)]
mod tests;
