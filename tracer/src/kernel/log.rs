//! The log of the kernel programs (`--verbose`), read by a thread of its own.

use super::KernelError;
use aya::Ebpf;
use aya_log::EbpfLogger;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often the log is read.
const INTERVAL: Duration = Duration::from_millis(100);

/// Reads the programs' log into the agent's until it is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    done: Arc<AtomicBool>,
}

impl Reader {
    pub(super) fn start(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let mut logger =
            EbpfLogger::init(ebpf).map_err(|error| KernelError::Log(Box::new(error)))?;
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                logger.flush();
                thread::sleep(INTERVAL);
            }
            logger.flush();
        });
        Ok(Reader { done })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}
