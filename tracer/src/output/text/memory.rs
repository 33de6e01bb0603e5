//! Where resident memory comes from: its parts, and the one that is the reason for it.

use super::{
    TextOptions,
    header::LABEL,
    line::{Line, flow, wrap},
    style::{BAR, FAINT, PLAIN, STRONG},
    table::bar,
    units,
};
use crate::report::{Memory, PartKind};

/// Parts below this share of all are not shown.
const SHOWN_SHARE: u64 = 100;
/// Where the columns of a part end.
const BYTES_END: usize = LABEL + 9;
const SHARE_END: usize = BYTES_END + 8;
const BAR_START: usize = SHARE_END + 2;
const NAME: usize = BAR_START + 12;

pub(super) fn lines(memory: &Memory, options: &TextOptions) -> Vec<Line> {
    let columns = options.columns();
    let mut items = vec![(format!("RSS {}", units::bytes(memory.rss_bytes)), STRONG)];
    let live = memory.part(PartKind::Live).filter(|live| *live > 0);
    if let Some(live) = live {
        let times = memory.rss_bytes as f64 / live as f64;
        items.push((format!("{times:.1} times the live heap"), PLAIN));
    }
    if memory.swap_bytes > 0 {
        items.push((
            format!("{} swapped out", units::bytes(memory.swap_bytes)),
            PLAIN,
        ));
    }
    let mut lines = wrap(Line::starting("memory", FAINT), LABEL, &items, columns);
    for part in &memory.parts {
        if part.bytes.saturating_mul(SHOWN_SHARE) < memory.rss_bytes {
            continue;
        }
        let mut line = Line::default();
        line.push_right(&units::bytes(part.bytes), BYTES_END, PLAIN);
        let share = units::percent(units::share(part.bytes, memory.rss_bytes));
        line.push_right(&share, SHARE_END, PLAIN);
        line.pad_to(BAR_START);
        line.push(&bar(part.bytes, memory.rss_bytes), BAR);
        lines.extend(flow(line, NAME, part.kind.words(), PLAIN, columns));
    }
    lines.extend(untouched(memory, columns));
    if let Some(reason) = memory.reason() {
        let text = format!("→ mostly {}; {}", reason.kind.words(), reason.kind.advice());
        lines.extend(flow(Line::default(), LABEL, &text, FAINT, columns));
    }
    lines
}

/// Parts are what the runtime counts as its own: more than is resident, if it has not touched all of it.
fn untouched(memory: &Memory, columns: usize) -> Vec<Line> {
    let bytes = memory.untouched_bytes.unwrap_or(0);
    if bytes == 0 || bytes.saturating_mul(SHOWN_SHARE) < memory.rss_bytes {
        return Vec::new();
    }
    let mut line = Line::default();
    line.push_right(&units::bytes(bytes), BYTES_END, PLAIN);
    let text = "of these are not resident: never touched, or swapped out";
    flow(line, NAME, text, FAINT, columns)
}
