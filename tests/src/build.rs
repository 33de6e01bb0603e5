//! Which builds of the Go programs there are to trace: the list that `cargo xtask test` makes before it builds them.
//!
//! A build that is on the list and not on disk fails the test that wants it.

use std::fmt;
use std::io::Write as _;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

/// Directory with the list and the built programs, `VERSION/VARIANT/NAME` below it.
const PROGRAMS: &str = "TRACER_PROGRAMS";
/// The list: a line `VERSION VARIANT NAME` for each program, oldest version first.
const LIST: &str = "builds";
/// The command for [`compile_command`], one argument a line.
const COMPILE: &str = "compile";
/// `go tool pprof`, built.
const PPROF: &str = "pprof";
/// Built without any special flag.
const PLAIN: &str = "plain";

/// One build of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Go version.
    pub version: String,
    /// How it was built.
    pub variant: String,
    /// The program.
    pub name: String,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Go {}, {}", self.name, self.version, self.variant)
    }
}

impl Build {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        programs()
            .join(&self.version)
            .join(&self.variant)
            .join(&self.name)
    }

    /// Minor version of Go 1.
    ///
    /// # Panics
    /// The version has none.
    pub fn minor(&self) -> u32 {
        let minor = self.version.split('.').nth(1);
        minor
            .and_then(|minor| minor.parse().ok())
            .unwrap_or_else(|| panic!("no minor version in {self}"))
    }

    /// Whether its maps are Swiss tables, not arrays of buckets.
    pub fn has_swiss_maps(&self) -> bool {
        self.minor() >= 24 && self.variant != "noswissmap"
    }
}

/// Every build of a program, oldest version first.
///
/// # Panics
/// There is none.
pub fn builds_of(name: &str) -> Vec<Build> {
    let mut builds = all_builds();
    builds.retain(|build| build.name == name);
    assert!(!builds.is_empty(), "no build of {name} is listed");
    builds
}

/// The first and the last of [`builds_of`].
///
/// # Panics
/// There is none.
pub fn oldest_and_newest(name: &str) -> [Build; 2] {
    let builds = builds_of(name);
    [builds[0].clone(), builds[builds.len() - 1].clone()]
}

/// Of [`builds_of`], so many that every Go version and every way to build is among them, and the newest version without
/// any special flag; for what does not depend on how the two go together.
///
/// # Panics
/// There is none.
pub fn some_builds_of(name: &str) -> Vec<Build> {
    some_of(&builds_of(name))
}

/// Takes one build of each version, in the way that was taken least, and one of each way that is not there then.
fn some_of(builds: &[Build]) -> Vec<Build> {
    let mut versions: Vec<&str> = builds.iter().map(|build| build.version.as_str()).collect();
    versions.dedup();
    let mut taken: Vec<&Build> = Vec::new();
    for version in &versions {
        let of_version = builds.iter().filter(|build| build.version == *version);
        let uses = |build: &Build| {
            taken
                .iter()
                .filter(|it| it.variant == build.variant)
                .count()
        };
        taken.extend(of_version.min_by_key(|build| uses(build)));
    }
    for build in builds {
        let is_new = taken.iter().all(|it| it.variant != build.variant);
        let is_first = build.variant == PLAIN && versions.last() == Some(&build.version.as_str());
        if is_new || (is_first && !taken.contains(&build)) {
            taken.push(build);
        }
    }
    taken.into_iter().cloned().collect()
}

/// Runs `check` on every build of a program, so that the failure of one does not hide that of another.
///
/// # Panics
/// `check` did, for at least one.
pub fn for_each_build(name: &str, check: impl Fn(&Build) + RefUnwindSafe) {
    for_each_of(&builds_of(name), check);
}

/// The same for a choice of builds.
///
/// # Panics
/// `check` did, for at least one.
pub fn for_each_of(builds: &[Build], check: impl Fn(&Build) + RefUnwindSafe) {
    let failed: Vec<String> = builds
        .iter()
        .filter(|build| catch_unwind(|| timed(build, || check(build))).is_err())
        .map(Build::to_string)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} builds failed, see above:\n{}",
        failed.len(),
        builds.len(),
        failed.join("\n")
    );
}

