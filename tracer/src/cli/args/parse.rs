//! Values as people type them.

use super::show::Grouping;
use crate::report;
use bytesize::ByteSize;
use std::time::Duration;
use tracer_common::limits::MAX_RINGS;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be longer than 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it like 500ms, 30s or 5m")),
    }
}

/// A share, 0 to 1.
pub(in crate::cli) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let share = number.parse::<f64>().map(|percent| percent / 100.0);
    share
        .ok()
        .filter(|share| (0.001..=0.9).contains(share))
        .ok_or_else(|| "must be from 0.1% to 90%".to_owned())
}

pub(super) fn group_by(text: &str) -> Result<Grouping, String> {
    Ok(Grouping(Some(match text {
        "site" => return Ok(Grouping(None)),
        "stack" => report::GroupBy::Stack,
        "type" => report::GroupBy::Type,
        "function" => report::GroupBy::Function,
        "package" => report::GroupBy::Package,
        "goroutine" => report::GroupBy::Goroutine,
        _ if text
            .strip_prefix("label:")
            .is_some_and(|key| !key.is_empty()) =>
        {
            // Typed once, needed as long as the process lives.
            report::GroupBy::Label(Box::leak(text.into()))
        }
        _ => {
            return Err(
                "must be site, stack, type, function, package, goroutine or label:KEY".to_owned(),
            );
        }
    })))
}

pub(super) fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|error| format!("{error}; write it like 512 or 4KiB"))
}

pub(super) fn ring_bytes(text: &str) -> Result<u32, String> {
    let bytes = u32::try_from(bytes(text)?)
        .ok()
        .filter(|bytes| bytes.is_power_of_two() && *bytes >= 4096);
    bytes.ok_or_else(|| "must be a power of two from 4KiB to 2GiB".to_owned())
}

pub(super) fn rings(text: &str) -> Result<u32, String> {
    let count = text.parse::<u32>().ok();
    let count = count.filter(|count| count.is_power_of_two() && *count as usize <= MAX_RINGS);
    count.ok_or_else(|| format!("must be a power of two from 1 to {MAX_RINGS}"))
}
