//! Go binaries that are open, shared by the processes that run them.
//!
//! Hides which processes run the same file. A file is told by what the kernel tells of it, before anything of it is read.

use std::{
    collections::HashMap,
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Weak},
};

use super::{FileIdentity, GoBinary, Process, TargetError};

/// The binaries that somebody uses.
#[derive(Debug, Default)]
pub struct Binaries(HashMap<FileVersion, Weak<GoBinary>>);

/// One content of one file. While the file is mapped its inode is not used again, and while it runs it cannot be written
/// (ETXTBSY, execve(2)); time and length tell of a file that was written between two runs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FileVersion {
    identity: FileIdentity,
    modified: (i64, i64),
    bytes: u64,
}

impl From<&Metadata> for FileVersion {
    fn from(metadata: &Metadata) -> Self {
        Self {
            identity: FileIdentity::from(metadata),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.len(),
        }
    }
}

impl Binaries {
    /// The binary that `process` runs; opened, unless another process runs it and somebody uses that.
    ///
    /// # Errors
    /// As of [`Process::binary`].
    pub fn of(&mut self, process: &Process) -> Result<Arc<GoBinary>, TargetError> {
        let metadata = process.exe_path().metadata();
        let version = metadata.ok().as_ref().map(FileVersion::from);
        let known = version.as_ref().and_then(|version| self.0.get(version));
        if let Some(binary) = known.and_then(Weak::upgrade) {
            return Ok(binary);
        }
        let binary = Arc::new(process.binary()?);
        self.0.retain(|_, binary| binary.strong_count() > 0);
        if let Some(version) = version {
            self.0.insert(version, Arc::downgrade(&binary));
        }
        Ok(binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fixture::Fixture;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn version(path: &Path) -> FileVersion {
        FileVersion::from(&path.metadata().unwrap())
    }

    #[test]
    fn one_content_of_one_file_is_one_version() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        fs::write(&one, Fixture::default().build().bytes).unwrap();
        fs::hard_link(&one, &other).unwrap();
        assert_eq!(version(&one), version(&other));
        fs::remove_file(&other).unwrap();
        fs::copy(&one, &other).unwrap();
        assert_ne!(version(&one), version(&other));
        let before = version(&one);
        fs::set_permissions(&one, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(version(&one), before, "the content is the same");
        fs::write(&one, "another program").unwrap();
        assert_ne!(version(&one), before);
    }
}
