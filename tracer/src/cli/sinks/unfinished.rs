//! A file that takes its name when it is complete. Hides how it is kept until then.
//!
//! Until then it has no name at all (`O_TMPFILE`), so that a tracer that is killed leaves nothing behind. Where the file
//! system does not know such files, NFS for one, it has a name of its own in the same directory.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Stacks can be confidential.
const OWNER_ONLY: u32 = 0o600;

/// A file that is being written.
#[derive(Debug)]
pub(in crate::cli) struct Unfinished {
    /// What it will be called: no link, in a directory that exists.
    path: PathBuf,
    file: Kept,
}

#[derive(Debug)]
enum Kept {
    Unnamed(File),
    Named(NamedTempFile),
}

impl Unfinished {
    /// Creates a file that will be `path`, which may exist.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(in crate::cli) fn create(path: PathBuf) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(OWNER_ONLY);
        let file = match rustix::fs::open(directory_of(&path), flags, mode) {
            Ok(file) => Kept::Unnamed(File::from(file)),
            // The second is what kernels before Linux 3.11, and some file systems, take O_TMPFILE for.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                Kept::Named(names().tempfile_in(directory_of(&path))?)
            }
            Err(error) => return Err(error.into()),
        };
        let unfinished = Unfinished { path, file };
        give_to_sudo_user(unfinished.file());
        Ok(unfinished)
    }

    /// To be written to.
    pub(in crate::cli) fn file(&self) -> &File {
        match &self.file {
            Kept::Unnamed(file) => file,
            Kept::Named(file) => file.as_file(),
        }
    }

    /// Gives the file its name, in place of what had it, once everything is on disk.
    ///
    /// # Errors
    /// It cannot be stored or named; what had the name is untouched then.
    pub(in crate::cli) fn finish(self) -> io::Result<()> {
        // What was there may have been made more private still, but not less.
        if let Ok(before) = fs::symlink_metadata(&self.path) {
            let mode = before.mode() & OWNER_ONLY;
            self.file().set_permissions(Permissions::from_mode(mode))?;
        }
        // Else a crash of the host could leave the new name with an empty file.
        self.file().sync_all()?;
        match self.file {
            Kept::Named(file) => file.persist(&self.path).map(drop).map_err(io::Error::from),
            Kept::Unnamed(file) => names()
                .make_in(directory_of(&self.path), |name| link(&file, name))?
                .persist(&self.path)
                .map_err(io::Error::from),
        }
    }
}

/// Names that a person recognizes, should one be left behind.
fn names() -> tempfile::Builder<'static, 'static> {
    let mut names = tempfile::Builder::new();
    names.prefix(".tracer-").suffix(".part");
    names
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Names a file that has no name, as open(2) says under `O_TMPFILE`: without a capability it goes through `/proc` only.
fn link(file: &File, name: &Path) -> io::Result<()> {
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, unnamed, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

/// A file written under sudo belongs to the person who typed the command, who could not remove it otherwise.
fn give_to_sudo_user(file: &File) {
    let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    if let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
        && let Err(error) = fchown(file, Some(user), Some(group))
    {
        log::debug!("cannot give an output file to user {user}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn names_in(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    /// A file with a name of its own, as where `O_TMPFILE` is not known.
    fn named(path: PathBuf) -> Unfinished {
        let file = names().tempfile_in(directory_of(&path)).unwrap();
        Unfinished {
            file: Kept::Named(file),
            path,
        }
    }

    fn unnamed(path: PathBuf) -> Unfinished {
        Unfinished::create(path).unwrap()
    }

    const WAYS: [fn(PathBuf) -> Unfinished; 2] = [named, unnamed];

    #[test]
    fn a_file_is_there_when_it_is_complete_and_not_before() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.json");
            fs::write(&path, "old").unwrap();
            let unfinished = way(path.clone());
            unfinished.file().write_all(b"new").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            unfinished.finish().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            assert_eq!(names_in(directory.path()), ["a.json"]);
        }
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.json");
            fs::write(&path, "old").unwrap();
            way(path.clone()).file().write_all(b"new").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            assert_eq!(names_in(directory.path()), ["a.json"]);
        }
    }

    #[test]
    fn an_unnamed_file_has_no_name_while_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let unfinished = unnamed(directory.path().join("a.json"));
        assert!(matches!(unfinished.file, Kept::Unnamed(_)));
        assert_eq!(names_in(directory.path()), <[String; 0]>::default());
    }

    #[test]
    fn only_the_owner_reads_a_file_and_a_stricter_mode_stays() {
        for way in WAYS {
            for (before, after) in [
                (None, 0o600),
                (Some(0o644), 0o600),
                (Some(0o640), 0o600),
                (Some(0o400), 0o400),
                (Some(0o755), 0o600),
            ] {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("a.json");
                if let Some(before) = before {
                    fs::write(&path, "old").unwrap();
                    fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
                }
                way(path.clone()).finish().unwrap();
                assert_eq!(mode(&path), after, "{before:?}");
            }
        }
    }

    #[test]
    fn the_longest_name_is_fine() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("n".repeat(250) + ".json");
            way(path.clone()).finish().unwrap();
            assert!(path.exists());
        }
    }
}
