//! Prints and checks the plans of Go executables, for `cargo xtask probes`: each file's plan, what is not in the file,
//! and what in its code contradicts the plan. Fails if anything does.

use anyhow::{Context as _, Result, ensure};
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use tracer::plan;
use tracer::program::GoBinary;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from).peekable();
    let brief = arguments
        .next_if(|argument| argument == Path::new("--brief"))
        .is_some();
    let mut faulty = 0;
    for file in arguments {
        faulty += usize::from(!check(&file, brief)?);
    }
    ensure!(faulty == 0, "{faulty} plans are contradicted by the code");
    Ok(())
}

/// Whether the code of `file` agrees with its plan.
fn check(file: &Path, brief: bool) -> Result<bool> {
    let binary = GoBinary::open(file)?;
    let audit = plan::audit(&binary).with_context(|| format!("cannot check {}", file.display()))?;
    let out = &mut stdout().lock();
    let count = audit.plan.rows.len();
    let version = binary.go_version();
    writeln!(out, "{}: {version}, {count} probes", file.display())?;
    if !brief {
        write!(out, "{}", audit.plan)?;
        if !audit.absent.is_empty() {
            let absent = audit.absent.join(" ");
            writeln!(out, "not in this binary, which never calls them: {absent}")?;
        }
        if audit.faults.is_empty() {
            writeln!(
                out,
                "checked: each call passes its probe once, with size and type in their registers, and no probed function \
                 calls another\n"
            )?;
        }
    }
    for fault in &audit.faults {
        writeln!(out, "FAULT {fault}")?;
    }
    Ok(audit.faults.is_empty())
}
