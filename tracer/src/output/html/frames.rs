//! Tables that the page's data points into: strings, frames, and stacks as one tree of calls.
//!
//! Stacks of a program share their outer frames. A tree says each shared part once: 100,000 stacks are some megabytes
//! then, and the page adds a flame graph up in one pass. Hides how equal ones are found.

use crate::report::Frame;
use serde::Serialize;
use std::collections::HashMap;

/// Each distinct string once.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Strings<'a> {
    list: Vec<&'a str>,
    #[serde(skip)]
    known: HashMap<&'a str, usize>,
}

impl<'a> Strings<'a> {
    /// Its place in the table.
    pub(super) fn place(&mut self, text: &'a str) -> usize {
        *self.known.entry(text).or_insert_with(|| {
            self.list.push(text);
            self.list.len() - 1
        })
    }
}

/// Whose code a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Main = 0,
    Module = 1,
    Standard = 2,
    Runtime = 3,
}

/// Function, package and file, each a place among strings; line or `null`; whether inlined, 0 or 1; whose it is.
#[derive(Serialize)]
struct Row(usize, usize, usize, Option<u32>, u8, u8);

/// Each distinct frame once.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Frames<'a> {
    rows: Vec<Row>,
    #[serde(skip)]
    known: HashMap<&'a Frame, usize>,
    /// The directory of the standard library, if some frame shows it.
    #[serde(skip)]
    go_root: Option<&'a str>,
}

impl<'a> Frames<'a> {
    /// An empty table, for frames as they are in `report`.
    pub(super) fn among(frames: &'a [Frame]) -> Self {
        let mut roots = frames.iter().filter(|frame| frame.package == "runtime");
        Frames {
            go_root: roots.find_map(|frame| {
                let directory = frame.file.rsplit_once('/')?.0;
                directory.strip_suffix("runtime")
            }),
            ..Frames::default()
        }
    }

    /// Its place in the table.
    pub(super) fn place(&mut self, frame: &'a Frame, strings: &mut Strings<'a>) -> usize {
        let owner = self.owner(frame);
        *self.known.entry(frame).or_insert_with(|| {
            self.rows.push(Row(
                strings.place(&frame.function),
                strings.place(&frame.package),
                strings.place(&frame.file),
                frame.line,
                frame.inlined.into(),
                owner as u8,
            ));
            self.rows.len() - 1
        })
    }

    /// Places of several.
    pub(super) fn places(&mut self, frames: &'a [Frame], strings: &mut Strings<'a>) -> Vec<usize> {
        let places = frames.iter().map(|frame| self.place(frame, strings));
        places.collect()
    }

    /// By the package, and by where the file is: a module may be named like a package of the standard library.
    fn owner(&self, frame: &Frame) -> Owner {
        let package = frame.package.as_str();
        let first = package.split('/').next().unwrap_or_default();
        let in_root = match self.go_root {
            Some(root) if !frame.file.is_empty() => frame.file.starts_with(root),
            _ => true,
        };
        match first {
            "main" => Owner::Main,
            "runtime" if in_root => Owner::Runtime,
            "internal" if package.starts_with("internal/runtime/") && in_root => Owner::Runtime,
            _ if first.contains('.') || !in_root => Owner::Module,
            _ => Owner::Standard,
        }
    }
}

/// Stacks as paths from the root, which is node 0 and has no frame.
#[derive(Serialize)]
pub(super) struct Tree {
    /// Of each node, its place among frames; of the root 0.
    frame: Vec<usize>,
    /// Of each node, its caller, which always stands before it.
    parent: Vec<usize>,
    #[serde(skip)]
    children: HashMap<(usize, usize), usize>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            frame: vec![0],
            parent: vec![0],
            children: HashMap::new(),
        }
    }
}

impl Tree {
    /// The node that a stack ends at; the root for one without frames. Outermost frame first.
    pub(super) fn leaf(&mut self, stack: impl Iterator<Item = usize>) -> usize {
        let mut node = 0;
        for frame in stack {
            node = match self.children.get(&(node, frame)) {
                Some(known) => *known,
                None => {
                    let new = self.frame.len();
                    self.children.insert((node, frame), new);
                    self.frame.push(frame);
                    self.parent.push(node);
                    new
                }
            };
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, package: &str, file: &str) -> Frame {
        Frame {
            function: function.into(),
            package: package.into(),
            file: file.into(),
            line: Some(1),
            inlined: false,
        }
    }

    #[test]
    fn shared_callers_are_said_once() {
        let mut tree = Tree::default();
        assert_eq!(tree.leaf([7, 8, 9].into_iter()), 3);
        assert_eq!(tree.leaf([7, 8, 5].into_iter()), 4);
        assert_eq!(tree.leaf([7, 8].into_iter()), 2);
        assert_eq!(tree.leaf(std::iter::empty()), 0);
        assert_eq!(tree.parent, [0, 0, 1, 2, 2]);
        assert_eq!(tree.frame, [0, 7, 8, 9, 5]);
    }

    #[test]
    fn code_is_the_programs_a_modules_or_gos() {
        let runtime = frame("runtime.mallocgc", "runtime", "/go/src/runtime/malloc.go");
        let known = [runtime];
        let check = |root: &[Frame], package: &str, file: &str, expect: Owner| {
            let frames = Frames::among(root);
            assert_eq!(
                frames.owner(&frame("f", package, file)),
                expect,
                "{package}"
            );
        };
        check(&known, "main", "/srv/main.go", Owner::Main);
        check(
            &known,
            "net/http",
            "/go/src/net/http/server.go",
            Owner::Standard,
        );
        check(&known, "shop/cache", "/srv/cache/cache.go", Owner::Module);
        check(&known, "example.com/x", "/m/x@v1/x.go", Owner::Module);
        check(
            &known,
            "runtime",
            "/go/src/runtime/slice.go",
            Owner::Runtime,
        );
        let maps = "/go/src/internal/runtime/maps/map.go";
        check(&known, "internal/runtime/maps", maps, Owner::Runtime);
        check(&[], "net/http", "net/http/server.go", Owner::Standard);
        check(&[], "example.com/x", "example.com/x/x.go", Owner::Module);
    }
}
