//! A control group with a memory limit, of whichever version the machine has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tracer_tests::wait_until;

const MOUNT: &str = "/sys/fs/cgroup";

/// A group with nothing in it but what [`Group::command`] starts, gone on drop.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    unified: bool,
}

impl Group {
    /// Makes a group below that of the test. Version 2 lets no group have both processes and limited groups in it: there
    /// it is below the nearest one that hands the memory controller down.
    pub fn with_limit(bytes: u64) -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").expect("the test's groups");
        let mut lines = groups.lines().map(|line| line.splitn(3, ':'));
        let memory = lines.find_map(|mut fields| {
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let mut controllers = controllers.split(',');
            controllers.any(|name| name == "memory").then_some(path)
        });
        let (parent, unified) = match memory {
            Some(path) => (below(&Path::new(MOUNT).join("memory"), path), false),
            None => (delegating(&groups), true),
        };
        let path = parent.join(format!("tracer-test-{}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        let group = Group { path, unified };
        group.write(group.either("memory.limit_in_bytes", "memory.max"), bytes);
        group
    }

    /// A command that runs a program in it.
    pub fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(self.path.join("cgroup.procs"))
            .arg(program)
            .args(args);
        command
    }

    /// Bytes in use, without what the kernel can drop at once.
    pub fn used(&self) -> u64 {
        let used = self.read(self.either("memory.usage_in_bytes", "memory.current"));
        let used: u64 = used.trim().parse().expect("a number");
        let stat = self.read("memory.stat");
        let key = self.either("total_inactive_file ", "inactive_file ");
        let inactive = stat.lines().find_map(|line| line.strip_prefix(key));
        used - inactive
            .expect("a figure")
            .parse::<u64>()
            .expect("a number")
    }

    fn either(&self, first: &'static str, unified: &'static str) -> &'static str {
        if self.unified { unified } else { first }
    }

    fn read(&self, file: &str) -> String {
        let file = self.path.join(file);
        fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    }

    fn write(&self, file: &str, value: u64) {
        let file = self.path.join(file);
        fs::write(&file, value.to_string())
            .unwrap_or_else(|e| panic!("cannot write {}: {e}", file.display()));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // To panic once more would end the other tests, too.
            drop(fs::remove_dir(&self.path));
            return;
        }
        wait_until("the group is empty", || fs::remove_dir(&self.path).is_ok());
    }
}

/// The directory of a group.
fn below(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}

/// The nearest group of version 2 above the test that hands the memory controller down.
fn delegating(groups: &str) -> PathBuf {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let own = below(Path::new(MOUNT), path.expect("a group of version 2"));
    let mut ancestors = own.ancestors().take_while(|path| path.starts_with(MOUNT));
    let found = ancestors.find(|path| {
        let handed_down = fs::read_to_string(path.join("cgroup.subtree_control"));
        handed_down.is_ok_and(|names| names.split_whitespace().any(|name| name == "memory"))
    });
    let found = found.unwrap_or_else(|| panic!("no group above {} limits memory", own.display()));
    found.to_owned()
}
