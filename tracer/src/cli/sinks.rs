//! Where reports go. Files are opened before a capture starts, so that a bad path costs no capture, and take their name
//! only when they are complete.

mod place;
mod unfinished;

use super::args::{Global, Show, Value};
use super::messages::say;
use super::progress::Progress;
use super::terminal;
use crate::output::text::TextOptions;
use crate::output::{self, Format, Options, OutputError};
use crate::report::Report;
use anyhow::Context as _;
use place::Place;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, stderr, stdout};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
pub(super) use unfinished::Unfinished;

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

impl StandardStream {
    /// Whether a person sees it.
    fn is_terminal(self) -> bool {
        match self {
            StandardStream::Out => stdout().is_terminal(),
            StandardStream::Err => stderr().is_terminal(),
        }
    }
}

/// What was typed makes no sense together, or here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misuse {
    #[error("{0:?} and another -o are the same: give each output a file of its own")]
    Twice(PathBuf),
    #[error(
        "--format has nothing to say: it is for standard output and pipes, and the name of a file says its format"
    )]
    UnusedFormat,
    #[error("cannot write single allocations as text: add --format ndjson")]
    EventsAsText,
    #[error(
        "cannot write a pprof profile to a terminal, because it is binary: name a file with -o, or send standard output to one"
    )]
    BinaryToTerminal,
    #[error("standard output is not a terminal: use `tracer attach --pid {pid}`")]
    NotATerminal { pid: i32 },
}

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    format: Format,
    to: Destination,
}

#[derive(Debug)]
enum Destination {
    Stdout,
    /// Takes bytes as they come.
    Stream(File),
    File(Unfinished),
}

/// Writes a report in a format, text with these options.
type Render<'a> = dyn Fn(Format, TextOptions, &mut dyn io::Write) -> Result<(), OutputError> + 'a;

impl Sinks {
    /// Opens every file; without any, `format` goes to `stream`. It is the format of pipes and the like as well, whose
    /// names say none, and text if it is not given.
    ///
    /// # Errors
    /// A name does not tell a format, is there twice, or cannot be written; or what is binary would go to a terminal.
    pub(super) fn open(
        files: &[PathBuf],
        format: Option<impl Into<Format>>,
        stream: StandardStream,
    ) -> anyhow::Result<Self> {
        let asked = format.map(Into::into);
        let format = asked.unwrap_or(Format::Text);
        if files.is_empty() {
            refuse_binary(format, stream.is_terminal())?;
        }
        let mut places = Vec::new();
        let mut unnamed = files.is_empty();
        for path in files {
            let place = Place::of(path).with_context(|| cannot_write(path))?;
            let named = Format::of_path(path);
            unnamed |= named.is_err();
            let format = match (named, &place) {
                (Err(error), Place::File(_)) => return Err(error.into()),
                (named, _) => named.unwrap_or(format),
            };
            if places.iter().any(|(_, _, earlier)| *earlier == place) {
                return Err(Misuse::Twice(path.clone()).into());
            }
            places.push((path, format, place));
        }
        if asked.is_some() && !unnamed {
            return Err(Misuse::UnusedFormat.into());
        }
        let files = places
            .into_iter()
            .map(|(path, format, place)| Sink::open(path, format, place));
        Ok(Sinks {
            files: files.collect::<anyhow::Result<_>>()?,
            stream,
            format,
        })
    }

    /// Writes the report everywhere, and names the files on standard error.
    ///
    /// # Errors
    /// Something cannot be written. A reader of standard output that went away is no error.
    pub(super) fn write(
        self,
        report: &Report,
        global: &Global,
        show: &Show,
        value: Value,
    ) -> anyhow::Result<()> {
        let report = &*report.sorted(show.sort_of(&report.window.mode));
        let groups = show.groups(report);
        let limit = show.limit;
        self.each(global, limit, |format, text, out| {
            let value = value.into();
            let options = &Options { text, value };
            output::render(format, report, groups.as_ref(), options, out)
        })
    }

