//! Stacks beyond the bound, each reduced to its inner frames: the site stays exact, outer callers are given up.
//!
//! First to a fixed number of frames; when these are too many as well, to the site and its caller, at last to the site
//! alone.

use super::StackMap;
use crate::decode::{StackDefinition, StackId};
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Frames that a folded stack keeps: the runtime's own, the site, and its nearest callers.
pub(super) const INNER_FRAMES: usize = 12;
/// Most different stacks of that length.
const MAX_INNER: usize = 25_000;
/// Most different folded stacks of that length or of a site and its caller.
pub(super) const MAX_WITH_CALLER: usize = 50_000;
/// Most different folded stacks.
pub(super) const MAX_FOLDS: usize = 150_000;
/// Most stacks that are remembered as folded: what fits into a map of 2^21 places of 17 bytes.
const MAX_FOLDED: usize = 1_800_000;

/// Tells the Go runtime's code from the rest.
pub trait CodeFacts: Send {
    /// Whether the program counter lies in a function of the Go runtime.
    fn is_runtime(&self, pc: u64) -> bool;

    /// The call that a stack of the runtime's heap profile begins with, and the return addresses that lead to it: the
    /// profile has a program counter for each logical frame, inlined ones too.
    fn physical(&self, pcs: &[u64]) -> Vec<u64>;

    /// Whether its function has no frame where the program counter is, so that the return address is on top of the stack.
    fn is_frameless(&self, pc: u64) -> bool;
}

/// Which stacks are folded into which.
pub(super) struct Folded {
    into: StackMap<StackId>,
    folds: StackMap<()>,
    code: Box<dyn CodeFacts>,
}

impl fmt::Debug for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Folded { into, folds, .. } = self;
        f.debug_struct("Folded")
            .field("into", &into.len())
            .field("folds", &folds.len())
            .finish_non_exhaustive()
    }
}

impl Folded {
    /// Nothing is folded yet.
    pub(super) fn new(code: Box<dyn CodeFacts>) -> Self {
        Folded {
            into: StackMap::default(),
            folds: StackMap::default(),
            code,
        }
    }

    /// The stack to count for `id`: itself, unless it is folded.
    pub(super) fn resolve(&self, id: StackId) -> StackId {
        if self.into.is_empty() {
            return id;
        }
        self.into.get(&id).copied().unwrap_or(id)
    }

    /// The program counters of a stack, without what is none.
    pub(super) fn frames_of(&self, definition: &StackDefinition<'_>) -> Vec<u64> {
        let mut pcs: Vec<u64> = definition.frames().collect();
        if definition.logical {
            return self.code.physical(&pcs);
        }
        if let [innermost, _, ..] = *pcs
            && definition.candidate
            && !self.code.is_frameless(innermost)
        {
            pcs.remove(1);
        }
        pcs
    }

    /// Folds a stack; gives the folded one and its frames if it is new. Beyond the bounds nothing happens.
    pub(super) fn fold(
        &mut self,
        definition: &StackDefinition<'_>,
    ) -> Option<(StackId, Box<[u64]>)> {
        let count = self.into.len();
        let mut pcs = self.frames_of(definition);
        // A page fault can be deep within the runtime.
        pcs.truncate(INNER_FRAMES.max(up_to_site(&pcs, &*self.code)));
        let Entry::Vacant(entry) = self.into.entry(definition.id) else {
            return None;
        };
        let mut fold = identity(&pcs);
        for (bound, callers) in [(MAX_INNER, 1), (MAX_WITH_CALLER, 0)] {
            if !self.folds.contains_key(&fold) && self.folds.len() >= bound {
                pcs.truncate(up_to_site(&pcs, &*self.code) + callers);
                fold = identity(&pcs);
            }
        }
        let known = self.folds.contains_key(&fold);
        if count >= MAX_FOLDED || (!known && self.folds.len() >= MAX_FOLDS) {
            return None;
        }
        entry.insert(fold);
        (!known).then(|| {
            self.folds.insert(fold, ());
            (fold, pcs.into())
        })
    }
}

/// Frames up to the innermost one outside the runtime.
fn up_to_site(pcs: &[u64], code: &dyn CodeFacts) -> usize {
    let site = pcs.iter().position(|pc| !code.is_runtime(*pc));
    site.map_or(pcs.len(), |site| site + 1)
}

fn identity(pcs: &[u64]) -> StackId {
    let mut hasher = DefaultHasher::new();
    pcs.hash(&mut hasher);
    StackId(hasher.finish())
}

/// Program counters below 100 are the runtime's; functions have no frame at even ones.
#[cfg(test)]
pub(crate) struct LowIsRuntime;

#[cfg(test)]
impl CodeFacts for LowIsRuntime {
    fn is_runtime(&self, pc: u64) -> bool {
        pc < 100
    }

    /// Odd ones above 1000 are inlined into the next.
    fn physical(&self, pcs: &[u64]) -> Vec<u64> {
        let mut inlined = false;
        let is_first = |pc: &&u64| {
            let first = !inlined;
            inlined = **pc > 1000 && **pc % 2 == 1;
            first
        };
        pcs.iter().filter(is_first).copied().collect()
    }

    fn is_frameless(&self, pc: u64) -> bool {
        pc.is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Record, decode, encoded};
    use tracer_common::record::FLAG_CANDIDATE;

    #[test]
    fn a_fold_reaches_its_site_and_has_no_frame_that_is_none() {
        let fold = |pcs: &[u64], flags: u16| {
            let mut bytes = encoded::stack(7, pcs);
            bytes[2..4].copy_from_slice(&flags.to_ne_bytes());
            let Ok(Record::Stack(definition)) = decode(&bytes) else {
                panic!("no stack")
            };
            let mut folded = Folded::new(Box::new(LowIsRuntime));
            folded.fold(&definition).map(|(_, pcs)| pcs)
        };
        let deep: Vec<u64> = (1..=20).chain([200, 300]).collect();
        assert_eq!(fold(&deep, 0).as_deref(), deep.get(..21));
        // Below the first frame there is one, if its function has none there.
        assert_eq!(
            fold(&[1, 200, 300], FLAG_CANDIDATE).as_deref(),
            Some(&[1, 300][..])
        );
        assert_eq!(
            fold(&[2, 200, 300], FLAG_CANDIDATE).as_deref(),
            Some(&[2, 200, 300][..])
        );
    }

    #[test]
    fn the_site_is_the_innermost_frame_outside_the_runtime() {
        assert_eq!(up_to_site(&[1, 2, 200, 300, 400], &LowIsRuntime), 3);
        assert_eq!(up_to_site(&[1, 2, 3], &LowIsRuntime), 3);
    }
}
