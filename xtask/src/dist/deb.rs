//! A Debian package, as deb(5) describes it: an ar archive of the format's version, what dpkg wants to know, and the
//! files. It installs the unit and does not enable it; purging it takes the unit's captures along.

use anyhow::{Context as _, Result};

use super::{
    VERSION,
    archive::{self, Entry},
};

/// Debian's name of the machine.
pub(super) const ARCHITECTURE: &str = "amd64";

/// systemd reads its units anew where it runs; a container has none.
const AFTER_INSTALLING: &str = "#!/bin/sh\nset -e\n\
    if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi\n";

/// As `AFTER_INSTALLING`; what the unit has written is logs, which purging a package removes (Debian policy 10.8).
const AFTER_REMOVING: &str = "#!/bin/sh\nset -e\n\
    if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi\n\
    if [ \"$1\" = purge ]; then rm -rf /var/log/tracer; fi\n";

/// The package with these files, whose paths are below `/usr`. `time` is in seconds of Unix time.
pub(super) fn package(files: Vec<Entry>, time: u64) -> Result<Vec<u8>> {
    let files: Vec<Entry> = files.into_iter().map(|file| file.below("usr")).collect();
    let control = [
        Entry::text("control", control(&files).into_bytes()),
        Entry::program("postinst", AFTER_INSTALLING.into()),
        Entry::program("postrm", AFTER_REMOVING.into()),
    ];
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        (
            "control.tar.gz",
            archive::gzip(&archive::tar(&control, time)?)?,
        ),
        ("data.tar.gz", archive::gzip(&archive::tar(&files, time)?)?),
    ];
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.into(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(time);
        package
            .append(&header, &*bytes)
            .with_context(|| format!("cannot add {name} to the Debian package"))?;
    }
    package
        .into_inner()
        .context("cannot end the Debian package")
}

fn control(files: &[Entry]) -> String {
    let bytes: usize = files.iter().map(|file| file.bytes().len()).sum();
    format!(
        "Package: tracer\n\
         Version: {VERSION}\n\
         Architecture: {ARCHITECTURE}\n\
         Maintainer: The tracer project\n\
         Section: devel\n\
         Priority: optional\n\
         Installed-Size: {}\n\
         Description: shows where the memory of a running Go program comes from\n \
         tracer attaches eBPF uprobes to the allocation functions of a running,\n \
         unmodified Go program and sums up allocations, sizes, types, maps, page\n \
         faults and live bytes per line of code. It needs no library, and Linux\n \
         5.17 or later.\n",
        bytes.div_ceil(1024)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_package_has_its_version_then_control_then_files() {
        let files = vec![Entry::program("bin/tracer", b"program".to_vec())];
        let bytes = package(files, 1_700_000_000).unwrap();
        let mut archive = ar::Archive::new(&*bytes);
        let mut names = Vec::new();
        while let Some(member) = archive.next_entry() {
            let mut member = member.unwrap();
            assert_eq!(member.header().mtime(), 1_700_000_000);
            let mut content = Vec::new();
            member.read_to_end(&mut content).unwrap();
            names.push(String::from_utf8(member.header().identifier().to_vec()).unwrap());
        }
        assert_eq!(names, ["debian-binary", "control.tar.gz", "data.tar.gz"]);
    }

    #[test]
    fn the_control_file_tells_the_size_in_kib() {
        let files = [Entry::text("share/x", vec![0; 1025])];
        assert!(control(&files).contains("\nInstalled-Size: 2\n"));
    }
}
