//! Takes the probes out without letting anyone wait.
//!
//! Closing a uprobe waits for RCU grace periods, about 0.1 s each, and the process that closes it last cannot exit
//! earlier. So a child process inherits the descriptors, lets go of everything else, waits until the agent is gone, and
//! closes them by exiting. Whatever kills the child closes them too, so no probe can stay.

use super::Attached;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::mem;
use std::os::fd::OwnedFd;

/// Longest wait for the end of the agent, which has nothing left to do. After it the probes go all the same.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Hands the probes of all these captures to a child process that detaches them, and forgets them here. The caller must have finished its
/// output and must exit now: the child keeps nothing open but the probes. If there can be no child, the probes are
/// detached here.
///
/// Recording should be off already.
#[expect(
    unsafe_code,
    reason = "fork has no safe wrapper: see the argument at each call"
)]
pub fn detach_in_background(attached: Vec<Attached>) {
    if attached.is_empty() {
        return;
    }
    let Ok(agent) = pidfd_open(getpid(), PidfdFlags::empty()) else {
        return drop(attached);
    };
    // SAFETY: the child is single-threaded and calls only async-signal-safe functions (setsid, close_range, poll,
    // _exit) before it exits, so locks that other threads held at the fork cannot matter.
    let child = unsafe { libc::fork() };
    match child {
        // The agent: its descriptors close with it, and are not the last ones.
        1.. => mem::forget(attached),
        0 => {
            wait_for_end_of(&agent);
            // SAFETY: ends the process without running anything of the agent's; the kernel closes the probes.
            unsafe { libc::_exit(0) };
        }
        _ => drop(attached),
    }
}

/// In the child: returns when the agent has closed its descriptors. A process's pidfd becomes readable after that
/// (`exit_files` comes before `exit_notify` in `do_exit`, `kernel/exit.c`).
#[expect(unsafe_code, reason = "see the argument at each call")]
fn wait_for_end_of(agent: &OwnedFd) {
    // SAFETY: setsid has no preconditions. It keeps a Ctrl-C of the terminal from the child.
    unsafe { libc::setsid() };
    // A reader of the agent's output must see its end now, not when the last probe is gone.
    // SAFETY: the three descriptors are not used in this process again.
    unsafe { libc::syscall(libc::SYS_close_range, 0, 2, 0) };
    // Whether it ended or the wait failed, the next thing to do is the same.
    poll(&mut [PollFd::new(agent, PollFlags::IN)], Some(&PATIENCE)).unwrap_or_default();
}
