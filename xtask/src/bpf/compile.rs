//! Compiles the eBPF programs, so that the same tools make the same bytes of the same sources: wherever the checkout,
//! the crates and the user's settings are.

use std::{
    env::{self, consts::ARCH},
    ffi::OsString,
    fs,
    path::PathBuf,
    process::Command,
};

use anyhow::{Context as _, Result};
use tracer_object::{BPF_TARGET, FLAGS};

use super::toolchain::Toolchain;
use crate::{command, progress, workspace};

/// Compiles the programs and gives the object as the linker wrote it.
pub(super) fn compile(toolchain: &Toolchain) -> Result<Vec<u8>> {
    let directory = workspace::target().join("bpf");
    let mut build = match &toolchain.cargo {
        Some(cargo) => Command::new(cargo),
        None => workspace::cargo(),
    };
    remove_outer_cargo(&mut build);
    build
        .current_dir(workspace::root())
        .args(["build", "--locked", "--release", "--package", "tracer-ebpf"])
        .args(["--target", BPF_TARGET, "--target-dir"])
        .arg(&directory)
        .env("RUSTC", &toolchain.rustc)
        // aya-ebpf needs the unstable BPF inline assembly.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain)?)
        .env("AYA_BPF_TARGET_ARCH", ARCH);
    if toolchain.build_std {
        build.args(["-Z", "build-std=core"]);
    }
    progress::say("compiling the eBPF programs");
    command::run(&mut build).context("the eBPF programs do not compile")?;
    let object = directory.join(BPF_TARGET).join("release/tracer");
    fs::read(&object).with_context(|| format!("cannot read {}", object.display()))
}

/// The compiler's flags, in cargo's encoding.
fn flags(toolchain: &Toolchain) -> Result<OsString> {
    let mut flags = OsString::from(FLAGS.join("\x1f"));
    flags.push("\x1f-Clinker=");
    flags.push(&toolchain.linker);
    for (from, to) in local_paths(toolchain)? {
        flags.push("\x1f--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    Ok(flags)
}

/// The directories of this machine that sources are in, and what the object calls them. The last that fits counts.
fn local_paths(toolchain: &Toolchain) -> Result<Vec<(PathBuf, &'static str)>> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let mut paths = vec![(workspace::root(), "/tracer")];
    if let Some(registry) = cargo_home.map(|home| home.join("registry/src")) {
        // Below it, a directory for each index, named for its address: crates come from a mirror here and there.
        for index in fs::read_dir(&registry).into_iter().flatten() {
            let index = index.with_context(|| format!("cannot read {}", registry.display()))?;
            paths.push((index.path(), "/crates"));
        }
    }
    if let Some(sysroot) = toolchain.rustc.ancestors().nth(2) {
        paths.push((sysroot.join("lib/rustlib/src/rust"), "/rust"));
    }
    Ok(paths)
}

/// Takes away what the outer cargo or a compiler cache set for the compilation of host code, and leaves what the user
/// set to reach a registry.
fn remove_outer_cargo(build: &mut Command) {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_cargo =
            text.starts_with("CARGO_") && !KEPT.iter().any(|kept| text.starts_with(kept));
        let of_compiler = text.starts_with("RUSTC") || text.starts_with("CLIPPY_");
        if of_cargo || of_compiler || text == "RUSTFLAGS" {
            build.env_remove(&name);
        }
    }
}
