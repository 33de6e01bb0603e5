//! Numbers for people: at most four significant characters and a unit, or every digit where exactness is the point.
//!
//! A figure that is unknown or makes no sense is a dash.

/// What stands for a figure that was not measured.
pub(crate) const UNKNOWN: &str = "-";

const NS_PER_S: f64 = 1e9;
const COUNTS_PER_S: [&str; 7] = ["/s", "k/s", "M/s", "G/s", "T/s", "P/s", "E/s"];

/// Bytes in binary units: `831 MiB`, `1.5 KiB`, `96 B`.
pub(crate) fn bytes(value: u64) -> String {
    scaled(
        value as f64,
        1024.0,
        &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"],
    )
}

/// Bytes, or a dash.
pub(crate) fn maybe_bytes(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.into(), bytes)
}

/// Bytes per second.
pub(crate) fn byte_rate(per_s: Option<f64>) -> String {
    let units = [
        " B/s", " KiB/s", " MiB/s", " GiB/s", " TiB/s", " PiB/s", " EiB/s", " ZiB/s", " YiB/s",
    ];
    per_s.map_or_else(|| UNKNOWN.into(), |rate| scaled(rate, 1024.0, &units))
}

/// The size of one thing: every byte up to 9999, as size classes are known by, then as [`bytes`].
pub(crate) fn size(value: u64) -> String {
    if value < 10_000 {
        format!("{value} B")
    } else {
        bytes(value)
    }
}

/// A number of things: every digit up to 9999, then `12.3k`, `1.23M`.
pub(crate) fn count(value: u64) -> String {
    if value < 10_000 {
        return value.to_string();
    }
    scaled(value as f64, 1000.0, &["", "k", "M", "G", "T", "P", "E"])
}

/// Things per second.
pub(crate) fn rate(per_s: Option<f64>) -> String {
    per_s.map_or_else(
        || UNKNOWN.into(),
        |rate| scaled(rate, 1000.0, &COUNTS_PER_S),
    )
}

/// A figure that was made comparable: in bytes or things, per second or in all.
pub(crate) fn amount(value: Option<f64>, in_bytes: bool, per_s: bool) -> String {
    match (value, in_bytes, per_s) {
        (_, true, true) => byte_rate(value),
        (_, false, true) => rate(value),
        (Some(value), true, false) => scaled(
            value,
            1024.0,
            &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"],
        ),
        (Some(value), false, false) if (0.0..10_000.0).contains(&value) => {
            significant(value.round())
        }
        (Some(value), false, false) => scaled(value, 1000.0, &["", "k", "M", "G", "T", "P", "E"]),
        (None, ..) => UNKNOWN.into(),
    }
}

/// A difference of such figures, with its sign.
pub(crate) fn difference(value: Option<f64>, in_bytes: bool, per_s: bool) -> String {
    let size = amount(value.map(f64::abs), in_bytes, per_s);
    signed(value, size)
}

/// A change as a part of what there was: `+45.0 %`.
pub(crate) fn relative(change: Option<f64>) -> String {
    let percent = percent(change.map(|change| change.abs() * 100.0));
    signed(change, percent)
}

fn signed(value: Option<f64>, size: String) -> String {
    match value {
        // What is too small to be told has no sign worth telling.
        _ if size == UNKNOWN || size.starts_with('<') => size,
        Some(value) if value > 0.0 => format!("+{size}"),
        Some(value) if value < 0.0 => format!("-{size}"),
        _ => size,
    }
}

