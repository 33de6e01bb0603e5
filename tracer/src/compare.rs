//! What changed from one capture to another: a pure step from two [`Report`]s to a [`Comparison`].
//!
//! Hides how places are found again after lines moved, how figures of captures of different length are made comparable,
//! and how a change is told from noise. A figure that was not measured is `None`, never 0.
//!
//! A change is significant if it is more than [`limit`] standard errors: 3, and more where many rows are compared, so that
//! at most one comparison in a hundred shows any such row of a figure where nothing changed: neither the program nor its
//! load nor how busy the machine is. See [`measure`] for what the standard errors are made of. Where a capture has lost
//! more than a trifle, it is not known.

mod course;
mod findings;
mod matching;
mod measure;
mod part;
mod rule;
mod warnings;

pub use findings::FindingChanges;
pub use matching::{Match, Place};
pub use rule::{Outcome, Rule, RuleError, Verdict, check};

use crate::report::{Frame, Mode, Report, Value};
use measure::{Comparable, Measured};
use part::Part;
use std::cmp::Ordering;

/// How often any row of a comparison of unchanged programs may look changed.
const FALSE_ALARMS: f64 = 0.01;
/// Fewest standard errors of a significant change.
const FEWEST_ERRORS: f64 = 3.0;

/// How figures of captures of different length are made comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalize {
    /// Per second of recording: for services under steady load.
    #[default]
    Rate,
    /// As they are: for captures of the same work, such as a benchmark or a command from start to exit.
    Total,
}

impl Normalize {
    /// Name in the command line and in output.
    pub fn name(self) -> &'static str {
        match self {
            Normalize::Rate => "rate",
            Normalize::Total => "total",
        }
    }
}

/// What is compared of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Allocations.
    Allocs,
    /// Bytes after rounding to size classes.
    AllocBytes,
    /// Bytes asked for.
    RequestedBytes,
    /// Bytes alive: a level, which time does not divide.
    LiveBytes,
    /// Page faults.
    Faults,
}

impl Figure {
    /// All of them.
    pub const ALL: [Figure; 5] = [
        Figure::Allocs,
        Figure::AllocBytes,
        Figure::RequestedBytes,
        Figure::LiveBytes,
        Figure::Faults,
    ];

    /// Name in the command line and in output.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Allocs => "allocs",
            Figure::AllocBytes => "alloc_bytes",
            Figure::RequestedBytes => "requested_bytes",
            Figure::LiveBytes => "live_bytes",
            Figure::Faults => "faults",
        }
    }

    /// What a flame graph of it is made of.
    pub fn value(self) -> Value {
        match self {
            Figure::Allocs => Value::Allocs,
            Figure::AllocBytes | Figure::RequestedBytes => Value::Bytes,
            Figure::LiveBytes => Value::Live,
            Figure::Faults => Value::Faults,
        }
    }

    /// Whether it is counted in bytes.
    pub fn is_bytes(self) -> bool {
        !matches!(self, Figure::Allocs | Figure::Faults)
    }

    /// Whether it is what there is at the end, not what happened in the time.
    pub fn is_level(self) -> bool {
        self == Figure::LiveBytes
    }
}

/// What rows are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Places in the code.
    #[default]
    Site,
    /// Go types.
    Type,
    /// Functions of the sites.
    Function,
    /// Packages of these functions.
    Package,
}

impl By {
    /// Name in the command line and in output.
    pub fn name(self) -> &'static str {
        match self {
            By::Site => "site",
            By::Type => "type",
            By::Function => "function",
            By::Package => "package",
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What changed most, and by more than the noise.
    #[default]
    Change,
    /// What is most in the candidate.
    Candidate,
}

/// How to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How figures are made comparable.
    pub normalize: Normalize,
    /// What rows are made of.
    pub by: By,
    /// What comes first.
    pub order: Order,
    /// What rows are ordered by; without it bytes, of captures of `tracer heap` what is alive.
    pub value: Option<Value>,
}

