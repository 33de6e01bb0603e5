//! Processes that do nothing but keep processors busy: neighbours such as any machine has.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// Busy processes, killed on drop.
#[derive(Debug)]
pub(super) struct Busy(Vec<Child>);

impl Busy {
    /// Starts so many of them.
    pub(super) fn start(count: u32) -> Result<Self> {
        let mut busy = Busy(Vec::new());
        for _ in 0..count {
            let child = Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .context("cannot start a busy process")?;
            busy.0.push(child);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended is as good.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_run_until_they_are_dropped() {
        let mut busy = Busy::start(2).unwrap();
        let pids: Vec<u32> = busy.0.iter().map(Child::id).collect();
        for child in &mut busy.0 {
            assert!(child.try_wait().unwrap().is_none());
        }
        drop(busy);
        for pid in pids {
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        }
    }
}
