//! Which places of two captures are the same: builds differ in lines, directories and in what is inlined.
//!
//! Sites are found again in steps, from the surest to the least sure; what one step pairs the next does not see. That a
//! line is the same tells little between two builds: where lines were inserted, another place may be at it now. So all
//! lines of a function are looked at together. Groups are the same if their names are.

use super::By;
use super::part::Part;
use crate::report::{Frame, Site};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Why two places are held for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// All logical frames are equal, lines included.
    Frames,
    /// The functions and the names of their files are equal; the line moved.
    Moved,
    /// The function is the same: what is left of it on both sides, added up.
    Function,
    /// The name is the same, of a group.
    Name,
    /// It is on one side only.
    Nothing,
}

impl Match {
    /// Name in output.
    pub fn name(self) -> &'static str {
        match self {
            Match::Frames => "frames",
            Match::Moved => "moved",
            Match::Function => "function",
            Match::Name => "name",
            Match::Nothing => "nothing",
        }
    }
}

/// Where something is in a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Logical frames, innermost first; none of a group. Of several sites those of the one with most bytes.
    pub frames: Vec<Frame>,
    /// The sites that it is made of.
    pub sites: Vec<u32>,
    /// The type that most of it is of, if that is known.
    pub type_name: Option<String>,
}

impl Place {
    /// The place of one site, or of a group that it is in.
    pub(super) fn of(site: &Site, by: By) -> Self {
        let of_site = by == By::Site;
        let first = site.types.first().filter(|_| of_site);
        Place {
            frames: if of_site {
                site.frames.clone()
            } else {
                Vec::new()
            },
            sites: vec![site.id],
            type_name: first.map(|of_type| of_type.name.clone()),
        }
    }
}

/// A place of one capture.
type Side = (Place, Part);

/// What is compared.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) base: Option<Side>,
    pub(super) candidate: Option<Side>,
    pub(super) matched: Match,
}

/// What is the same in both; what is in one only comes last. Of one build equal lines are the same place.
pub(super) fn pairs(
    base: Vec<(String, Place, Part)>,
    candidate: Vec<(String, Place, Part)>,
    by: By,
    same_build: bool,
) -> Vec<Pair> {
    let mut left = Left {
        base: base.into_iter().map(Some).collect(),
        candidate: candidate.into_iter().map(Some).collect(),
        pairs: Vec::new(),
    };
    if by == By::Site {
        left.join(Match::Frames, |place| {
            (same_build || place.frames.is_empty()).then(|| place.frames.clone())
        });
        left.align(unmoved, chain);
        left.align(aligned, |place| (chain(place), place.type_name.clone()));
        left.align(aligned, chain);
        left.join(Match::Function, ends);
        let whole = left.not_inlined();
        left.join(Match::Function, |place| {
            let function = &place.frames.first()?.function;
            whole.contains_key(function).then(|| function.clone())
        });
    } else {
        left.join_by(Match::Name, |name, _| Some(name.to_owned()));
    }
    left.finish()
}

/// Functions and the names of their files: directories differ from one machine to another, and from one version of Go to
/// the next.
fn chain(place: &Place) -> Vec<(String, String)> {
    let frames = place.frames.iter();
    frames
        .map(|frame| {
            let file = frame.file.rsplit('/').next().unwrap_or_default();
            (frame.function.clone(), file.to_owned())
        })
        .collect()
}

/// The innermost function and the one that holds the code.
fn ends(place: &Place) -> Option<(String, String)> {
    let (first, last) = (place.frames.first()?, place.frames.last()?);
    Some((first.function.clone(), last.function.clone()))
}

/// What has not been paired yet.
struct Left {
    base: Vec<Option<(String, Place, Part)>>,
    candidate: Vec<Option<(String, Place, Part)>>,
    pairs: Vec<Pair>,
}

impl Left {
    /// Pairs everything with the same key, added up.
    fn join<K: Hash + Eq>(&mut self, matched: Match, key: impl Fn(&Place) -> Option<K>) {
        self.join_by(matched, |_, place| key(place));
    }

