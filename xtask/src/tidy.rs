//! `cargo xtask tidy`: the rules of this repository that no compiler or clippy lint knows. Each rule is a pure
//! function from a file to the violations in it.

mod layers;
mod modes;
mod source;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

use self::modes::Words;
use self::source::{Source, Word};
use crate::{progress, workspace};

const MAX_FILE_LINES: usize = 600;
const MAX_FUNCTION_LINES: usize = 100;

/// Where the library that loads eBPF may be named.
const AYA_PLACES: [&str; 3] = ["tracer/src/kernel", "tracer/src/stream", "tracer-ebpf"];

/// Where `unsafe` may be written: the kernel half, the layout contract, the system calls, and two audited files.
const UNSAFE_PLACES: [&str; 5] = [
    "tracer-common",
    "tracer-ebpf",
    "tracer/src/kernel",
    "tracer/src/program/mapped_file",
    "tracer/src/program/memory",
];

/// The only file that writes to the ring buffer, because it counts every write that fails.
const RING_BUFFER_PLACE: &str = "tracer-ebpf/src/emit";

/// Names that say nothing about what is inside, so that anything ends up there.
const DRAWERS: [&str; 8] = [
    "common",
    "helper",
    "helpers",
    "misc",
    "shared",
    "util",
    "utilities",
    "utils",
];

/// Check the rules of this repository that no compiler or lint knows
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let files = files(&root, ".rs")?;
    ensure!(!files.is_empty(), "{} has no Rust file", root.display());
    let test_files: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| test_files(path, text))
        .collect();
    let words = Words::among(&files)?;
    let scripts = self::files(&root, ".js")?;
    let scripts = scripts
        .iter()
        .flat_map(|(path, text)| words.check_script(path, text));
    let violations: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            let is_test = test_files.iter().any(|place| is_within(path, place));
            let mut violations = check(path, text, is_test);
            if !is_test {
                let code = Source::new(text).without_tests();
                let compared = words.check(path, &code).into_iter();
                violations.extend(compared.map(|violation| at(path, violation)));
            }
            violations
        })
        .chain(scripts)
        .collect();
    if violations.is_empty() {
        progress::say(&format!("{} files keep the rules", files.len()));
        return Ok(());
    }
    bail!(
        "{} places break the rules\n{}",
        violations.len(),
        violations.join("\n")
    )
}

/// The files of the checkout with this ending: the path from its root, and the text.
fn files(root: &Path, ending: &str) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory)
            .with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    directories.push(path);
                }
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                files.push((
                    path.strip_prefix(root)?.to_string_lossy().into_owned(),
                    text,
                ));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The test modules that this file declares and that are files of their own.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let module = path.trim_end_matches(".rs");
    let directory = ["/mod", "/lib", "/main"]
        .iter()
        .find_map(|root| module.strip_suffix(root))
        .unwrap_or(module);
    let source = Source::new(text);
    source
        .test_files()
        .iter()
        .map(|name| format!("{directory}/{name}"))
        .collect()
}

/// Every violation in one file, as `path:line: rule`. Tests may be long.
fn check(path: &str, text: &str, is_test: bool) -> Vec<String> {
    let source = Source::new(text);
    let code = if is_test {
        Source::new("")
    } else {
        source.without_tests()
    };
    let violations = [
        module_doc(text),
        file_size(&code),
        function_size(&code),
        loader_library(path, &source),
        unsafe_code(path, &source),
        ring_buffer(path, &source),
        return_probes(&source),
        drawers(path, &source),
        layers::check(path, &code),
    ];
    violations
        .into_iter()
        .flatten()
        .map(|violation| at(path, violation))
        .collect()
}

fn at(path: &str, (line, rule): Violation) -> String {
    format!("{path}:{line}: {rule}")
}

/// The line, counted from 1, and what is wrong there.
type Violation = (usize, String);

fn module_doc(text: &str) -> Vec<Violation> {
    if text.starts_with("//!") {
        return Vec::new();
    }
    vec![(
        1,
        "a file starts with a `//!` that says what it does and what it hides".to_owned(),
    )]
}

