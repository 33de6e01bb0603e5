//! What a process has had of the processors, from the kernel's own accounting: time by which a figure does not depend on
//! what else the machine does.
//!
//! Hides the files of `/proc` that it is read from (`Documentation/scheduler/sched-stats.rst` of the kernel).

use std::fs;
use std::time::Duration;

/// CPU time that the threads of a process have used, those that have ended too; `None` if the process is gone.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may have anything in it.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |at: usize| fields.split_whitespace().nth(at)?.parse::<u64>().ok();
    // `utime` and `stime`, in hundredths of a second: USER_HZ is 100 on every architecture that Go runs on.
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// The longest time that one of its threads has waited for a processor while another process had it; `None` if the
/// process is gone. Not the sum over threads: they wait at the same time.
pub fn waited_for_processor(pid: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let waited = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    });
    waited.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_what_it_has_computed() {
        let pid = std::process::id();
        let before = cpu_time(pid).expect("this process");
        let mut sum = 0_u64;
        while cpu_time(pid).expect("this process") < before + Duration::from_millis(50) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
        assert!(waited_for_processor(pid).is_some());
    }

    #[test]
    fn of_a_process_that_is_gone_nothing_is_known() {
        let mut child = std::process::Command::new("true")
            .spawn()
            .expect("a process");
        child.wait().expect("its end");
        assert_eq!(cpu_time(child.id()), None);
        assert_eq!(waited_for_processor(child.id()), None);
    }
}
