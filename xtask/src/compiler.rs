//! The Go compiler's work on a large package, for the live test that traces it: what `go build -x` would run.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{go::Toolchain, programs, progress, workspace};

/// A package that takes the compiler a second or two.
const PACKAGE: &str = "go/types";

/// The file in [`programs::directory`] with the command, one argument a line; it lacks the `-o` of the output.
const COMMAND: &str = "compile";

/// Writes down the command that compiles the package, and has the packages that it imports compiled.
pub(crate) fn prepare(toolchain: &Toolchain) -> Result<()> {
    let directory = workspace::target().join("compile");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let imports = directory.join("imports");
    let message = format!(
        "compiling what {PACKAGE} imports with Go {}",
        toolchain.version
    );
    let exports = progress::during(&message, || {
        let line = "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}";
        toolchain.output(&["list", "-export", "-deps", "-f", line, PACKAGE])
    })?;
    write(&imports, exports.lines().filter(|line| !line.is_empty()))?;

    let compiler = toolchain.output(&["tool", "-n", "compile"])?;
    let files = "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}";
    let files = toolchain.output(&["list", "-f", files, PACKAGE])?;
    let imports = imports.display().to_string();
    let options = [
        "-p",
        PACKAGE,
        "-std",
        "-complete",
        "-c=1",
        "-importcfg",
        &imports,
    ];
    let words = [compiler.trim()].into_iter().chain(options);
    let files = files.lines().filter(|file| !file.is_empty());
    write(&programs::directory().join(COMMAND), words.chain(files))
}

fn write<'a>(path: &Path, lines: impl Iterator<Item = &'a str>) -> Result<()> {
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
