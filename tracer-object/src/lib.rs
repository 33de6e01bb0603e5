//! Which compiled eBPF object belongs to which sources. The agent's build script asks it what to embed, and
//! `cargo xtask` whether to compile: both by the same hash. Hides what the hash covers, how a record is written, and
//! where objects are kept.

mod record;
mod sources;

pub use record::{Object, Record, Tools};
pub use sources::{BPF_TARGET, FLAGS, inputs, source_hash};

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The environment variable that has the agent embed the object compiled on this machine, not the one kept with the
/// sources.
pub const PREFER_BUILT: &str = "TRACER_PREFER_BUILT_OBJECT";

/// Where an object can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// With the sources, for everybody.
    Kept,
    /// Compiled on this machine, below `target/`.
    Built,
}

impl Place {
    /// The directory, for the agent's package in `package`.
    #[must_use]
    pub fn directory(self, package: &Path) -> PathBuf {
        match self {
            Self::Kept => package.join("bpf"),
            Self::Built => package.join("../target/bpf/object"),
        }
    }

    /// The object that is here, if it was made from the sources in the checkout. A package without the sources of the
    /// object has the object that it came with.
    ///
    /// # Errors
    /// A file cannot be read, or a record does not belong to its object.
    pub fn current(self, package: &Path, architecture: &str) -> Result<Option<Object>> {
        let hash = source_hash(&package.join(".."), architecture)?;
        let object = Object::read(&self.directory(package), architecture)
            .context("run `cargo xtask bpf` to make the eBPF object anew")?;
        Ok(object.filter(|object| hash.is_none_or(|hash| hash == object.record.sources)))
    }
}

/// The object for the agent to embed: the kept one, or, where the sources were changed since, the one built from them.
///
/// # Errors
/// A file cannot be read, a record does not belong to its object, or the built object is preferred and there is none
/// of these sources.
pub fn choose(package: &Path, architecture: &str, prefer_built: bool) -> Result<Option<Object>> {
    if prefer_built {
        let built = Place::Built.current(package, architecture)?;
        ensure!(
            built.is_some(),
            "{PREFER_BUILT} is set, and no object was built from these sources: unset it, or run `cargo xtask build`"
        );
        return Ok(built);
    }
    match Place::Kept.current(package, architecture)? {
        Some(object) => Ok(Some(object)),
        None => Place::Built.current(package, architecture),
    }
}
