//! The Go programs of `tests/programs`, which the demo and the live tests trace.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{
    go::{self, Toolchain},
    progress, workspace,
};

/// The directory of the programs that the live tests trace, `VERSION/NAME` below it.
pub(crate) fn directory() -> PathBuf {
    workspace::target().join("programs")
}

/// Builds one program for the demo.
pub(crate) fn build(toolchain: &Toolchain, name: &str) -> Result<PathBuf> {
    let output = workspace::target().join("demo").join(name);
    let message = format!(
        "building the Go program {name} with Go {}",
        toolchain.version
    );
    progress::during(&message, || {
        go::build_program(toolchain, &sources().join(name), &output, &[])
    })?;
    Ok(output)
}

/// Builds every program for the live tests.
pub(crate) fn build_all(toolchain: &Toolchain) -> Result<()> {
    let names = names()?;
    ensure!(!names.is_empty(), "{} has no program", sources().display());
    let outputs = directory().join(&toolchain.version);
    let message = format!(
        "building {} with Go {}",
        names.join(", "),
        toolchain.version
    );
    progress::during(&message, || {
        names.iter().try_for_each(|name| {
            go::build_program(toolchain, &sources().join(name), &outputs.join(name), &[])
        })
    })
}

/// Removes the live tests' programs of all Go versions but these.
pub(crate) fn keep_only(versions: &[&str]) -> Result<()> {
    let directory = directory();
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        if !versions.iter().any(|version| entry.file_name() == *version) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn names() -> Result<Vec<String>> {
    let sources = sources();
    let entries =
        fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("main.go").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn sources() -> PathBuf {
    workspace::root().join("tests/programs")
}