/// Two captures, side by side.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// What is compared with.
    pub base: &'a Report,
    /// What may have changed.
    pub candidate: &'a Report,
    /// How figures are made comparable.
    pub normalize: Normalize,
    /// What rows are made of.
    pub by: By,
    /// The figure that rows are ordered by.
    pub figure: Figure,
    /// What makes the two less comparable than they look.
    pub warnings: Vec<String>,
    /// Of everything.
    pub totals: Changes,
    /// In the order asked for.
    pub rows: Vec<Row>,
    /// What is wrong now and was not, and the other way round.
    pub findings: FindingChanges,
    /// Of which figures both captures tell how much they scatter in time.
    scatter_known: PerFigure<bool>,
    /// Why figures of the base and of the candidate are less than what happened; see [`measure::too_low`].
    too_low: [PerFigure<Option<String>>; 2],
}

impl Comparison<'_> {
    /// Whether a figure is compared per second.
    pub fn per_second(&self, figure: Figure) -> bool {
        self.normalize == Normalize::Rate && !figure.is_level()
    }
}

/// What is compared, on both sides.
#[derive(Clone, Debug)]
pub struct Row {
    /// Position in the order, from 1.
    pub rank: u32,
    /// Of a type, a function or a package; of a site the function of its innermost frame. `-` where there is no name.
    pub name: String,
    /// Where it is in the base; `None` if nothing is known of it there.
    pub base: Option<Place>,
    /// Where it is in the candidate.
    pub candidate: Option<Place>,
    /// Why the two are held for the same.
    pub matched: Match,
    /// On which sides it is.
    pub presence: Presence,
    /// Its figures.
    pub changes: Changes,
}

impl Row {
    /// Its frames in the candidate, else those in the base, innermost first; none of a group.
    pub fn frames(&self) -> &[Frame] {
        let place = self.candidate.as_ref().or(self.base.as_ref());
        place.map_or(&[], |place| &place.frames)
    }

    /// The line in the base, if the place is at another now.
    pub fn moved_from(&self) -> Option<u32> {
        let line = |place: &Option<Place>| place.as_ref()?.frames.first()?.line;
        let (base, candidate) = (line(&self.base)?, line(&self.candidate)?);
        (base != candidate).then_some(base)
    }
}

/// On which sides a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// On both.
    Both,
    /// Only in the candidate, and the base is known to have none.
    New,
    /// Only in the base, and the candidate is known to have none.
    Gone,
    /// Only in the candidate; the base does not tell of everything.
    NotInBase,
    /// Only in the base; the candidate does not tell of everything.
    NotInCandidate,
}

impl Presence {
    /// Name in output.
    pub fn name(self) -> &'static str {
        match self {
            Presence::Both => "both",
            Presence::New => "new",
            Presence::Gone => "gone",
            Presence::NotInBase => "not_in_base",
            Presence::NotInCandidate => "not_in_candidate",
        }
    }

    fn of(base: Option<&Part>, candidate: Option<&Part>, whole: [bool; 2]) -> Self {
        match (base, candidate, whole) {
            (Some(_), Some(_), _) | (None, None, _) => Presence::Both,
            (None, _, [true, _]) => Presence::New,
            (None, _, [false, _]) => Presence::NotInBase,
            (_, None, [_, true]) => Presence::Gone,
            (_, None, [_, false]) => Presence::NotInCandidate,
        }
    }
}

/// Something of each figure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PerFigure<T>([T; 5]);

/// The change of each figure.
pub type Changes = PerFigure<Change>;

impl<T> PerFigure<T> {
    fn from(of: impl FnMut(Figure) -> T) -> Self {
        PerFigure(Figure::ALL.map(of))
    }

    /// Of one figure.
    pub fn of(&self, figure: Figure) -> &T {
        let [allocs, alloc_bytes, requested_bytes, live_bytes, faults] = &self.0;
        match figure {
            Figure::Allocs => allocs,
            Figure::AllocBytes => alloc_bytes,
            Figure::RequestedBytes => requested_bytes,
            Figure::LiveBytes => live_bytes,
            Figure::Faults => faults,
        }
    }
}

