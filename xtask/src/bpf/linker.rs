//! Finds a bpf-linker that works with the eBPF compiler, or builds one. Hides how "works with" is decided: the
//! linker reads the compiler's LLVM bitcode, so it is given some.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, Result, ensure};

use super::toolchain::Compiler;
use crate::{apt, command, progress, sudo::Privilege, workspace};

const VERSION: &str = "0.13.0";

/// No `core` for BPF is needed to compile this: the bitcode of the host target is linked for BPF.
const TRIAL_PROGRAM: &str = "#![no_std]
#[unsafe(no_mangle)]
pub extern \"C\" fn sum(values: &mut [u64; 8]) -> u64 {
    values[3] += 1;
    values.iter().sum()
}
";

/// A linker for what this compiler emits.
pub(crate) fn ensure(compiler: &Compiler) -> Result<PathBuf> {
    let trial = Trial::compile(&compiler.rustc)?;
    let own = workspace::target().join("tools/bpf-linker/bin/bpf-linker");
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|directory| directory.join("bpf-linker"));
    let found = [own.clone()]
        .into_iter()
        .chain(in_path)
        .find(|linker| linker.is_file() && trial.links_with(linker).is_ok());
    if let Some(linker) = found {
        return Ok(linker);
    }
    let llvm = compiler.llvm_major().with_context(|| {
        format!(
            "{} does not tell its LLVM version",
            compiler.rustc.display()
        )
    })?;
    build(llvm)?;
    trial
        .links_with(&own)
        .context("the bpf-linker just built does not work")?;
    Ok(own)
}

/// A program compiled to bitcode, to be linked.
#[derive(Debug)]
struct Trial {
    directory: PathBuf,
}

impl Trial {
    fn compile(rustc: &Path) -> Result<Self> {
        let directory = workspace::target().join(format!("bpf/trial-{}", process::id()));
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let trial = Self { directory };
        let source = trial.directory.join("trial.rs");
        fs::write(&source, TRIAL_PROGRAM)?;
        let options = [
            "--edition=2024",
            "--crate-type=lib",
            "--emit=llvm-bc",
            "-Copt-level=3",
            "-Cpanic=abort",
        ];
        let mut compile = Command::new(rustc);
        compile
            .args(options)
            .arg("-o")
            .arg(trial.bitcode())
            .arg(source);
        command::output(&mut compile)?;
        Ok(trial)
    }

    fn bitcode(&self) -> PathBuf {
        self.directory.join("trial.bc")
    }

    fn links_with(&self, linker: &Path) -> Result<()> {
        let mut link = Command::new(linker);
        link.args(["--target", "bpfel", "-o"])
            .arg(self.directory.join("trial.o"))
            .arg(self.bitcode());
        command::output(&mut link).map(drop)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // What is left behind is small and below target/.
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// Builds a linker against the compiler's version of LLVM.
fn build(llvm: u32) -> Result<()> {
    let prefix = llvm_prefix(llvm)?;
    let tools = workspace::target().join("tools");
    // What an interrupted build has compiled is there for the next one.
    let compiled = tools.join("bpf-linker-build");
    let mut install = workspace::cargo();
    install
        .args([
            "install",
            "bpf-linker",
            "--locked",
            "--force",
            "--version",
            VERSION,
        ])
        .args([
            "--no-default-features",
            "--features",
            &format!("llvm-{llvm}"),
            "--root",
        ])
        .arg(tools.join("bpf-linker"))
        .env("LLVM_PREFIX", prefix)
        .env("CARGO_TARGET_DIR", &compiled);
    let message = format!("building bpf-linker {VERSION} with LLVM {llvm}, about a minute");
    progress::during(&message, || command::output(&mut install)).with_context(|| remedy(llvm))?;
    fs::remove_dir_all(&compiled).with_context(|| format!("cannot remove {}", compiled.display()))
}

/// Where the LLVM development files are; installs Debian's when there are none.
fn llvm_prefix(llvm: u32) -> Result<PathBuf> {
    if let Some(prefix) = env::var_os("LLVM_PREFIX") {
        return Ok(PathBuf::from(prefix));
    }
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    if !prefix.join("include/llvm-c").exists() {
        let package = format!("llvm-{llvm}-dev");
        ensure!(apt::is_here(), remedy(llvm));
        let purpose = format!("to install the Debian package {package}");
        let privilege = Privilege::obtain(&purpose).with_context(|| remedy(llvm))?;
        let reason = "because the linker for eBPF is built with the LLVM of the compiler";
        apt::install(&privilege, &[&package], reason).with_context(|| remedy(llvm))?;
    }
    Ok(prefix)
}

fn remedy(llvm: u32) -> String {
    format!(
        "no bpf-linker here works with LLVM {llvm}. One of these makes one available, then run this again:
  Debian:     sudo apt-get install llvm-{llvm}-dev
  elsewhere:  cargo install cargo-binstall && cargo binstall bpf-linker   (LLVM {llvm} or newer)"
    )
}