fn file_size(code: &Source) -> Vec<Violation> {
    let lines = code.code_lines();
    if lines <= MAX_FILE_LINES {
        return Vec::new();
    }
    vec![(
        1,
        format!("{lines} lines of code in one file; {MAX_FILE_LINES} is the limit"),
    )]
}

fn function_size(code: &Source) -> Vec<Violation> {
    let functions = code.functions();
    let long = functions
        .iter()
        .filter(|function| function.code_lines > MAX_FUNCTION_LINES);
    long.map(|function| {
        let (name, lines) = (function.name, function.code_lines);
        (
            function.line,
            format!("`{name}` has {lines} lines of code; {MAX_FUNCTION_LINES} is the limit"),
        )
    })
    .collect()
}

fn loader_library(path: &str, source: &Source) -> Vec<Violation> {
    if AYA_PLACES.iter().any(|place| is_within(path, place)) {
        return Vec::new();
    }
    let named = |word: &Word<'_>| word.text == "aya" || word.text.starts_with("aya_");
    found(source, named, "only `kernel` and `stream` name aya")
}

fn unsafe_code(path: &str, source: &Source) -> Vec<Violation> {
    if UNSAFE_PLACES.iter().any(|place| is_within(path, place)) {
        return Vec::new();
    }
    found(
        source,
        |word| word.text == "unsafe",
        "`unsafe` is kept to the places listed in tidy",
    )
}

fn ring_buffer(path: &str, source: &Source) -> Vec<Violation> {
    if !is_within(path, "tracer-ebpf") || is_within(path, RING_BUFFER_PLACE) {
        return Vec::new();
    }
    let written = |word: &Word<'_>| {
        let is_method = matches!(word.text, "reserve" | "reserve_bytes" | "output")
            && source.before(*word).trim_end().ends_with('.')
            && source.after(*word).trim_start().starts_with(['(', ':']);
        is_method || word.text.starts_with("bpf_ringbuf_")
    };
    found(
        source,
        written,
        "only `emit` writes to the ring buffer, and counts what fails",
    )
}

fn return_probes(source: &Source) -> Vec<Violation> {
    let named =
        |word: &Word<'_>| matches!(word.text, "uretprobe" | "UProbeRet" | "RetProbeContext");
    found(
        source,
        named,
        "no return probes: Go moves stacks, and one crashes the target",
    )
}

fn drawers(path: &str, source: &Source) -> Vec<Violation> {
    let rule =
        |name: &str| format!("`{name}` says nothing about what is in it; name it for its purpose");
    let stems = path.trim_end_matches(".rs").split('/');
    let files = stems
        .filter(|stem| DRAWERS.contains(stem))
        .map(|stem| (1, rule(stem)));
    let inline = source.words().filter(|word| {
        DRAWERS.contains(&word.text) && source.before(*word).trim_end().ends_with("mod")
    });
    files
        .chain(inline.map(|word| (word.line, rule(word.text))))
        .collect()
}

