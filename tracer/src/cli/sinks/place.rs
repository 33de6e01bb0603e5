//! Where a path of `-o` leads: to standard output, to something that takes bytes as they come, or to a file that can be
//! replaced. Hides links and the names of descriptors.

use rustix::io::Errno;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// As many links as the kernel follows (`MAXSYMLINKS` in `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// Where bytes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `-`, `/dev/stdout` and their like.
    Stdout,
    /// A pipe, a device, another descriptor that is open already.
    Stream(PathBuf),
    /// A file, or a name that is free; no part of it is a link.
    File(PathBuf),
}

impl Place {
    /// Where `path` leads.
    ///
    /// # Errors
    /// Its directory does not exist or cannot be read, links lead in a circle, or the kernel refuses to follow one.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Place::Stdout);
        }
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
            let directory = match path.parent() {
                Some(parent) if parent != Path::new("") => fs::canonicalize(parent)?,
                _ => fs::canonicalize(".")?,
            };
            let full = directory.join(name);
            if directory == own_descriptors() {
                // What such a link says of a pipe is no path, and a file that the shell has opened for us must not be
                // replaced: the shell would go on with the old one.
                return Ok(if name == "1" {
                    Place::Stdout
                } else {
                    Place::Stream(full)
                });
            }
            match fs::symlink_metadata(&full) {
                Ok(metadata) if metadata.is_symlink() => {
                    may_follow(&full)?;
                    path = directory.join(fs::read_link(&full)?);
                }
                Ok(metadata) if metadata.is_file() => return Ok(Place::File(full)),
                Ok(_) => return Ok(Place::Stream(full)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Place::File(full));
                }
                Err(error) => return Err(error),
            }
        }
        Err(Errno::LOOP.into())
    }
}

/// `/dev/fd` and `/proc/self/fd` without links.
fn own_descriptors() -> PathBuf {
    format!("/proc/{}/fd", std::process::id()).into()
}

/// Has the kernel follow the link first: in a directory that everybody can write to it does not follow links of other
/// users (`fs.protected_symlinks`, proc_sys_fs(5)), and reading them ourselves must not be a way round.
fn may_follow(link: &Path) -> io::Result<()> {
    match fs::metadata(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn real(directory: &tempfile::TempDir) -> PathBuf {
        fs::canonicalize(directory.path()).unwrap()
    }

    #[test]
    fn links_lead_to_what_they_name_there_or_not() {
        let directory = tempfile::tempdir().unwrap();
        let real = real(&directory);
        fs::create_dir(real.join("inner")).unwrap();
        symlink("inner/file.json", real.join("relative.json")).unwrap();
        symlink(real.join("relative.json"), real.join("absolute.json")).unwrap();
        symlink("inner", real.join("way")).unwrap();
        for name in ["relative.json", "absolute.json", "way/file.json"] {
            let place = Place::of(&real.join(name)).unwrap();
            assert_eq!(place, Place::File(real.join("inner/file.json")), "{name}");
        }
        fs::write(real.join("inner/file.json"), "").unwrap();
        let place = Place::of(&real.join("absolute.json")).unwrap();
        assert_eq!(place, Place::File(real.join("inner/file.json")));
    }

    #[test]
    fn a_circle_of_links_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        symlink("b.json", directory.path().join("a.json")).unwrap();
        symlink("a.json", directory.path().join("b.json")).unwrap();
        let error = Place::of(&directory.path().join("a.json")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    }

    #[test]
    fn a_name_in_this_directory_is_a_file() {
        let here = fs::canonicalize(".").unwrap().join("no-such-file.json");
        let place = Place::of(Path::new("no-such-file.json")).unwrap();
        assert_eq!(place, Place::File(here));
    }

    #[test]
    fn standard_output_has_several_names() {
        for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(Place::of(Path::new(name)).unwrap(), Place::Stdout, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_a_stream() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["/dev/null", "/dev/fd/2", "/dev/stderr"] {
            let place = Place::of(Path::new(path)).unwrap();
            assert!(matches!(place, Place::Stream(_)), "{path}: {place:?}");
        }
        let place = Place::of(directory.path()).unwrap();
        assert_eq!(place, Place::Stream(real(&directory)));
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let error = Place::of(Path::new("/no/such/directory/a.json")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = Place::of(Path::new("/tmp/..")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
