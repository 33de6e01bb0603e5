//! Takes the probes out without letting anyone wait.
//!
//! Closing a uprobe waits for RCU grace periods, about 0.1 s each, and a process that holds one cannot exit earlier. So
//! a child process inherits the descriptors, lets go of everything else and closes them by exiting, while the agent
//! exits at once: its own copies are not the last ones. Whatever kills the child closes them too, so no probe can stay.

use super::Attached;
use std::mem;

/// Hands the probes to a child process that detaches them, and forgets them here. The caller must have finished its
/// output: the child keeps nothing open but the probes. If there can be no child, the probes are detached here and now.
///
/// Recording should be off already.
#[expect(
    unsafe_code,
    reason = "fork has no safe wrapper: see the argument at each call"
)]
pub fn detach_in_background(attached: Attached) {
    // SAFETY: the child is single-threaded and calls only async-signal-safe functions (setsid, close_range, _exit)
    // before it exits, so locks that other threads held at the fork cannot matter.
    let child = unsafe { libc::fork() };
    match child {
        // The agent: its descriptors close with it.
        1.. => mem::forget(attached),
        0 => {
            // SAFETY: setsid has no preconditions. It keeps a Ctrl-C of the terminal from the child.
            unsafe { libc::setsid() };
            // A reader of the agent's output must see its end now, not when the last probe is gone.
            // SAFETY: the three descriptors are not used in this process again.
            unsafe { libc::syscall(libc::SYS_close_range, 0, 2, 0) };
            // SAFETY: ends the process without running anything of the agent's; the kernel closes the probes.
            unsafe { libc::_exit(0) };
        }
        _ => drop(attached),
    }
}
