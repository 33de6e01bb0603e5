//! The Go programs of `tests/programs`, which the demo and the live tests trace.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    go::{self, Toolchain},
    matrix::{self, Build, GO_VERSIONS},
    progress, workspace,
};

/// The file in [`directory`] that says what is there: a line `VERSION VARIANT NAME` for each program.
const LIST: &str = "builds";

/// The directory of the programs that the live tests trace, `VERSION/VARIANT/NAME` below it.
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
        go::build_program(toolchain, &sources().join(name), &output, &matrix::PLAIN)
    })?;
    Ok(output)
}

/// Builds the programs for the live tests, and lists them first: a test fails for one that is listed and missing.
/// Gives their paths.
pub(crate) fn build_matrix(full: bool) -> Result<Vec<PathBuf>> {
    let names = names()?;
    ensure!(!names.is_empty(), "{} has no program", sources().display());
    let builds = matrix::builds(&names, full);
    write_list(&builds)?;
    build_each(&builds)
}

/// Builds programs, as many at a time as there are processors, and gives their paths.
pub(crate) fn build_each(builds: &[Build<'_>]) -> Result<Vec<PathBuf>> {
    let mut toolchains = BTreeMap::new();
    for build in builds {
        if let Entry::Vacant(entry) = toolchains.entry(build.version) {
            entry.insert(go::toolchain(Some(build.version))?);
        }
    }
    let message = format!("building Go programs, {} in all", builds.len());
    progress::during(&message, || {
        in_parallel(builds, |build| {
            let toolchain = toolchains.get(build.version).context("a Go toolchain")?;
            let sources = sources().join(build.name);
            go::build_program(toolchain, &sources, &output(build), build.variant)
        })
    })?;
    Ok(builds.iter().map(output).collect())
}

/// Where the program of a build is.
fn output(build: &Build<'_>) -> PathBuf {
    let directory = directory().join(build.version);
    directory.join(build.variant.name).join(build.name)
}

/// Writes the list, oldest version first. Builds of earlier runs that are not on it stay, and nothing looks at them.
fn write_list(builds: &[Build<'_>]) -> Result<()> {
    let directory = directory();
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let lines = GO_VERSIONS.iter().flat_map(|version| {
        let builds = builds.iter().filter(move |build| build.version == *version);
        builds.map(move |build| {
            let (variant, name) = (build.variant.name, build.name);
            format!("{version} {variant} {name}\n")
        })
    });
    let list = directory.join(LIST);
    fs::write(&list, lines.collect::<String>())
        .with_context(|| format!("cannot write {}", list.display()))
}

/// Runs `build` for each of `builds`, one per processor at a time; gives the first error after all have ended.
fn in_parallel<'a>(
    builds: &[Build<'a>],
    build: impl Fn(&Build<'a>) -> Result<()> + Sync,
) -> Result<()> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(one) = builds.get(next.fetch_add(1, Ordering::Relaxed)) {
            build(one)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            let result = worker.join();
            result.unwrap_or_else(|_| bail!("a build panicked"))
        })
    })
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
