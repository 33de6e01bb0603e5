//! Finds a compiler and a linker for eBPF, or installs them, and records them in `target/bpf/toolchain` for the
//! agent's build script. Hides the two kinds there are: a rustc that has `core` for BPF, as Debian packages it, and
//! a rustup nightly that compiles `core` along from `rust-src`.

use std::{
    collections::{BTreeSet, HashMap},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{apt, bpf_linker, command, progress, sudo::Privilege, workspace};

/// Debian's rustc and its prebuilt `core` for the BPF targets.
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// What a person can do when nothing can be installed for them.
const REMEDY: &str =
    "no Rust toolchain for eBPF was found. One of these makes one available, then run this again:
  Debian:     sudo apt-get install rustc-web libstd-rust-web-dev-bpf
  elsewhere:  rustup toolchain install nightly --component rust-src
              cargo install cargo-binstall && cargo binstall bpf-linker";

/// A compiler that can build the eBPF programs.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// The compiler itself, not rustup's proxy for it.
    pub(crate) rustc: PathBuf,
    /// The cargo to use with it, if not any will do.
    cargo: Option<PathBuf>,
    /// Whether `core` has to be compiled along.
    build_std: bool,
    /// What `rustc --version` says, to notice an upgrade.
    version: String,
    /// The major version of its LLVM.
    pub(crate) llvm: u32,
}

/// Makes sure that `target/bpf/toolchain` names tools that work.
pub(crate) fn ensure() -> Result<()> {
    if recorded_tools_work() {
        return Ok(());
    }
    let compiler = match find_compiler() {
        Some(compiler) => compiler,
        None => install_compiler()?,
    };
    progress::say(&format!(
        "eBPF compiler: {} ({}, LLVM {})",
        compiler.rustc.display(),
        compiler.version,
        compiler.llvm
    ));
    let linker = bpf_linker::ensure(&compiler)?;
    progress::say(&format!("eBPF linker: {}", linker.display()));
    record(&compiler, &linker)
}

fn record_path() -> PathBuf {
    workspace::target().join("bpf/toolchain")
}

fn record(compiler: &Compiler, linker: &Path) -> Result<()> {
    let path = record_path();
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    fs::write(&path, record_text(compiler, linker))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn record_text(compiler: &Compiler, linker: &Path) -> String {
    let mut text = format!(
        "rustc={}\nrustc_version={}\nlinker={}\nbuild_std={}\n",
        compiler.rustc.display(),
        compiler.version,
        linker.display(),
        u8::from(compiler.build_std),
    );
    if let Some(cargo) = &compiler.cargo {
        text.push_str(&format!("cargo={}\n", cargo.display()));
    }
    text
}

fn recorded_tools_work() -> bool {
    let Ok(text) = fs::read_to_string(record_path()) else {
        return false;
    };
    let record: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let (Some(rustc), Some(version), Some(linker)) = (
        record.get("rustc"),
        record.get("rustc_version"),
        record.get("linker"),
    ) else {
        return false;
    };
    let said = |tool: &str| command::output(Command::new(tool).arg("--version")).ok();
    said(rustc).is_some_and(|said| said.trim() == *version)
        && said(linker).is_some()
        && record
            .get("cargo")
            .is_none_or(|cargo| Path::new(cargo).exists())
}

fn find_compiler() -> Option<Compiler> {
    compiler_with_core().or_else(nightly_with_sources)
}

/// A rustc in PATH, or Debian's behind rustup's, with a prebuilt `core` for BPF.
fn compiler_with_core() -> Option<Compiler> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let candidates: BTreeSet<PathBuf> = directories
        .map(|directory| directory.join("rustc"))
        .collect();
    candidates
        .into_iter()
        .filter(|rustc| rustc.is_file() && has_core(rustc))
        .find_map(|rustc| describe(&sysroot(&rustc)?.join("bin/rustc"), None, false))
}

