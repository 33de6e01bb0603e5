//! Stacks put together to a tree of calls, cut to what can be seen, and written as the lines that `inferno` draws.
//!
//! Hides the bounds on what a hostile capture can make of it: depth, frames, and sums beyond 64 bits.

use super::NOT_KNOWN;
use crate::report::Frame;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::marker::PhantomData;

/// Most frames of a stack, outermost first. The kernel half walks 128; inlined ones come on top.
const MAX_DEPTH: usize = 1000;
/// Most frames in a picture: a browser still moves.
const MAX_NODES: usize = 20_000;
/// Most bytes of all lines together: names may be long, and stacks deep.
const MAX_TEXT: usize = 64 << 20;
/// Narrowest frame, as a part of all: a tenth of a pixel on a wide screen, so that there is something to zoom into.
const NARROWEST: u128 = 20_000;
/// What stands for stacks of which nothing is wide enough.
const REST: &str = "[too little to show]";
/// `inferno` multiplies differences by up to 150 in 64 bits with a sign, and computes widths as doubles.
const MAX_BITS: u32 = 53;

/// Values of a stack, before and after; both the same of a stack in one capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    base: u128,
    candidate: u128,
}

impl Weight {
    /// Of a stack in one capture.
    pub(super) fn of(value: u64) -> Self {
        Weight::of_both(value, value)
    }

    /// Of a stack in two captures.
    pub(super) fn of_both(base: u64, candidate: u64) -> Self {
        Weight {
            base: base.into(),
            candidate: candidate.into(),
        }
    }

    fn add(&mut self, other: Self) {
        self.base = self.base.saturating_add(other.base);
        self.candidate = self.candidate.saturating_add(other.candidate);
    }

    /// As wide as the larger of both, of a stack whose values have all been added.
    fn extent(self) -> Extent {
        let signed = |value: u128| i128::try_from(value).unwrap_or(i128::MAX);
        Extent {
            width: self.base.max(self.candidate),
            change: signed(self.candidate).saturating_sub(signed(self.base)),
        }
    }
}

/// How a function is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    /// What it is as wide as.
    width: u128,
    /// By how much it grew.
    change: i128,
}

impl Extent {
    fn add(&mut self, other: Self) {
        self.width = self.width.saturating_add(other.width);
        self.change = self.change.saturating_add(other.change);
    }
}

/// A function called from the same functions.
#[derive(Clone, Debug, Default)]
struct Node {
    parent: usize,
    label: usize,
    /// Of the stacks that end here.
    ends: Weight,
    /// The same as it is drawn, with what is too narrow to show.
    own: Extent,
    /// Of all stacks that pass.
    all: Extent,
}

/// The calls.
pub(super) struct Tree<'a, L> {
    label_of: L,
    frames: PhantomData<&'a Frame>,
    labels: Vec<String>,
    by_label: HashMap<String, usize>,
    /// Most stacks share most frames.
    by_frame: HashMap<*const Frame, usize>,
    /// The first is above all stacks. Each comes after the one that calls it.
    nodes: Vec<Node>,
    children: HashMap<(usize, usize), usize>,
}

/// A function that the picture shows, after its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    stack: String,
    /// Where the innermost label begins in `stack`.
    label: usize,
    /// Of what ends here, or is too narrow to show.
    own: u64,
    change: i64,
}

impl Line {
    /// The innermost label.
    pub(super) fn label(&self) -> &str {
        self.stack.get(self.label..).unwrap_or_default()
    }

    /// Whether stacks end here, or what is too narrow to show.
    pub(super) fn ends_something(&self) -> bool {
        self.own > 0
    }

    /// The line of one capture.
    pub(super) fn plain(&self) -> String {
        format!("{} {}", self.stack, self.own)
    }

    /// The line of two. The change of a frame is that of the line that brings it up; `inferno` computes it as the second
    /// value less the first, both as 64 bits with a sign, and the width is the second.
    pub(super) fn with_change(&self) -> String {
        let base = self.own.wrapping_sub(self.change.cast_unsigned());
        format!("{} {base} {}", self.stack, self.own)
    }
}

impl<'a, L: Fn(&Frame) -> String> Tree<'a, L> {
    /// A tree whose frames are labelled so.
    pub(super) fn new(label_of: L) -> Self {
        Tree {
            label_of,
            frames: PhantomData,
            labels: Vec::new(),
            by_label: HashMap::new(),
            by_frame: HashMap::new(),
            nodes: vec![Node::default()],
            children: HashMap::new(),
        }
    }

