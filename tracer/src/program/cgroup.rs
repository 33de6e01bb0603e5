//! What the control groups of a process tell: its container, and its memory limit.
//!
//! Hides the two versions of the file system, and that every group on the way to the root has a limit of its own.

use procfs::ProcessCGroups;
use std::fs;
use std::path::{Component, Path};

/// Where control groups are mounted, in every distribution.
const MOUNT: &str = "/sys/fs/cgroup";
/// What version 1 says where there is no limit: the largest number of pages there can be, in bytes.
const NO_LIMIT: u64 = 1 << 62;

/// The control group that limits a process's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryGroup {
    /// The least limit in bytes on the way to the root; `None` if there is none.
    pub limit_bytes: Option<u64>,
    /// What the group with that limit uses, without what the kernel can drop at once (inactive files); without a limit
    /// what the process's own group uses. `None` if it cannot be read.
    pub used_bytes: Option<u64>,
}

/// The files of a group, in one version of the file system.
#[derive(Clone, Copy, Debug)]
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` that says what the kernel can drop at once, of the groups below as well.
    inactive_file: &'static str,
}

const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    inactive_file: "total_inactive_file",
};
const VERSION_2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    inactive_file: "inactive_file",
};

/// The group with the least limit of all that a process is in, else its own.
pub(super) fn memory_group(groups: ProcessCGroups) -> MemoryGroup {
    let groups = groups.into_iter().filter_map(|group| {
        if group.hierarchy == 0 {
            Some(least(Path::new(MOUNT), &group.pathname, VERSION_2, read))
        } else if group.controllers.iter().any(|name| name == "memory") {
            let mount = Path::new(MOUNT).join("memory");
            Some(least(&mount, &group.pathname, VERSION_1, read))
        } else {
            None
        }
    });
    // Where both versions are mounted, only one of them knows of memory.
    let known = groups.filter(|group| *group != MemoryGroup::default());
    known
        .min_by_key(|group| group.limit_bytes.unwrap_or(u64::MAX))
        .unwrap_or_default()
}

/// The one with the least limit of a group and those above it, else the group itself.
fn least(
    mount: &Path,
    group: &str,
    files: Files,
    read: impl Fn(&Path) -> Option<String>,
) -> MemoryGroup {
    let own = Path::new(group.trim_start_matches('/'));
    // A group outside our own namespace of groups, of which our mount shows nothing: its root is that of our own group.
    if own.components().any(|part| part == Component::ParentDir) {
        return MemoryGroup::default();
    }
    let limits = own.ancestors().filter_map(|ancestor| {
        let directory = mount.join(ancestor);
        // "max" is no number.
        let limit: u64 = number(&read(&directory.join(files.limit))?)?;
        (limit < NO_LIMIT).then_some((limit, directory))
    });
    let least = limits.min_by_key(|(limit, _)| *limit);
    let (limit_bytes, directory) = match least {
        Some((limit, directory)) => (Some(limit), directory),
        None => (None, mount.join(own)),
    };
    MemoryGroup {
        limit_bytes,
        used_bytes: used(&directory, files, read),
    }
}

/// What a group uses without what can be dropped at once.
fn used(directory: &Path, files: Files, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let usage = number(&read(&directory.join(files.usage))?)?;
    let statistics = read(&directory.join("memory.stat"))?;
    let inactive_file = statistics.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == files.inactive_file).then(|| number(value))?
    })?;
    // They are not of one moment.
    Some(usage.saturating_sub(inactive_file))
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok()
}

/// The id of the container that a process runs in: the 64 hexadecimal digits that Docker, containerd and CRI-O put in the
/// name of its control group.
pub(super) fn container_id(groups: ProcessCGroups) -> Option<String> {
    groups
        .into_iter()
        .find_map(|group| container_of(&group.pathname).map(str::to_owned))
}

fn container_of(group: &str) -> Option<&str> {
    let names = group.split(|c: char| !c.is_ascii_alphanumeric());
    // The innermost, for a container in a container.
    names
        .rev()
        .find(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: Files, contents: &[(&str, &str)], limit: Option<u64>, used: Option<u64>) {
        let group = least(Path::new("/mnt"), "/a/b", files, |path| {
            let mut contents = contents.iter();
            let (_, text) = contents.find(|(name, _)| Path::new("/mnt").join(name) == path)?;
            Some((*text).to_owned())
        });
        let expected = MemoryGroup {
            limit_bytes: limit,
            used_bytes: used,
        };
        assert_eq!(group, expected, "{contents:?}");
    }

    #[test]
    fn the_least_limit_on_the_way_to_the_root_holds() {
        let limits = |own, parent| [("a/b/memory.max", own), ("a/memory.max", parent)];
        check(VERSION_2, &limits("max\n", "max\n"), None, None);
        check(
            VERSION_2,
            &limits("max\n", "1048576\n"),
            Some(1 << 20),
            None,
        );
        check(VERSION_2, &limits("4096\n", "1048576\n"), Some(4096), None);
        check(
            VERSION_2,
            &limits("9223372036854771712\n", "max\n"),
            None,
            None,
        );
    }

    #[test]
    fn a_group_outside_our_namespace_has_no_limit_that_we_see() {
        let ours = |path: &Path| path.ends_with("memory.max").then(|| "4096\n".to_owned());
        let group = least(Path::new("/mnt"), "/../other", VERSION_2, ours);
        assert_eq!(group, MemoryGroup::default());
    }

    #[test]
    fn what_is_used_is_that_of_the_group_with_the_limit() {
        let version_2 = |limit| {
            [
                ("a/memory.max", limit),
                ("a/memory.current", "900\n"),
                ("a/memory.stat", "anon 500\ninactive_file 100\n"),
                ("a/b/memory.max", "max\n"),
                ("a/b/memory.current", "70\n"),
                (
                    "a/b/memory.stat",
                    "inactive_file_other 1\ninactive_file 20\n",
                ),
            ]
        };
        check(VERSION_2, &version_2("1000\n"), Some(1000), Some(800));
        check(VERSION_2, &version_2("max\n"), None, Some(50));
        let version_1 = [
            ("a/b/memory.limit_in_bytes", "1000\n"),
            ("a/b/memory.usage_in_bytes", "900\n"),
            (
                "a/b/memory.stat",
                "inactive_file 1\ntotal_inactive_file 1000\n",
            ),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        check(VERSION_1, &version_1, Some(1000), Some(0));
    }

    #[test]
    fn containers_are_told_by_their_control_group() {
        let id = "0123456789abcdef".repeat(4);
        let check = |group: String, expected: Option<&str>| {
            assert_eq!(container_of(&group), expected, "{group}");
        };
        check(format!("/docker/{id}"), Some(&id));
        check(format!("/system.slice/docker-{id}.scope"), Some(&id));
        check(
            format!("/kubepods.slice/kubepods-pod12ab.slice/cri-containerd-{id}.scope"),
            Some(&id),
        );
        check(format!("/docker/{}/docker/{id}", "f".repeat(64)), Some(&id));
        check(format!("/docker/{id}0"), None);
        check("/user.slice/user-1000.slice".to_owned(), None);
    }
}