    fn join_by<K: Hash + Eq>(&mut self, matched: Match, key: impl Fn(&str, &Place) -> Option<K>) {
        let base = grouped(&self.base, &key);
        let mut candidate = grouped(&self.candidate, &key);
        // In the order of the base, not of a hash table.
        let mut keys: Vec<(K, Vec<usize>)> = base.into_iter().collect();
        keys.sort_unstable_by_key(|(_, at)| at.first().copied());
        for (key, in_base) in keys {
            if let Some(in_candidate) = candidate.remove(&key) {
                self.pair(&in_base, &in_candidate, matched);
            }
        }
    }

    /// Pairs places that differ in lines only, as `find` says which these are.
    fn align<K: Hash + Eq>(
        &mut self,
        find: impl Fn(&[Lines], &[Lines]) -> Vec<(usize, usize)>,
        key: impl Fn(&Place) -> K,
    ) {
        let key = |_: &str, place: &Place| (!place.frames.is_empty()).then(|| key(place));
        let base = grouped(&self.base, &key);
        let mut candidate = grouped(&self.candidate, &key);
        let mut keys: Vec<(K, Vec<usize>)> = base.into_iter().collect();
        keys.sort_unstable_by_key(|(_, at)| at.first().copied());
        for (key, in_base) in keys {
            let Some(in_candidate) = candidate.remove(&key) else {
                continue;
            };
            let (base, in_base) = by_lines(&self.base, in_base);
            let (candidate, in_candidate) = by_lines(&self.candidate, in_candidate);
            for (from, to) in find(&base, &candidate) {
                let (Some(in_base), Some(in_candidate)) = (in_base.get(from), in_candidate.get(to))
                else {
                    continue;
                };
                let same = base.get(from) == candidate.get(to);
                let matched = if same { Match::Frames } else { Match::Moved };
                self.pair(in_base, in_candidate, matched);
            }
        }
    }

    /// Functions of which something is left where they are not inlined.
    fn not_inlined(&self) -> HashMap<String, ()> {
        let left = self.base.iter().chain(&self.candidate).flatten();
        let whole = left.filter_map(|(_, place, _)| match place.frames.as_slice() {
            [frame] => Some((frame.function.clone(), ())),
            _ => None,
        });
        whole.collect()
    }

    fn pair(&mut self, in_base: &[usize], in_candidate: &[usize], matched: Match) {
        let base = take(&mut self.base, in_base);
        let candidate = take(&mut self.candidate, in_candidate);
        if let (Some((name, base)), Some((_, candidate))) = (base, candidate) {
            self.pairs.push(Pair {
                name,
                base: Some(base),
                candidate: Some(candidate),
                matched,
            });
        }
    }

    fn finish(self) -> Vec<Pair> {
        let mut pairs = self.pairs;
        let alone = |name, base, candidate| Pair {
            name,
            base,
            candidate,
            matched: Match::Nothing,
        };
        for (name, place, part) in self.base.into_iter().flatten() {
            pairs.push(alone(name, Some((place, part)), None));
        }
        for (name, place, part) in self.candidate.into_iter().flatten() {
            pairs.push(alone(name, None, Some((place, part))));
        }
        pairs
    }
}

/// Positions of what is left, by key.
fn grouped<K: Hash + Eq>(
    side: &[Option<(String, Place, Part)>],
    key: &impl Fn(&str, &Place) -> Option<K>,
) -> HashMap<K, Vec<usize>> {
    let mut groups: HashMap<K, Vec<usize>> = HashMap::new();
    for (at, place) in side.iter().enumerate() {
        let key = place.as_ref().and_then(|(name, place, _)| key(name, place));
        if let Some(key) = key {
            groups.entry(key).or_default().push(at);
        }
    }
    groups
}

/// Takes these out, added up.
fn take(side: &mut [Option<(String, Place, Part)>], positions: &[usize]) -> Option<(String, Side)> {
    let mut sum: Option<(String, Side)> = None;
    for at in positions {
        let Some((name, place, part)) = side.get_mut(*at).and_then(Option::take) else {
            continue;
        };
        match &mut sum {
            None => sum = Some((name, (place, part))),
            Some((_, (known, all))) => {
                known.sites.extend(place.sites);
                all.add(&part);
            }
        }
    }
    sum
}

/// Lines of the frames of a place, innermost first.
type Lines = Vec<i64>;