/// One figure on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// In the base.
    pub base: Side,
    /// In the candidate.
    pub candidate: Side,
    /// Candidate minus base; `None` if one of them is not known.
    pub difference: Option<f64>,
    /// That as a part of the base; `None` if that is 0, too.
    pub relative: Option<f64>,
    /// Standard error of the difference; `None` if it is not known.
    pub error: Option<f64>,
    /// Whether it is more than noise; `None` if that cannot be told.
    pub significant: Option<bool>,
}

/// One figure on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Side {
    /// As it is compared: per second or in all. `None` if it is not known.
    pub value: Option<f64>,
    /// Standard error of `value`.
    pub error: Option<f64>,
    /// In all, as it is in the capture.
    pub total: Option<u64>,
    /// The capture knows the figure, but saw nothing of it here, and would not see all.
    pub unseen: bool,
}

impl Change {
    /// What is compared with each other out of `rows`.
    fn new(base: Side, candidate: Side, expected: [Option<f64>; 2], rows: Rows) -> Self {
        let limit = limit(rows.count);
        let both = base.value.zip(candidate.value);
        let difference = both.map(|(base, candidate)| candidate - base);
        let relative = both
            .filter(|(base, _)| *base > 0.0)
            .map(|(base, candidate)| candidate / base - 1.0);
        // What one side has not seen is held against what it would have seen of as much as there is on the other.
        let [in_base, in_candidate] = expected;
        let (size, error) = match (base.unseen, candidate.unseen) {
            (true, false) => (candidate.value, together(candidate.error, in_base)),
            (false, true) => (base.value, together(base.error, in_candidate)),
            _ => (difference, together(base.error, candidate.error)),
        };
        let significant = size
            .zip(error)
            .map(|(size, error)| size.abs() > limit * error && size != 0.0);
        Change {
            base,
            candidate,
            difference,
            relative,
            error: error.filter(|_| difference.is_some()),
            significant: match size {
                _ if !rows.whole => None,
                Some(0.0) => Some(false),
                _ => significant,
            },
        }
    }

    /// How large it is, to order by: of what one side has not seen as much as the other has.
    pub fn size(&self) -> f64 {
        let one = match (self.base.unseen, self.candidate.unseen) {
            (true, false) => self.candidate.value,
            (false, true) => self.base.value.map(|value| -value),
            _ => None,
        };
        self.difference.or(one).unwrap_or(0.0)
    }
}

/// What a change is one of.
#[derive(Clone, Copy, Debug)]
struct Rows {
    count: usize,
    /// Neither side is too low by more than a trifle.
    whole: bool,
}

/// How many standard errors a change among so many rows must be. As P(|Z| > z) < sqrt(2/π)/z exp(-z²/2) for a normal Z, it
/// is where that is a row's part of [`FALSE_ALARMS`].
fn limit(rows: usize) -> f64 {
    let tail = std::f64::consts::FRAC_2_PI.sqrt();
    let mut limit = FEWEST_ERRORS;
    // Each step is ten times nearer.
    for _ in 0..8 {
        let odds = tail * rows.max(1) as f64 / (FALSE_ALARMS * limit);
        limit = (2.0 * odds.ln().max(0.0)).sqrt().max(FEWEST_ERRORS);
    }
    limit
}

fn together(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).map(|(a, b)| a.hypot(b))
}

