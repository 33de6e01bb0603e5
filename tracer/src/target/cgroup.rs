//! What the control groups of a process tell: its container, and its memory limit.
//!
//! Hides the two versions of the file system, and that every group on the way to the root has a limit of its own.

use procfs::process::Process;
use std::fs;
use std::path::Path;

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

/// The least limit in bytes of all groups that a process is in; `None` if there is none or it cannot be read.
pub(super) fn memory_limit(process: &Process) -> Option<u64> {
    let groups = process.cgroups().ok()?;
    let limits = groups.0.iter().filter_map(|group| {
        if group.hierarchy == 0 {
            least(Path::new(MOUNT), &group.pathname, "memory.max", read)
        } else if group.controllers.iter().any(|name| name == "memory") {
            let mount = Path::new(MOUNT).join("memory");
            least(&mount, &group.pathname, "memory.limit_in_bytes", read)
        } else {
            None
        }
    });
    limits.min()
}

/// The least limit of a group and of those above it.
fn least(
    mount: &Path,
    group: &str,
    file: &str,
    read: impl Fn(&Path) -> Option<String>,
) -> Option<u64> {
    let group = Path::new(group.trim_start_matches('/'));
    let limits = group.ancestors().filter_map(|ancestor| {
        let text = read(&mount.join(ancestor).join(file))?;
        // "max" is no number.
        text.trim().parse::<u64>().ok()
    });
    limits.filter(|limit| *limit < NO_LIMIT).min()
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok()
}

/// The id of the container that a process runs in: the 64 hexadecimal digits that Docker, containerd and CRI-O put in the
/// name of its control group.
pub(super) fn container_id(process: &Process) -> Option<String> {
    let groups = process.cgroups().ok()?;
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

    #[test]
    fn the_least_limit_on_the_way_to_the_root_holds() {
        let limit = |of_group: &'static str, of_parent: &'static str| {
            least(Path::new("/mnt"), "/a/b", "memory.max", |path| {
                let text = match path.to_str()? {
                    "/mnt/a/b/memory.max" => of_group,
                    "/mnt/a/memory.max" => of_parent,
                    _ => return None,
                };
                Some(text.to_owned())
            })
        };
        assert_eq!(limit("max\n", "max\n"), None);
        assert_eq!(limit("max\n", "1048576\n"), Some(1_048_576));
        assert_eq!(limit("4096\n", "1048576\n"), Some(4096));
        assert_eq!(limit("9223372036854771712\n", "max\n"), None);
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
