//! Tries everything that `dist` makes as a person meets it: unpacks the tarball, installs the Debian package in an empty
//! root and purges it, runs the container image.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Made, VERSION, contents, make, sum_path};
use crate::{
    command, progress,
    sudo::Privilege,
    tools::{self, INSTALLERS},
};

/// What the container needs to look at processes of the host: what a DaemonSet would ask for.
const CAPABILITIES: [&str; 5] = [
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_DAC_READ_SEARCH",
    "CAP_BPF",
    "CAP_PERFMON",
];

/// Tries all of it with this agent, which has to be static: the image has no library.
pub(crate) fn check(privilege: &Privilege, agent: &Path) -> Result<()> {
    tools::ensure(privilege, &INSTALLERS)?;
    let work = tempfile::tempdir().context("cannot create a directory")?;
    let made = make_twice(agent, work.path())?;
    try_tarball(&made.tarball, work.path())?;
    try_package(privilege, &made.deb, work.path())?;
    try_image(privilege, &made.image, work.path())
}

/// Makes everything twice, with the same bytes, and checksums that fit.
fn make_twice(agent: &Path, work: &Path) -> Result<Made> {
    let first = make(agent, &work.join("first"))?;
    let second = make(agent, &work.join("second"))?;
    for (first, second) in first.paths().into_iter().zip(second.paths()) {
        ensure!(
            fs::read(first)? == fs::read(second)?,
            "{} and {} are of the same sources and differ",
            first.display(),
            second.display()
        );
        let sum = sum_path(first);
        command::output(
            Command::new("sha256sum")
                .args(["--check", "--strict"])
                .arg(sum.file_name().unwrap_or_default())
                .current_dir(work.join("first")),
        )?;
    }
    Ok(first)
}

fn try_tarball(tarball: &Path, work: &Path) -> Result<()> {
    let prefix = work.join("prefix");
    fs::create_dir(&prefix)?;
    command::output(
        Command::new("tar")
            .arg("-xzf")
            .arg(tarball)
            .args(["--strip-components=1", "-C"])
            .arg(&prefix),
    )?;
    try_files(&prefix)?;
    check_unit(&prefix)
}

/// A program, pages and completions that work where they are.
fn try_files(prefix: &Path) -> Result<()> {
    let version = command::output(Command::new(prefix.join("bin/tracer")).arg("--version"))?;
    ensure!(
        version.trim() == format!("tracer {VERSION}"),
        "the installed agent is {version:?}"
    );
    for (shell, path) in contents::COMPLETIONS {
        let script = fs::read_to_string(prefix.join(path))?;
        ensure!(script.contains("record"), "no completions for {shell}");
    }
    let page = fs::read_to_string(prefix.join("share/man/man1/tracer-record.1"))?;
    ensure!(page.contains(".SH EXAMPLES"), "a manual page is incomplete");
    Ok(())
}

/// Has systemd read the unit, where there is systemd.
fn check_unit(prefix: &Path) -> Result<()> {
    // The unit names the place where the tarball is usually unpacked, which the host may lack.
    let unit = fs::read_to_string(prefix.join(contents::UNIT))?;
    let here = format!("{}/bin/tracer", prefix.display());
    let path = prefix.join("tracer@demo.service");
    fs::write(&path, unit.replace("/usr/local/bin/tracer", &here))?;
    // The service that it watches.
    fs::write(
        prefix.join("demo.service"),
        "[Service]\nExecStart=/bin/true\n",
    )?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&path);
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        progress::say("no systemd here: its unit was not checked");
        return Ok(());
    }
    // Of a directive that it does not know it only says so.
    let output = verify.output().context("cannot run systemd-analyze")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && told.is_empty(),
        "systemd finds fault with the unit: {told}"
    );
    Ok(())
}

/// Installs the package in a root that has a shell and nothing else, and purges it: nothing of it stays.
fn try_package(privilege: &Privilege, deb: &Path, work: &Path) -> Result<()> {
    let root = EmptyRoot::make(work.join("root"))?;
    let before = root.files()?;
    root.dpkg(privilege, &["--install"], deb.as_os_str())?;
    try_files(&root.0.join("usr"))?;
    let unit = fs::read_to_string(root.0.join("usr").join(contents::UNIT))?;
    ensure!(
        unit.contains("exec /usr/bin/tracer "),
        "the unit of the Debian package runs another program"
    );
    ensure!(
        !root.0.join("etc/systemd").exists(),
        "the Debian package enables its unit"
    );
    let log = root.0.join("var/log/tracer/demo");
    command::output(privilege.command("mkdir").arg("-p").arg(&log))?;
    root.dpkg(privilege, &["--purge"], "tracer".as_ref())?;
    let after = root.files()?;
    ensure!(
        before == after,
        "after the package was purged there is {after:?}, where there was {before:?}"
    );
    Ok(())
}

