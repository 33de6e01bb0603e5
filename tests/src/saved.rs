//! A capture in a file, rendered again by `tracer report`.

use crate::tracer;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The file, removed on drop.
#[derive(Debug)]
pub struct Saved(PathBuf);

impl Saved {
    /// Writes a capture.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn new(capture: &Value) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tracer-saved-{}-{number}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, capture.to_string()).expect("a file");
        Saved(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What `tracer report` writes with these options.
    ///
    /// # Panics
    /// It fails.
    pub fn report(&self, args: &[&str]) -> String {
        let output = tracer().arg("report").arg(&self.0).args(args).output();
        let output = output.expect("the tracer runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
