//! The end of a target, seen without a thread that waits for it.

use crate::program::Process;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::unix::pipe;

/// Comes when a process exits.
pub(super) struct Exit(Pin<Box<dyn Future<Output = ()>>>);

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exit")
    }
}

impl Exit {
    /// Watches a process. An event loop must be there.
    ///
    /// # Errors
    /// The system refuses to.
    pub(super) fn of(process: &Process) -> io::Result<Self> {
        let pidfd = process.pidfd().try_clone_to_owned()?;
        // A pidfd becomes readable when its process exits (pidfd_open(2)), and nothing is ever read of it: all that is asked
        // of it is what tokio's pipes offer without `unsafe`, unlike its `AsyncFd`.
        let exit = pipe::Receiver::from_owned_fd_unchecked(pidfd)?;
        Ok(Exit(Box::pin(async move {
            if let Err(error) = exit.readable().await {
                log::debug!("cannot wait for the end of a process: {error}");
                std::future::pending::<()>().await;
            }
        })))
    }

    /// Whether it has come.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::process::Command;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn the_end_of_a_process_is_seen_when_it_comes_and_not_before() {
        let mut child = Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let process = Process::open(child.id().try_into().unwrap()).unwrap();
        let mut exit = Exit::of(&process).unwrap();
        let soon = Duration::from_millis(50);
        let early = timeout(soon, poll_fn(|context| exit.poll(context)));
        assert!(early.await.is_err());
        drop(child.stdin.take());
        let patience = Duration::from_secs(20);
        let ended = timeout(patience, poll_fn(|context| exit.poll(context)));
        assert!(ended.await.is_ok());
        child.wait().unwrap();
    }
}