fn has_core(rustc: &Path) -> bool {
    let arguments = ["--print", "target-libdir", "--target", "bpfel-unknown-none"];
    let Ok(directory) = command::output(Command::new(rustc).args(arguments)) else {
        return false;
    };
    let Ok(libraries) = fs::read_dir(directory.trim()) else {
        return false;
    };
    libraries.flatten().any(|library| {
        let name = library.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let sysroot = command::output(Command::new(rustc).args(["--print", "sysroot"])).ok()?;
    Some(PathBuf::from(sysroot.trim()))
}

/// A rustup nightly that has the sources of the standard library.
fn nightly_with_sources() -> Option<Compiler> {
    let toolchains = command::output(Command::new("rustup").args(["toolchain", "list"])).ok()?;
    toolchains
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("nightly"))
        .find_map(|name| {
            let rustc = command::output(Command::new("rustup").args([
                "which",
                "--toolchain",
                name,
                "rustc",
            ]))
            .ok()?;
            let rustc = Path::new(rustc.trim());
            let sysroot = sysroot(rustc)?;
            let sources = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs");
            let cargo = sysroot.join("bin/cargo");
            (sources.exists() && cargo.exists()).then(|| describe(rustc, Some(cargo), true))?
        })
}

fn describe(rustc: &Path, cargo: Option<PathBuf>, build_std: bool) -> Option<Compiler> {
    let said = command::output(Command::new(rustc).arg("-vV")).ok()?;
    Some(Compiler {
        rustc: rustc.to_owned(),
        cargo,
        build_std,
        version: said.lines().next()?.trim().to_owned(),
        llvm: llvm_major(&said)?,
    })
}

/// The LLVM of a compiler, from what `rustc -vV` says.
fn llvm_major(verbose_version: &str) -> Option<u32> {
    let version = verbose_version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.trim().parse().ok()
}

/// Installs Debian's compiler where there is one.
fn install_compiler() -> Result<Compiler> {
    if !apt::is_here() {
        bail!(REMEDY);
    }
    let known = DEBIAN_PACKAGES
        .iter()
        .all(|package| apt::candidate(package).is_some());
    if !known && !apt::has_no_lists() {
        bail!(REMEDY);
    }
    let privilege = Privilege::obtain("to install the Debian packages of a Rust compiler for eBPF")
        .context(REMEDY)?;
    if !known {
        apt::update(&privilege)?;
    }
    if DEBIAN_PACKAGES
        .iter()
        .any(|package| apt::candidate(package).is_none())
    {
        bail!(REMEDY);
    }
    let reason = "because no Rust compiler here can compile for eBPF (yours stays the default)";
    apt::install(&privilege, &DEBIAN_PACKAGES, reason)?;
    find_compiler().with_context(|| {
        format!(
            "{} has no `core` for bpfel-unknown-none",
            DEBIAN_PACKAGES.join(" ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBOSE: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                           host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    #[test]
    fn the_llvm_version_is_read_from_the_verbose_version() {
        assert_eq!(llvm_major(VERBOSE), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }

    #[test]
    fn the_record_names_a_cargo_only_when_core_is_compiled_along() {
        let mut compiler = Compiler {
            rustc: PathBuf::from("/usr/bin/rustc"),
            cargo: None,
            build_std: false,
            version: "rustc 1.96.0".to_owned(),
            llvm: 22,
        };
        let linker = Path::new("/opt/bpf-linker");
        assert_eq!(
            record_text(&compiler, linker),
            "rustc=/usr/bin/rustc\nrustc_version=rustc 1.96.0\nlinker=/opt/bpf-linker\nbuild_std=0\n"
        );
        compiler.build_std = true;
        compiler.cargo = Some(PathBuf::from("/nightly/bin/cargo"));
        assert!(
            record_text(&compiler, linker).ends_with("build_std=1\ncargo=/nightly/bin/cargo\n")
        );
    }
}
