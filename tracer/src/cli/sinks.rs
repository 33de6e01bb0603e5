//! Where reports go. Files are opened before a capture starts, so that a bad path costs no capture, and take their name
//! only when they are complete.

use super::args::{Global, Show};
use super::terminal;
use crate::output::text::TextOptions;
use crate::output::{self, Format, Options, OutputError};
use crate::report::Report;
use anyhow::Context as _;
use std::fs::File;
use std::io::{self, stderr, stdout};
use std::path::{Path, PathBuf};

/// Everything that one report, or one comparison, is written to.
#[derive(Debug)]
pub(super) struct Sinks {
    files: Vec<Sink>,
    stream: StandardStream,
    format: Format,
}

/// Where a report goes that no file is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandardStream {
    Out,
    /// Standard output belongs to the traced program.
    Err,
}

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    format: Format,
    file: File,
    /// The name until the file is complete; `None` for what cannot be replaced, such as a pipe.
    unfinished: Option<PathBuf>,
}

impl Sinks {
    /// Opens every file; without any, `format` goes to `stream`.
    ///
    /// # Errors
    /// A name does not tell a format, or cannot be written.
    pub(super) fn open(
        files: &[PathBuf],
        format: impl Into<Format>,
        stream: StandardStream,
    ) -> anyhow::Result<Self> {
        let files = files
            .iter()
            .map(|path| Sink::open(path))
            .collect::<anyhow::Result<_>>()?;
        Ok(Sinks {
            files,
            stream,
            format: format.into(),
        })
    }

    /// Writes the report everywhere, and names the files on standard error.
    ///
    /// # Errors
    /// Something cannot be written. A reader of standard output that went away is no error.
    pub(super) fn write(self, report: &Report, global: &Global, show: &Show) -> anyhow::Result<()> {
        let report = &*report.sorted(show.sort_of(&report.window.mode));
        let groups = show.groups(report);
        let limit = show.limit;
        self.each(global, limit, |format, text, out| {
            let value = show.value.into();
            let options = &Options { text, value };
            output::render(format, report, groups.as_ref(), options, out)
        })
    }

    /// Has `render` write in every format that was asked for, text with at most `limit` rows.
    ///
    /// # Errors
    /// As [`Sinks::write`].
    pub(super) fn each(
        mut self,
        global: &Global,
        limit: usize,
        render: impl Fn(Format, TextOptions, &mut dyn io::Write) -> Result<(), OutputError>,
    ) -> anyhow::Result<()> {
        if self.files.is_empty() {
            let mut out: Box<dyn io::Write> = match self.stream {
                StandardStream::Out => Box::new(stdout()),
                StandardStream::Err => Box::new(stderr()),
            };
            let options = terminal::options(self.stream, global, limit);
            return closed_pipe_is_fine(render(self.format, options, &mut out));
        }
        for sink in &mut self.files {
            let path = sink.path.display();
            render(sink.format, terminal::file_options(limit), &mut sink.file)
                .with_context(|| format!("cannot write {path}"))?;
            if let Some(unfinished) = sink.unfinished.take() {
                std::fs::rename(&unfinished, &sink.path)
                    .with_context(|| format!("cannot write {path}"))?;
            }
            anstream::eprintln!("wrote {}", sink.path.display());
        }
        Ok(())
    }
}

impl Sink {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let format = Format::of_path(path)?;
        let replaceable = std::fs::metadata(path).map_or(true, |metadata| metadata.is_file());
        let unfinished = replaceable.then(|| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}.part", std::process::id()));
            PathBuf::from(name)
        });
        let file = File::create(unfinished.as_deref().unwrap_or(path)).with_context(|| {
            format!(
                "cannot write {}: choose a file in a directory that exists and is writable",
                path.display()
            )
        })?;
        give_to_sudo_user(&file);
        Ok(Sink {
            path: path.to_owned(),
            format,
            file,
            unfinished,
        })
    }
}

/// A file written under sudo belongs to the person who typed the command, who could not remove it otherwise.
pub(super) fn give_to_sudo_user(file: &File) {
    let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    if let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
        && let Err(error) = std::os::unix::fs::fchown(file, Some(user), Some(group))
    {
        log::debug!("cannot give an output file to user {user}: {error}");
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            // Best effort: the capture has failed already, and its error is the one to show.
            drop(std::fs::remove_file(unfinished));
        }
    }
}

/// A reader of standard output that went away (`| head`) ends the output, not the program.
pub(super) fn closed_pipe_is_fine(result: Result<(), OutputError>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.is_closed_pipe() => Ok(()),
        other => Ok(other?),
    }
}

/// As [`closed_pipe_is_fine`], for plain writes.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let written = io::Write::write_all(&mut stdout().lock(), text.as_bytes());
    closed_pipe_is_fine(written.map_err(OutputError::Write))
}