fn found(source: &Source, is_violation: impl Fn(&Word<'_>) -> bool, rule: &str) -> Vec<Violation> {
    source
        .words()
        .filter(is_violation)
        .map(|word| (word.line, rule.to_owned()))
        .collect()
}

/// Whether a path is the module `place`: its file, or anything in its directory.
fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that a file with this code (below a module doc, so from line 2) breaks.
    fn broken(path: &str, code: &str) -> Vec<String> {
        check(path, &format!("//! Doc.\n{code}"), false)
    }

    #[test]
    fn a_file_that_keeps_the_rules_breaks_none() {
        let code = "//! `unsafe` and aya::Ebpf in a comment\nfn f() { g(\"unsafe aya\") }";
        assert_eq!(broken("tracer/src/report.rs", code), [""; 0]);
    }

    #[test]
    fn a_file_starts_with_its_purpose() {
        assert_eq!(check("xtask/src/a.rs", "use std::fs;\n", false).len(), 1);
        assert_eq!(check("xtask/src/a.rs", "", false).len(), 1);
    }

    #[test]
    fn long_files_and_functions_are_found_but_tests_do_not_count() {
        let body = "x();\n".repeat(MAX_FUNCTION_LINES);
        let function = format!("fn f() {{\n{body}}}\n");
        assert_eq!(
            broken("tracer/src/plan/a.rs", &function),
            ["tracer/src/plan/a.rs:2: `f` has 102 lines of code; 100 is the limit"]
        );
        assert_eq!(
            broken(
                "tracer/src/plan/a.rs",
                &format!("#[cfg(test)]\nmod tests {{\n{function}}}\n")
            ),
            [""; 0]
        );
        let long = "const A: u8 = 1;\n".repeat(MAX_FILE_LINES + 1);
        assert_eq!(broken("tracer/src/plan/a.rs", &long).len(), 1);
        let comments = "// why\n\n".repeat(MAX_FILE_LINES + 1);
        assert_eq!(broken("tracer/src/plan/a.rs", &comments), [""; 0]);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_may_be_long() {
        let declaration = "#[cfg(test)]\nmod tests;\npub mod text;";
        assert_eq!(
            test_files("tracer/src/output/mod.rs", declaration),
            ["tracer/src/output/tests"]
        );
        assert_eq!(
            test_files("tracer/src/decode.rs", declaration),
            ["tracer/src/decode/tests"]
        );
        let long = format!(
            "//! Doc.\n{}",
            "const A: u8 = 1;\n".repeat(MAX_FILE_LINES + 1)
        );
        assert_eq!(check("tracer/src/decode/tests.rs", &long, true), [""; 0]);
    }

    #[test]
    fn the_loader_library_is_named_in_the_kernel_layer_only() {
        let code = "use aya::Ebpf;\nuse aya_log::EbpfLogger;";
        assert_eq!(broken("tracer/src/capture.rs", code).len(), 2);
        assert_eq!(
            loader_library("tracer/src/kernel_plan.rs", &Source::new(code)).len(),
            2
        );
        for place in [
            "tracer/src/kernel/load.rs",
            "tracer/src/stream.rs",
            "tracer-ebpf/src/main.rs",
        ] {
            assert_eq!(broken(place, code), [""; 0]);
        }
    }

    #[test]
    fn unsafe_is_kept_to_its_places() {
        let code = "fn f() {\n unsafe { g() }\n}";
        assert_eq!(
            broken("tracer/src/program/elf.rs", code),
            ["tracer/src/program/elf.rs:3: `unsafe` is kept to the places listed in tidy"]
        );
        for place in [
            "tracer/src/program/memory.rs",
            "tracer-common/src/record.rs",
            "tracer/src/kernel/ring.rs",
        ] {
            assert_eq!(broken(place, code), [""; 0]);
        }
        assert_eq!(
            broken("tracer/src/plan/a.rs", "#![deny(unsafe_code)]"),
            [""; 0]
        );
    }

    #[test]
    fn only_emit_writes_to_the_ring_buffer() {
        for code in [
            "RING.output(&x, 0);",
            "RING\n .reserve::<Alloc>(0);",
            "bpf_ringbuf_output(x);",
        ] {
            assert_eq!(
                broken("tracer-ebpf/src/probes/alloc.rs", code).len(),
                1,
                "{code}"
            );
            assert_eq!(broken("tracer-ebpf/src/emit.rs", code), [""; 0]);
            assert_eq!(broken("tracer/src/output/text.rs", code), [""; 0]);
        }
        assert_eq!(
            broken("tracer-ebpf/src/stack.rs", "let output = reserve(1);"),
            [""; 0]
        );
    }

    #[test]
    fn return_probes_are_refused() {
        assert_eq!(
            broken("tracer-ebpf/src/probes/gc.rs", "#[uretprobe]\nfn f() {}").len(),
            1
        );
    }

    #[test]
    fn drawers_are_refused_as_files_directories_and_inline_modules() {
        for path in [
            "tracer/src/plan/utils.rs",
            "tracer/src/output/helpers/a.rs",
            "tests/tests/common/mod.rs",
        ] {
            assert_eq!(broken(path, "").len(), 1, "{path}");
        }
        assert_eq!(broken("tracer/src/plan/a.rs", "mod misc { }").len(), 1);
        assert_eq!(
            broken("tracer-common/src/lib.rs", "let common = shared;"),
            [""; 0]
        );
    }
}