    /// Has `render` write in every format that was asked for, text with at most `limit` rows. A file that cannot be
    /// written does not keep the others from being written.
    ///
    /// # Errors
    /// As [`Sinks::write`].
    pub(super) fn each(
        self,
        global: &Global,
        limit: usize,
        render: impl Fn(Format, TextOptions, &mut dyn io::Write) -> Result<(), OutputError>,
    ) -> anyhow::Result<()> {
        if self.files.is_empty() {
            return to_stream(self.stream, self.format, global, limit, &render);
        }
        let mut failed: Option<anyhow::Error> = None;
        for sink in self.files {
            if let Err(error) = sink.write(global, limit, &render)
                && let Some(earlier) = failed.replace(error)
            {
                say(format_args!("tracer: {earlier:#}"));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Sink {
    fn open(path: &Path, format: Format, place: Place) -> anyhow::Result<Self> {
        let to = match place {
            Place::Stdout => Ok(Destination::Stdout),
            Place::Stream(path) => open_stream(&path).map(Destination::Stream),
            Place::File(path) => Unfinished::create(path).map(Destination::File),
        };
        let to = to.with_context(|| cannot_write(path))?;
        let is_terminal = match &to {
            Destination::Stdout => StandardStream::Out.is_terminal(),
            Destination::Stream(stream) => stream.is_terminal(),
            Destination::File(_) => false,
        };
        refuse_binary(format, is_terminal)?;
        Ok(Sink {
            path: path.to_owned(),
            format,
            to,
        })
    }

    fn write(self, global: &Global, limit: usize, render: &Render<'_>) -> anyhow::Result<()> {
        let cannot_write = || format!("cannot write {}", self.path.display());
        let options = terminal::file_options(limit);
        match self.to {
            Destination::Stdout => {
                return to_stream(StandardStream::Out, self.format, global, limit, render);
            }
            Destination::Stream(mut stream) => {
                let written = render(self.format, options, &mut stream);
                closed_pipe_is_fine(written).with_context(cannot_write)?;
            }
            Destination::File(unfinished) => {
                let _writing = Progress::of(format!("writing {}", self.path.display()));
                render(self.format, options, &mut unfinished.file()).with_context(cannot_write)?;
                unfinished.finish().with_context(cannot_write)?;
            }
        }
        say(format_args!("wrote {}", self.path.display()));
        Ok(())
    }
}

/// Opens what takes bytes as they come, at the end of what others have written, if a shell has opened a file for us. A
/// pipe with a name opens when it has a reader (fifo(7)): who waits for one is told.
fn open_stream(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.append(true);
    if !fs::metadata(path)?.file_type().is_fifo() {
        return options.open(path);
    }
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    match options.clone().custom_flags(nonblocking).open(path) {
        Ok(pipe) => {
            // What is written waits for the reader again.
            let flags = fcntl_getfl(&pipe)?;
            fcntl_setfl(&pipe, flags - OFlags::NONBLOCK)?;
            Ok(pipe)
        }
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
            say(format_args!(
                "{} is a pipe that nobody reads: waiting for its reader",
                path.display()
            ));
            options.open(path)
        }
        Err(error) => Err(error),
    }
}

/// What is no text is not for people's eyes, and may put a terminal into disorder.
fn refuse_binary(format: Format, is_terminal: bool) -> Result<(), Misuse> {
    if format.is_binary() && is_terminal {
        return Err(Misuse::BinaryToTerminal);
    }
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!(
        "cannot write {}: choose a file in a directory that exists and is writable",
        path.display()
    )
}

fn to_stream(
    stream: StandardStream,
    format: Format,
    global: &Global,
    limit: usize,
    render: &Render<'_>,
) -> anyhow::Result<()> {
    let options = terminal::options(stream, global, limit);
    closed_pipe_is_fine(match stream {
        StandardStream::Out => render(format, options, &mut stdout()),
        StandardStream::Err => render(format, options, &mut stderr()),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(paths: &[&str], format: Option<Format>) -> anyhow::Result<Vec<Format>> {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let sinks = Sinks::open(&paths, format, StandardStream::Out)?;
        Ok(sinks.files.iter().map(|sink| sink.format).collect())
    }

    #[test]
    fn a_name_says_the_format_and_format_that_of_what_has_none() {
        let formats = opened(&["-", "/dev/null"], None).unwrap();
        assert_eq!(formats, [Format::Text, Format::Text]);
        let formats = opened(&["/dev/stdout", "/dev/null"], Some(Format::Json)).unwrap();
        assert_eq!(formats, [Format::Json, Format::Json]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.svg");
        let formats = opened(&[file.to_str().unwrap(), "-"], Some(Format::Folded)).unwrap();
        assert_eq!(formats, [Format::Svg, Format::Folded]);
    }

    #[test]
    fn outputs_that_contradict_each_other_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (one, link) = (path("a.json"), path("b.json"));
        std::os::unix::fs::symlink("a.json", &link).unwrap();
        for twice in [[&*one, &*one], [&*one, &*link], ["-", "/dev/stdout"]] {
            let error = opened(&twice, None).unwrap_err();
            let error = error.downcast_ref::<Misuse>().unwrap();
            assert!(matches!(error, Misuse::Twice(_)), "{twice:?}: {error:?}");
        }
        let error = opened(&[&one], Some(Format::Text)).unwrap_err();
        let error = error.downcast_ref::<Misuse>();
        assert!(matches!(error, Some(Misuse::UnusedFormat)));
        assert!(opened(&[&path("capture")], None).is_err());
    }

    #[test]
    fn what_is_binary_is_not_written_to_a_terminal() {
        for format in [Format::Pprof, Format::Text, Format::Svg] {
            let refused = refuse_binary(format, true).is_err();
            assert_eq!(refused, format == Format::Pprof, "{format:?}");
            assert!(refuse_binary(format, false).is_ok());
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_does_not_keep_the_others_from_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let files = ["/dev/full".into(), path.clone()];
        let sinks = Sinks::open(&files, None::<Format>, StandardStream::Out).unwrap();
        let global = Global::default();
        let written = sinks.each(&global, 1, |_, _, out| {
            out.write_all(b"a report").map_err(OutputError::Write)
        });
        let error = format!("{:#}", written.unwrap_err());
        assert!(error.contains("cannot write /dev/full"), "{error}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "a report");
    }

    #[test]
    fn a_pipe_waits_for_its_reader_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let from = path.clone();
        let reader = std::thread::spawn(move || fs::read(from).unwrap());
        let mut pipe = open_stream(&path).unwrap();
        // More than a pipe holds (pipe(7)): it must wait until the reader has made room.
        let report = vec![b'a'; 1 << 20];
        io::Write::write_all(&mut pipe, &report).unwrap();
        drop(pipe);
        assert!(reader.join().unwrap() == report, "all of it");
    }
}