/// Every digit, in groups of three: `12,345,678`.
pub(crate) fn exact(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 map`, `1,200 maps`, `2 entries`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let number_of = exact(number);
    match noun.strip_suffix('y') {
        _ if number == 1 => format!("{number_of} {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number_of} {stem}ies"),
        _ => format!("{number_of} {noun}s"),
    }
}

/// `total` per second of a span of time; unknown for an empty span.
pub(crate) fn per_second(total: u64, duration_ns: u64) -> Option<f64> {
    (duration_ns > 0).then(|| total as f64 * NS_PER_S / duration_ns as f64)
}

/// The share of `part` in `whole`, in percent.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

/// A percentage with one digit after the point. What is not all never reads `100 %`, and what is not nothing never
/// reads `0 %`.
pub(crate) fn percent(value: Option<f64>) -> String {
    match value {
        Some(0.0) => "0 %".into(),
        Some(value) if value > 0.0 && value < 0.1 => "<0.1 %".into(),
        Some(value) if value > 0.0 && value < 100.0 => format!("{:.1} %", value.min(99.9)),
        Some(value) if value >= 100.0 && value.is_finite() => {
            scaled(value.round(), 1000.0, &[" %", "k %", "M %"])
        }
        _ => UNKNOWN.into(),
    }
}

/// A span of time: `350 ms`, `10.0 s`, `2 m 05 s`, `1 h 02 m`.
pub(crate) fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 => nanoseconds(ns as f64),
        1..60 => format!("{:.1} s", ns as f64 / NS_PER_S),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A short span of time: `912 ns`, `1.20 µs`.
pub(crate) fn nanoseconds(ns: f64) -> String {
    scaled(ns, 1000.0, &[" ns", " µs", " ms", " s"])
}

/// `value` in the first unit in which it needs no more digits than the base has.
fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    if !value.is_finite() || value < 0.0 {
        return UNKNOWN.into();
    }
    for unit in units {
        if value.round() < base {
            return format!("{}{unit}", significant(value));
        }
        value /= base;
    }
    // Beyond every unit: only a hostile file says so.
    UNKNOWN.into()
}

/// Three significant digits, or fewer if they say it all.
fn significant(value: f64) -> String {
    match value {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value < 0.01 => "<0.01".into(),
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_have_their_plural() {
        let check = |number, noun, expect| assert_eq!(plural(number, noun), expect);
        check(1, "map", "1 map");
        check(1200, "map", "1,200 maps");
        check(1, "entry", "1 entry");
        check(0, "entry", "0 entries");
        check(2, "key", "2 keys");
    }

    #[test]
    fn bytes_take_the_unit_that_keeps_them_short() {
        let check = |value: u64, expect: &str| assert_eq!(bytes(value), expect);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1 KiB");
        check(1536, "1.50 KiB");
        check(10_234, "9.99 KiB");
        check(10_235, "10.0 KiB");
        check(1024 * 1024 - 1, "1.00 MiB");
        check(831 << 20, "831 MiB");
        check(u64::MAX, "16 EiB");
        assert_eq!(size(9999), "9999 B");
        assert_eq!(size(32_768), "32 KiB");
    }

    #[test]
    fn counts_keep_their_digits_while_they_are_few() {
        let check = |value: u64, expect: &str| assert_eq!(count(value), expect);
        check(9999, "9999");
        check(12_345, "12.3k");
        check(999_500, "1.00M");
        check(1_234_567, "1.23M");
        check(u64::MAX, "18.4E");
        assert_eq!(exact(0), "0");
        assert_eq!(exact(999), "999");
        assert_eq!(exact(1000), "1,000");
        assert_eq!(exact(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn percentages_do_not_round_to_all_or_nothing() {
        let check = |value: f64, expect: &str| assert_eq!(percent(Some(value)), expect);
        check(0.0, "0 %");
        check(0.001, "<0.1 %");
        check(12.34, "12.3 %");
        check(99.99, "99.9 %");
        check(100.0, "100 %");
        check(215.4, "215 %");
        check(f64::NAN, UNKNOWN);
        check(1e12, UNKNOWN);
        check(f64::INFINITY, UNKNOWN);
        check(-1.0, UNKNOWN);
        assert_eq!(percent(None), UNKNOWN);
        assert_eq!(percent(share(1, 0)), UNKNOWN);
    }

    #[test]
    fn differences_have_a_sign() {
        assert_eq!(difference(Some(1536.0), true, true), "+1.50 KiB/s");
        assert_eq!(difference(Some(-1536.0), true, false), "-1.50 KiB");
        assert_eq!(difference(Some(0.0), false, true), "0/s");
        assert_eq!(difference(Some(-12_345.0), false, false), "-12.3k");
        assert_eq!(difference(Some(f64::NAN), false, false), UNKNOWN);
        assert_eq!(difference(None, true, true), UNKNOWN);
        assert_eq!(relative(Some(0.4501)), "+45.0 %");
        assert_eq!(relative(Some(-1.0)), "-100 %");
        assert_eq!(relative(Some(0.0)), "0 %");
        assert_eq!(relative(Some(-1e-9)), "<0.1 %");
        assert_eq!(relative(Some(1e300)), UNKNOWN);
        assert_eq!(relative(None), UNKNOWN);
    }

    #[test]
    fn rates_are_unknown_over_no_time() {
        assert_eq!(rate(per_second(5, 0)), UNKNOWN);
        assert_eq!(rate(per_second(5, 2_000_000_000)), "2.50/s");
        assert_eq!(rate(per_second(1, 3_600_000_000_000)), "<0.01/s");
        assert_eq!(rate(Some(1e300)), UNKNOWN);
        assert_eq!(byte_rate(per_second(u64::MAX, 1_000)), "15.3 YiB/s");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let check = |ns: u64, expect: &str| assert_eq!(duration(ns), expect);
        check(0, "0 ns");
        check(350_000_000, "350 ms");
        check(10_000_000_000, "10.0 s");
        check(125_000_000_000, "2 m 05 s");
        check(3_720_000_000_000, "1 h 02 m");
    }
}
