//! Embeds the eBPF object into the agent as `$OUT_DIR/tracer.bpf.o`: the one kept in `bpf/`, or one that `cargo xtask`
//! built from changed sources. Where neither fits the sources the object is an empty stub, so that check, clippy and the
//! unprivileged tests work all the same; the agent refuses a stub when it would load it. Compiles nothing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use tracer_object::{PREFER_BUILT, Place, Record};

/// This package, which is the directory build scripts run in.
const PACKAGE: &str = ".";
const UNKNOWN: &str = "unknown";

fn main() -> Result<()> {
    let architecture = variable("CARGO_CFG_TARGET_ARCH")?;
    let prefer_built = env::var_os(PREFER_BUILT).is_some();
    println!("cargo::rerun-if-env-changed={PREFER_BUILT}");
    watch(&Place::Kept.directory(Path::new(PACKAGE)));
    for input in tracer_object::inputs() {
        watch(&Path::new(PACKAGE).join("..").join(input));
    }
    let object = tracer_object::choose(Path::new(PACKAGE), &architecture, prefer_built)?;
    let (bytes, record) = object.map(|object| (object.bytes, object.record)).unzip();
    if prefer_built || record.is_none() {
        // Until it is there cargo runs this script each time.
        println!(
            "cargo::rerun-if-changed={}",
            Place::Built.directory(Path::new(PACKAGE)).display()
        );
    }
    if record.is_none() {
        println!(
            "cargo::warning=the eBPF sources were changed and not compiled, so that this agent cannot trace: run `cargo xtask build`"
        );
    }
    let path = PathBuf::from(variable("OUT_DIR")?).join("tracer.bpf.o");
    fs::write(&path, bytes.unwrap_or_default())
        .with_context(|| format!("cannot write {}", path.display()))?;
    describe(record.as_ref());
    println!("cargo::rustc-env=TRACER_ARCHITECTURE={architecture}");
    println!(
        "cargo::rustc-env=TRACER_COMMIT={}",
        commit().as_deref().unwrap_or(UNKNOWN)
    );
    Ok(())
}

/// What `tracer --version --verbose` says of the object.
fn describe(record: Option<&Record>) {
    let (hash, compiler) = record.map_or_else(
        || ("none".to_owned(), UNKNOWN.to_owned()),
        |record| {
            let tools = &record.tools;
            (
                record.object.clone(),
                format!("{}, LLVM {}, {}", tools.compiler, tools.llvm, tools.linker),
            )
        },
    );
    println!("cargo::rustc-env=TRACER_OBJECT={hash}");
    println!("cargo::rustc-env=TRACER_OBJECT_COMPILER={compiler}");
}

/// The commit that is checked out, if this is a checkout and git is here.
fn commit() -> Option<String> {
    // A package of the agent alone may lie in another project's checkout.
    if !Path::new(PACKAGE).join("../.git").exists() {
        return None;
    }
    // Each move of HEAD is written to its log.
    watch(Path::new(&git(&["--git-path", "logs/HEAD"])?));
    git(&["--verify", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("rev-parse")
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Cargo runs a script each time while a path it watches is missing.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: cargo runs this script"))
}
