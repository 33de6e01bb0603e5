//! `cargo xtask bpf`: compiles the eBPF programs and records the object, which is kept in `tracer/bpf`. Every other task
//! asks here for an object that fits the sources, and compiles only if there is none. Hides the toolchain.

mod compile;
mod linker;
mod strip;
pub(crate) mod toolchain;

use std::{env::consts::ARCH, path::PathBuf, time::SystemTime};

use anyhow::{Context as _, Result, bail};
use tracer_object::{Object, Place, source_hash};

use crate::{progress, sudo, workspace};

/// Compile the eBPF programs and record the object in tracer/bpf, after a change of their sources
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run() -> Result<()> {
    sudo::refuse_to_build_for_another_user()?;
    let object = compile()?;
    let directory = Place::Kept.directory(&package());
    let [path, _] = Object::paths(&directory, ARCH);
    let (path, size) = (path.display(), object.bytes.len());
    // A broken record is replaced as well.
    if let Ok(Some(kept)) = Object::read(&directory, ARCH)
        && is_same(&kept, &object)
    {
        progress::say(&format!("{path} is up to date ({size} bytes)"));
        return Ok(());
    }
    object.write(&directory, ARCH)?;
    progress::say(&format!(
        "wrote {path} ({size} bytes) and its record: commit both"
    ));
    Ok(())
}

/// Makes sure that the agent's build finds an object of the sources as they are.
pub(crate) fn ensure() -> Result<()> {
    if tracer_object::choose(&package(), ARCH, false)?.is_some() {
        return Ok(());
    }
    progress::say(&format!(
        "no object in tracer/bpf was made from these eBPF sources for {ARCH}: compiling them"
    ));
    compile()?.write(&Place::Built.directory(&package()), ARCH)
}

/// Compiles the object from source and compares the kept one with it. Gives the one to test: the kept one; or, where
/// other tools than the recorded ones are here and bytes tell nothing, the one that they made.
pub(crate) fn verify() -> Result<Place> {
    let built = compile()?;
    let kept = Object::read(&Place::Kept.directory(&package()), ARCH)?
        .with_context(|| format!("tracer/bpf has no object for {ARCH}: run `cargo xtask bpf`"))?;
    let place = compare(&kept, &built)?;
    match place {
        Place::Kept => progress::say("tracer/bpf has the very bytes that are compiled here"),
        Place::Built => {
            progress::say(&format!(
                "tracer/bpf was compiled from these sources by {}; the live tests take what {} makes of them",
                kept.record.tools.compiler, built.record.tools.compiler
            ));
            built.write(&Place::Built.directory(&package()), ARCH)?;
        }
    }
    Ok(place)
}

fn compare(kept: &Object, built: &Object) -> Result<Place> {
    if kept.record.sources != built.record.sources {
        bail!(
            "the object in tracer/bpf was made from other eBPF sources: run `cargo xtask bpf` and commit what it writes"
        );
    }
    if kept.record.tools != built.record.tools {
        return Ok(Place::Built);
    }
    if kept.bytes != built.bytes {
        bail!(
            "the object in tracer/bpf is not what {} makes of its sources: run `cargo xtask bpf` and commit what it writes",
            built.record.tools.compiler
        );
    }
    Ok(Place::Kept)
}

/// Compiles the sources as they are, with tools that are found or installed.
fn compile() -> Result<Object> {
    let toolchain = toolchain::ensure()?;
    let sources =
        source_hash(&workspace::root(), ARCH)?.context("this checkout has no eBPF sources")?;
    let bytes = strip::strip(&compile::compile(&toolchain)?)?;
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let day = now.split('T').next().unwrap_or_default();
    Ok(Object::new(bytes, sources, toolchain.tools, day.to_owned()))
}

/// Whether two objects differ in no more than their day.
fn is_same(one: &Object, other: &Object) -> bool {
    compare(one, other).is_ok_and(|place| place == Place::Kept)
}

/// The package of the agent.
fn package() -> PathBuf {
    workspace::root().join("tracer")
}

#[cfg(test)]
mod tests {
    use tracer_object::Tools;

    use super::*;

    fn object(bytes: &[u8], sources: &str, compiler: &str) -> Object {
        let tools = Tools {
            compiler: compiler.to_owned(),
            llvm: "22.1.8".to_owned(),
            linker: "bpf-linker 0.13.0".to_owned(),
        };
        Object::new(
            bytes.to_vec(),
            sources.to_owned(),
            tools,
            "2026-01-31".to_owned(),
        )
    }

    #[test]
    fn an_object_of_other_sources_is_stale() {
        let error = compare(
            &object(b"a", "old", "rustc 1"),
            &object(b"a", "new", "rustc 1"),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("other eBPF sources"), "{error}");
    }

    #[test]
    fn the_same_tools_make_the_same_bytes_of_the_same_sources() {
        let kept = object(b"a", "new", "rustc 1");
        assert_eq!(compare(&kept, &kept).unwrap(), Place::Kept);
        let error = compare(&kept, &object(b"b", "new", "rustc 1")).unwrap_err();
        assert!(
            error.to_string().contains("is not what rustc 1 makes"),
            "{error}"
        );
    }

    #[test]
    fn of_other_tools_the_sources_decide_and_their_object_is_tested() {
        let kept = object(b"a", "new", "rustc 1");
        let built = object(b"b", "new", "rustc 2");
        assert_eq!(compare(&kept, &built).unwrap(), Place::Built);
        assert!(!is_same(&kept, &built));
    }
}