/// Compares two captures.
pub fn compare<'a>(base: &'a Report, candidate: &'a Report, terms: Terms) -> Comparison<'a> {
    let comparable = Comparable::of(base, candidate);
    let before = Measured::of(base, terms.normalize, comparable);
    let after = Measured::of(candidate, terms.normalize, comparable);
    let figure = figure(base, candidate, terms);
    let [in_base, in_candidate] = [&before, &after].map(|side| side.places(terms.by));
    let same_build = is_same_build(base, candidate);
    let pairs = matching::pairs(in_base, in_candidate, terms.by, same_build);
    let count = pairs.len();
    let too_low =
        [base, candidate].map(|report| PerFigure::from(|figure| measure::too_low(report, figure)));
    let changes = |parts: [Option<&Part>; 2], count| {
        Changes::from(|figure| {
            let [base, candidate] = parts;
            let sides = [before.side(base, figure), after.side(candidate, figure)];
            let [in_base, in_candidate] = sides;
            let expected = [
                before.expected_error(figure, in_candidate),
                after.expected_error(figure, in_base),
            ];
            let whole = too_low.iter().all(|side| side.of(figure).is_none());
            Change::new(in_base, in_candidate, expected, Rows { count, whole })
        })
    };
    let whole = [before.is_whole(), after.is_whole()];
    let mut rows: Vec<Row> = pairs
        .into_iter()
        .map(|pair| {
            let parts = [pair.base.as_ref(), pair.candidate.as_ref()];
            let parts = parts.map(|side| side.map(|(_, part)| part));
            Row {
                rank: 0,
                presence: Presence::of(parts[0], parts[1], whole),
                changes: changes(parts, count),
                name: pair.name,
                base: pair.base.map(|(place, _)| place),
                candidate: pair.candidate.map(|(place, _)| place),
                matched: pair.matched,
            }
        })
        .collect();
    rows.sort_by(|a, b| order(a, b, terms.order, figure));
    for (rank, row) in (1..).zip(&mut rows) {
        row.rank = rank;
    }
    Comparison {
        base,
        candidate,
        normalize: terms.normalize,
        by: terms.by,
        figure,
        warnings: warnings::warnings([base, candidate], [&before, &after]),
        totals: changes([Some(before.all()), Some(after.all())], 1),
        rows,
        findings: FindingChanges::between(base, candidate),
        scatter_known: PerFigure::from(|figure| {
            before.has_scatter(figure) && after.has_scatter(figure)
        }),
        too_low,
    }
}

fn is_same_build(base: &Report, candidate: &Report) -> bool {
    let builds = [base, candidate].map(|report| report.target.build_id.as_deref());
    builds[0].is_some_and(|build| !build.is_empty()) && builds[0] == builds[1]
}

/// What rows are ordered by: of captures of `tracer heap` what is alive; bytes asked for where rounding is not known.
fn figure(base: &Report, candidate: &Report, terms: Terms) -> Figure {
    let both = [base, candidate];
    let heap = both.iter().any(|report| report.window.mode == Mode::Heap);
    let usual = if heap { Value::Live } else { Value::Bytes };
    // Captures of earlier versions do not tell it of types.
    let rounded = |report: &&Report| {
        let mut types = report.sites.iter().flat_map(|site| &site.types);
        report.totals.alloc_bytes.is_some()
            && (terms.by != By::Type || types.all(|row| row.alloc_bytes.is_some()))
    };
    match terms.value.unwrap_or(usual) {
        Value::Allocs => Figure::Allocs,
        Value::Live => Figure::LiveBytes,
        Value::Faults => Figure::Faults,
        Value::Bytes if both.iter().all(rounded) => Figure::AllocBytes,
        Value::Bytes => Figure::RequestedBytes,
    }
}

fn order(a: &Row, b: &Row, order: Order, figure: Figure) -> Ordering {
    let key = |row: &Row| {
        let change = row.changes.of(figure);
        let candidate = change.candidate.value.unwrap_or(0.0);
        match order {
            Order::Candidate => (0, candidate),
            Order::Change => {
                let size = change.size().abs();
                let noise = u8::from(change.significant == Some(false) || size == 0.0);
                (noise, size)
            }
        }
    };
    let ((a_class, a_size), (b_class, b_size)) = (key(a), key(b));
    let by_size = a_class.cmp(&b_class).then(b_size.total_cmp(&a_size));
    // Of what did not change the largest tells most; what there is none of on either side comes last, as texts leave it out.
    let most = |row: &Row| row.changes.of(figure).candidate.value.unwrap_or(0.0);
    let nothing = |row: &Row| {
        let change = row.changes.of(figure);
        [change.base.value, change.candidate.value] == [Some(0.0); 2]
    };
    let by_size = by_size
        .then_with(|| most(b).total_cmp(&most(a)))
        .then_with(|| nothing(a).cmp(&nothing(b)));
    // All that is equal keeps an order that does not depend on the one of a hash table.
    by_size
        .then_with(|| a.name.cmp(&b.name))
        .then_with(|| a.frames().cmp(b.frames()))
}

#[cfg(test)]
mod tests;