    /// Adds a stack, innermost frame first.
    pub(super) fn add(&mut self, frames: &[&'a Frame], weight: Weight) {
        let mut labels: Vec<usize> = Vec::with_capacity(frames.len().min(MAX_DEPTH));
        for frame in frames.iter().rev().take(MAX_DEPTH) {
            labels.push(self.label(frame));
        }
        if labels.is_empty() {
            labels.push(self.intern(NOT_KNOWN.to_owned()));
        }
        let mut at = 0;
        for label in labels {
            at = *self.children.entry((at, label)).or_insert_with(|| {
                self.nodes.push(Node {
                    parent: at,
                    label,
                    ..Node::default()
                });
                self.nodes.len() - 1
            });
        }
        self.grow(at, |node| node.ends.add(weight));
    }

    /// How wide everything is. A stack may have come in several parts, so that this is known only after the last.
    fn measure(&mut self) {
        for node in &mut self.nodes {
            node.own = node.ends.extent();
            node.all = node.own;
        }
        for at in (1..self.nodes.len()).rev() {
            if let Some(&Node { parent, all, .. }) = self.nodes.get(at) {
                self.grow(parent, |node| node.all.add(all));
            }
        }
    }

    fn grow(&mut self, at: usize, add: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(at) {
            add(node);
        }
    }

    fn label(&mut self, frame: &'a Frame) -> usize {
        let address = std::ptr::from_ref(frame);
        if let Some(label) = self.by_frame.get(&address) {
            return *label;
        }
        let label = (self.label_of)(frame);
        let label = self.intern(label);
        self.by_frame.insert(address, label);
        label
    }

    fn intern(&mut self, label: String) -> usize {
        *self.by_label.entry(label).or_insert_with_key(|label| {
            self.labels.push(label.clone());
            self.labels.len() - 1
        })
    }

    /// What the picture shows: each function after its callers, those of one caller by name.
    pub(super) fn lines(&mut self) -> Vec<Line> {
        self.measure();
        let shown = self.shown();
        let is_shown = |at: usize| shown.get(at).copied().unwrap_or(false);
        let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
        // Inner ones come later, so that nothing is left in what is left out.
        for at in (1..self.nodes.len()).rev() {
            let Some(&Node { parent, own, .. }) = self.nodes.get(at) else {
                continue;
            };
            if is_shown(at) {
                children.entry(parent).or_default().push(at);
            } else {
                self.grow(parent, |node| {
                    node.own.width = node.own.width.saturating_add(own.width)
                });
            }
        }
        self.name_the_rest(&mut children);
        for siblings in children.values_mut() {
            siblings.sort_by(|a, b| self.name(*b).cmp(self.name(*a)));
        }
        self.written(children)
    }

    /// What is left out and has no caller that is shown.
    fn name_the_rest(&mut self, children: &mut HashMap<usize, Vec<usize>>) {
        let rest = self.nodes.first().map(|root| root.own).unwrap_or_default();
        if rest.width > 0 {
            let label = self.intern(REST.to_owned());
            children.entry(0).or_default().push(self.nodes.len());
            self.nodes.push(Node {
                parent: 0,
                label,
                ends: Weight::default(),
                own: rest,
                all: rest,
            });
        }
    }

    /// Lines of these children and theirs, the last child of a function first.
    fn written(&self, mut children: HashMap<usize, Vec<usize>>) -> Vec<Line> {
        let shift = self.shift();
        let mut lines = Vec::new();
        let mut stack = String::new();
        let mut open = vec![(0_usize, 0_usize)];
        while let Some((at, length)) = open.pop() {
            stack.truncate(length);
            if at > 0
                && let Some(node) = self.nodes.get(at)
            {
                if length > 0 {
                    stack.push(';');
                }
                let label = stack.len();
                stack.push_str(self.name(at));
                lines.push(Line {
                    stack: stack.clone(),
                    label,
                    own: u64::try_from(node.own.width >> shift).unwrap_or(u64::MAX),
                    change: i64::try_from(node.all.change >> shift).unwrap_or(0),
                });
            }
            let inner = children.remove(&at).unwrap_or_default();
            open.extend(inner.into_iter().map(|child| (child, stack.len())));
        }
        lines
    }

    fn name(&self, at: usize) -> &str {
        let label = self
            .nodes
            .get(at)
            .and_then(|node| self.labels.get(node.label));
        label.map_or("", String::as_str)
    }

    /// Which nodes the picture shows; the others are a part of their callers. It shows those that call them, which are as
    /// wide at least and come before them.
    fn shown(&self) -> Vec<bool> {
        let mut lengths: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let callers = lengths.get(node.parent).copied().unwrap_or(0);
            lengths.push(callers + self.name(at).len() + 1);
        }
        let mut widest: Vec<(Reverse<u128>, usize)> = (0..)
            .zip(&self.nodes)
            .map(|(at, node)| (Reverse(node.all.width), at))
            .collect();
        widest.sort_unstable();
        let narrowest = (self.all() / NARROWEST).max(1);
        let mut shown = vec![false; self.nodes.len()];
        let mut text = 0_usize;
        for (Reverse(width), at) in widest.into_iter().take(MAX_NODES) {
            text = text.saturating_add(lengths.get(at).copied().unwrap_or(0));
            if width < narrowest || text > MAX_TEXT {
                break;
            }
            if let Some(shown) = shown.get_mut(at) {
                *shown = true;
            }
        }
        shown
    }

    /// By how many bits values must be smaller, so that all [`Tree::lines`] together can be drawn.
    pub(super) fn shift(&self) -> u32 {
        let bits = u128::BITS - self.all().leading_zeros();
        bits.saturating_sub(MAX_BITS)
    }

    fn all(&self) -> u128 {
        self.nodes.first().map_or(0, |node| node.all.width)
    }
}