/// Does something with a build and says how long it took, also in the log of tests that succeed: what is slow in them
/// is seen nowhere else. The test harness keeps only what `print!` and its like write.
pub fn timed<T>(build: &Build, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    // A log that cannot be written is no reason to fail.
    drop(writeln!(std::io::stderr(), "{seconds:6.1} s {build}"));
    result
}

/// The Go versions that every program is built with, oldest first.
///
/// # Panics
/// There is none.
pub fn go_versions() -> Vec<String> {
    let builds = all_builds();
    let mut versions: Vec<&str> = builds.iter().map(|build| build.version.as_str()).collect();
    versions.dedup();
    let has = |version: &str, name: &str| {
        builds
            .iter()
            .any(|build| build.version == version && build.variant == PLAIN && build.name == name)
    };
    versions.retain(|version| builds.iter().all(|build| has(version, &build.name)));
    assert!(
        !versions.is_empty(),
        "every program is built with some version"
    );
    versions.into_iter().map(str::to_owned).collect()
}

/// The newest of [`go_versions`].
pub fn newest_go() -> String {
    go_versions().pop().expect("at least one version")
}

/// Path of a program built without any special flag.
pub fn program_path(version: &str, name: &str) -> PathBuf {
    programs().join(version).join(PLAIN).join(name)
}

/// The command that has the newest Go compiler compile a large package; more arguments go behind the first word.
///
/// # Panics
/// It was not prepared.
pub fn compile_command() -> Vec<String> {
    let path = programs().join(COMPILE);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| {
        panic!(
            "cannot read {}: {e}: run `cargo xtask test`",
            path.display()
        )
    });
    text.lines().map(str::to_owned).collect()
}

/// Path of `pprof`, as the newest Go toolchain has it.
///
/// # Panics
/// It was not prepared.
pub fn pprof_path() -> PathBuf {
    let path = programs().join(PPROF);
    assert!(
        path.exists(),
        "no {}: run `cargo xtask test`",
        path.display()
    );
    path
}

fn all_builds() -> Vec<Build> {
    let list = programs().join(LIST);
    let text = std::fs::read_to_string(&list).unwrap_or_else(|e| {
        panic!(
            "cannot read {}: {e}: run `cargo xtask test`",
            list.display()
        )
    });
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [version, variant, name] = words[..] else {
                panic!("not a build: {line:?}")
            };
            Build {
                version: version.to_owned(),
                variant: variant.to_owned(),
                name: name.to_owned(),
            }
        })
        .collect()
}

fn programs() -> PathBuf {
    std::env::var_os(PROGRAMS)
        .unwrap_or_else(|| panic!("{PROGRAMS} is not set: run `cargo xtask test`"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(builds: &[(&str, &str)]) -> Vec<String> {
        let builds: Vec<Build> = builds
            .iter()
            .map(|(version, variant)| Build {
                version: (*version).to_owned(),
                variant: (*variant).to_owned(),
                name: "known".to_owned(),
            })
            .collect();
        let some = some_of(&builds).into_iter();
        some.map(|build| format!("{} {}", build.version, build.variant))
            .collect()
    }

    #[test]
    fn some_builds_have_each_version_and_each_way_and_the_newest_without_flags() {
        let builds = ["1.19.8", "1.21.13", "1.22.10", "1.27.3"]
            .map(|version| ["plain", "race", "stripped"].map(|variant| (version, variant)));
        assert_eq!(
            chosen(builds.as_flattened()),
            [
                "1.19.8 plain",
                "1.21.13 race",
                "1.22.10 stripped",
                "1.27.3 plain"
            ]
        );
        let builds = ["1.19.8", "1.27.3"]
            .map(|version| ["plain", "pie", "race", "stripped"].map(|variant| (version, variant)));
        assert_eq!(
            chosen(builds.as_flattened()),
            [
                "1.19.8 plain",
                "1.27.3 pie",
                "1.19.8 race",
                "1.19.8 stripped",
                "1.27.3 plain"
            ]
        );
    }
}