/// The lines that there are, in ascending order, and which places are at them.
fn by_lines(
    side: &[Option<(String, Place, Part)>],
    positions: Vec<usize>,
) -> (Vec<Lines>, Vec<Vec<usize>>) {
    let mut lines: BTreeMap<Lines, Vec<usize>> = BTreeMap::new();
    for at in positions {
        let place = side.get(at).and_then(Option::as_ref);
        let frames = place.map_or(&[][..], |(_, place, _)| &place.frames);
        let frames = frames.iter().map(|frame| frame.line.map_or(0, i64::from));
        lines.entry(frames.collect()).or_default().push(at);
    }
    lines.into_iter().unzip()
}

/// All of them, if no line differs.
fn unmoved(base: &[Lines], candidate: &[Lines]) -> Vec<(usize, usize)> {
    if base != candidate {
        return Vec::new();
    }
    (0..base.len()).map(|at| (at, at)).collect()
}

/// Most places on one side of which each shift is tried: a function has few places that differ in nothing but the line.
const MOST_SHIFTS: usize = 64;

/// Which of them are the same: as many as possible moved by the same number of lines, the smallest of several. If that is
/// not most of them, and there are as many on both sides, they are the same in their order.
fn aligned(base: &[Lines], candidate: &[Lines]) -> Vec<(usize, usize)> {
    let moved = |from: &Lines, to: &Lines| -> Lines {
        let lines = from.iter().zip(to);
        lines.map(|(from, to)| to - from).collect()
    };
    let mut shifts: BTreeMap<Lines, usize> = BTreeMap::new();
    for from in base.iter().take(MOST_SHIFTS) {
        for to in candidate.iter().take(MOST_SHIFTS) {
            *shifts.entry(moved(from, to)).or_default() += 1;
        }
    }
    let far = |shift: &Lines| shift.iter().map(|lines| lines.abs()).sum::<i64>();
    let best = shifts
        .into_iter()
        .max_by_key(|(shift, fits)| (*fits, std::cmp::Reverse(far(shift))));
    let Some((shift, _)) = best else {
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for (at, from) in base.iter().enumerate() {
        let to: Lines = from
            .iter()
            .zip(&shift)
            .map(|(from, by)| from + by)
            .collect();
        if let Ok(found) = candidate.binary_search(&to) {
            pairs.push((at, found));
        }
    }
    if base.len() == candidate.len() && 2 * pairs.len() <= base.len() {
        return (0..base.len()).map(|at| (at, at)).collect();
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &[i64], candidate: &[i64], expect: &[(i64, i64)]) {
        let places =
            |lines: &[i64]| -> Vec<Lines> { lines.iter().map(|line| vec![*line]).collect() };
        let pairs = aligned(&places(base), &places(candidate));
        let lines: Vec<(i64, i64)> = pairs
            .iter()
            .map(|(from, to)| (base[*from], candidate[*to]))
            .collect();
        assert_eq!(lines, expect, "{base:?} {candidate:?}");
    }

    #[test]
    fn lines_are_aligned_by_the_shift_that_fits_most() {
        check(&[10, 20], &[13, 23], &[(10, 13), (20, 23)]);
        check(&[10, 20], &[13, 18, 23], &[(10, 13), (20, 23)]);
        check(&[10, 20, 30], &[8, 28], &[(10, 8), (30, 28)]);
        check(&[10], &[13, 40], &[(10, 13)]);
        check(&[40, 42], &[42, 44], &[(40, 42), (42, 44)]);
        check(&[40, 42], &[42, 44, 50], &[(40, 42), (42, 44)]);
        check(
            &[10, 20, 30, 40],
            &[12, 15, 25, 45],
            &[(10, 15), (20, 25), (40, 45)],
        );
        check(&[10, 20], &[13, 25], &[(10, 13), (20, 25)]);
        check(&[], &[12], &[]);
    }

    #[test]
    fn callers_that_a_function_is_inlined_into_tell_places_apart() {
        let base = [vec![80, 20], vec![80, 30]];
        let candidate = [vec![80, 22], vec![80, 26], vec![80, 32]];
        assert_eq!(aligned(&base, &candidate), [(0, 0), (1, 2)]);
    }
}