/// A root for dpkg's `--root`: it runs the scripts of packages there, and everything else on the host.
struct EmptyRoot(PathBuf);

impl EmptyRoot {
    fn make(root: PathBuf) -> Result<Self> {
        for directory in [
            "bin",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/log",
        ] {
            fs::create_dir_all(root.join(directory))?;
        }
        fs::write(root.join("var/lib/dpkg/status"), "")?;
        let busybox = command::output(Command::new("sh").args(["-c", "command -v busybox"]))?;
        fs::copy(busybox.trim(), root.join("bin/busybox")).context("cannot copy busybox")?;
        for applet in ["sh", "rm"] {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        Ok(Self(root))
    }

    fn dpkg(&self, privilege: &Privilege, act: &[&str], object: &std::ffi::OsStr) -> Result<()> {
        let mut root = std::ffi::OsString::from("--root=");
        root.push(&self.0);
        command::output(privilege.command("dpkg").arg(root).args(act).arg(object)).map(drop)
    }

    /// What is in it but for dpkg's own records.
    fn files(&self) -> Result<String> {
        let own = self.0.join("var/lib/dpkg");
        let mut find = Command::new("find");
        find.current_dir(&self.0).args([".", "-path"]);
        find.arg("./var/lib/dpkg")
            .args(["-prune", "-o", "-path", "./var/log/*", "-type", "f"]);
        find.args(["-prune", "-o", "-print"]);
        ensure!(own.is_dir(), "{} is gone", own.display());
        let found = command::output(&mut find)?;
        let mut found: Vec<&str> = found.lines().collect();
        found.sort_unstable();
        Ok(found.join("\n"))
    }
}

/// Loads the image with tools that others made, and has a container of it say what it can do on this host.
fn try_image(privilege: &Privilege, image: &Path, work: &Path) -> Result<()> {
    let (layout, bundle) = (work.join("layout"), work.join("bundle"));
    let reference = format!("{}:{VERSION}", layout.display());
    command::output(Command::new("skopeo").arg("copy").args([
        format!("oci-archive:{}", image.display()),
        format!("oci:{reference}"),
    ]))?;
    command::output(
        privilege
            .command("umoci")
            .args(["unpack", "--image", &reference])
            .arg(&bundle),
    )?;
    let path = bundle.join("config.json");
    let config = command::output(privilege.command("cat").arg(&path))?;
    let mut config: Value = serde_json::from_str(&config).context("umoci's configuration")?;
    privileged(&mut config);
    let edited = work.join("config.json");
    fs::write(&edited, serde_json::to_vec(&config)?)?;
    command::output(privilege.command("cp").arg(&edited).arg(&path))?;
    let name = format!("tracer-trial-{}", std::process::id());
    let said = command::output(
        privilege
            .command("runc")
            .args(["run", "--bundle"])
            .arg(&bundle)
            .arg(&name),
    )
    .context("`tracer doctor` in a container of the image")?;
    ensure!(
        said.contains("BTF") && said.contains("uprobes"),
        "`tracer doctor` in a container says {said:?}"
    );
    Ok(())
}

/// As a container is run that looks at its host: the host's processes, its /sys, and the capabilities for it.
fn privileged(config: &mut Value) {
    let capabilities = json!(CAPABILITIES);
    config["process"]["args"] = json!(["/usr/bin/tracer", "doctor"]);
    config["process"]["terminal"] = json!(false);
    for set in ["bounding", "effective", "permitted", "inheritable"] {
        config["process"]["capabilities"][set] = capabilities.clone();
    }
    // A host's name needs a namespace of its own.
    config["hostname"] = json!("");
    config["linux"] = json!({ "namespaces": [{ "type": "mount" }] });
    config["mounts"] = json!([
        { "destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"] },
        { "destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind"] },
        { "destination": "/dev", "type": "none", "source": "/dev", "options": ["rbind"] },
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_is_not_taken_for_the_agent() {
        let prefix = tempfile::tempdir().unwrap();
        fs::create_dir(prefix.path().join("bin")).unwrap();
        symlink("/bin/true", prefix.path().join("bin/tracer")).unwrap();
        let error = try_files(prefix.path()).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("the installed agent is"), "{error}");
    }
}
