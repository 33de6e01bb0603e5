//! The order of the agent's folders: which may name which, and which are pure. `tracer/docs/ARCHITECTURE.md` draws the
//! same order for people. Hides how a path in code names a folder.

use super::{Violation, source::Source};

/// Where the folders are.
const AGENT: &str = "tracer/src/";

/// Whether a folder does nothing but compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purity {
    /// No file, no clock, no thread, no process.
    Pure,
    /// It is what it is there for.
    Acts,
}
use Purity::{Acts, Pure};

/// Every folder (or file) of the agent, from the bottom to the top: one names only those before it.
const LAYERS: &[(&str, Purity)] = &[
    ("units", Pure),
    ("program", Acts),
    ("plan", Pure),
    ("stream", Acts),
    ("decode", Pure),
    ("aggregate", Pure),
    ("kernel", Acts),
    ("doctor", Acts),
    ("collect", Acts),
    ("symbolize", Acts),
    ("governor", Acts),
    ("report", Pure),
    ("live", Pure),
    ("findings", Pure),
    ("compare", Pure),
    ("output", Pure),
    ("capture", Acts),
    ("launch", Acts),
    ("drive", Acts),
    ("tui", Acts),
    ("cli", Acts),
];

/// Files that are not a part of the order: they hold the crate together, or are there for tests only.
const OUTSIDE: [&str; 4] = ["lib", "main", "hostile", "stopwatch"];

/// What a pure folder does not name, with the reason in a word. All are paths of the standard library or of crates.
const IMPURE: [(&str, &str); 12] = [
    ("std::fs", "files"),
    ("std::net", "the network"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::env", "the environment"),
    ("std::time::Instant", "a clock"),
    ("std::time::SystemTime", "a clock"),
    ("std::os::fd", "file descriptors"),
    ("nix::", "system calls"),
    ("rustix::", "system calls"),
    ("procfs::", "files"),
    ("tokio::", "threads"),
];

/// What breaks the order or the purity of the folder that this file is in. `code` has no tests.
pub(super) fn check(path: &str, code: &Source) -> Vec<Violation> {
    let Some(folder) = folder(path) else {
        return Vec::new();
    };
    let Some(rank) = rank(folder) else {
        let rule = format!("`{folder}` has no place in the order of folders: see tidy/layers.rs");
        return vec![(1, rule)];
    };
    let mut violations = upward(folder, rank, code);
    if LAYERS.get(rank).is_some_and(|(_, purity)| *purity == Pure) {
        violations.extend(impure(folder, code));
    }
    violations
}

/// The folder below [`AGENT`] that a file is in, or the file itself; none where the order does not apply.
fn folder(path: &str) -> Option<&str> {
    let name = path.strip_prefix(AGENT)?.split('/').next()?;
    let name = name.trim_end_matches(".rs");
    (!OUTSIDE.contains(&name)).then_some(name)
}

fn rank(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|(name, _)| *name == folder)
}

/// Names of folders that are above the file's own.
fn upward(folder: &str, own: usize, code: &Source) -> Vec<Violation> {
    let named = paths(code, "crate");
    let mut above: Vec<Violation> = named
        .filter_map(|(line, path)| {
            let name = path.strip_prefix("crate::")?.split("::").next()?;
            (rank(name)? > own).then(|| {
                (
                    line,
                    format!("`{folder}` is below `{name}` and does not name it"),
                )
            })
        })
        .collect();
    above.dedup();
    above
}

fn impure(folder: &str, code: &Source) -> Vec<Violation> {
    let roots = ["std", "nix", "rustix", "procfs", "tokio"];
    let named = roots.into_iter().flat_map(|root| paths(code, root));
    let found = named.filter_map(|(line, path)| {
        let (_, reason) = IMPURE.iter().find(|(impure, _)| is_below(&path, impure))?;
        Some((
            line,
            format!("`{folder}` is pure: it sees no {reason} (`{path}`)"),
        ))
    });
    found.collect()
}

fn is_below(path: &str, place: &str) -> bool {
    let place = place.trim_end_matches("::");
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path that starts with the word `root`, a line with each; what stands in braces is spelled out.
fn paths(code: &Source, root: &str) -> impl Iterator<Item = (usize, String)> {
    let words = code
        .words()
        .filter(move |word| word.text == root && !code.before(*word).trim_end().ends_with("::"));
    words.flat_map(|word| {
        let mut paths = Vec::new();
        spell_out(code.after(word), word.text.to_owned(), &mut paths);
        paths.into_iter().map(move |path| (word.line, path))
    })
}

/// Adds what `rest` makes of `path`, and gives what follows it.
fn spell_out<'a>(rest: &'a str, path: String, paths: &mut Vec<String>) -> &'a str {
    let Some(next) = rest.trim_start().strip_prefix("::") else {
        paths.push(path);
        return rest;
    };
    let next = next.trim_start();
    if let Some(mut group) = next.strip_prefix('{') {
        loop {
            group = group.trim_start().trim_start_matches(',').trim_start();
            let end = group
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(group.len());
            let (word, after) = group.split_at(end);
            if word.is_empty() {
                return group.strip_prefix('}').unwrap_or("");
            }
            // The rest of `NAME as OTHER` names nothing more.
            let after = spell_out(after, format!("{path}::{word}"), paths);
            let close = after.find([',', '}']).unwrap_or(after.len());
            group = after.get(close..).unwrap_or("");
        }
    }
    let end = next
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(next.len());
    let (word, after) = next.split_at(end);
    if word.is_empty() {
        paths.push(path);
        return after;
    }
    spell_out(after, format!("{path}::{word}"), paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, code: &str) -> Vec<Violation> {
        check(path, &Source::new(code))
    }

    #[test]
    fn a_folder_names_those_before_it() {
        let code =
            "use crate::report::{Report, value::Value};\nfn f(a: &crate::findings::Finding) {}";
        assert_eq!(broken("tracer/src/output/text.rs", code), []);
    }

    #[test]
    fn a_folder_does_not_name_those_above_it() {
        let rule = "`report` is below `output` and does not name it".to_owned();
        for code in [
            "use crate::output::text;",
            "use crate::{findings_of, output::{self, text}};",
            "fn f() { crate::output::text::write() }",
        ] {
            assert_eq!(
                broken("tracer/src/report/sites.rs", code),
                [(1, rule.clone())],
                "{code}"
            );
        }
    }

    #[test]
    fn a_folder_without_a_place_is_refused() {
        assert_eq!(broken("tracer/src/novel/mod.rs", "").len(), 1);
        assert_eq!(broken("tracer/src/main.rs", "use crate::cli;"), []);
        assert_eq!(broken("xtask/src/novel/mod.rs", ""), []);
    }

    #[test]
    fn a_pure_folder_sees_no_file_no_clock_and_no_thread() {
        for code in [
            "use std::fs;",
            "use std::{collections::HashMap, thread::spawn};",
            "fn f() { std::time::Instant::now(); }",
            "use std::time::{Duration, Instant};",
            "use rustix::fs::openat;",
        ] {
            assert_eq!(
                broken("tracer/src/report/sites.rs", code).len(),
                1,
                "{code}"
            );
            assert_eq!(broken("tracer/src/kernel/load.rs", code), [], "{code}");
        }
        let pure = "use std::{time::Duration, io::Write, fmt};\nuse std::io;";
        assert_eq!(broken("tracer/src/report/sites.rs", pure), []);
    }

    #[test]
    fn paths_in_braces_are_spelled_out() {
        let source = Source::new("use crate::{a::{b, c as d}, e::*, f};");
        let found: Vec<String> = paths(&source, "crate").map(|(_, path)| path).collect();
        assert_eq!(
            found,
            ["crate::a::b", "crate::a::c", "crate::e", "crate::f"]
        );
    }
}
