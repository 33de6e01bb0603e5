//! `tracer top`: a process on the whole screen.

use super::args::{Global, Top};
use super::attach::on_runtime;
use super::exit::BadUsage;
use super::messages::say;
use super::sinks::{StandardStream, Unfinished, print};
use super::{config, terminal};
use crate::capture::{Ended, Event, Prepared, Session, Signals};
use crate::kernel::{self, detach_in_background};
use crate::output::{Format, Options, render};
use crate::report::{EndedBy, Report};
use crate::tui::state::{Act, State};
use crate::tui::terminal::{Input, Screen, is_stuck};
use crate::tui::view::{self, Palette};
use crate::units;
use anyhow::Context as _;
use std::io::{IsTerminal as _, stdout};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::SystemTime;
use tokio::sync::mpsc::Receiver;

pub(super) fn run(args: &Top, global: &Global) -> anyhow::Result<()> {
    let target = &args.target;
    if target.explain {
        let prepared = Prepared::new(target.pid, target.tracing.wanted())?;
        return print(&prepared.plan().to_string());
    }
    if !stdout().is_terminal() {
        let text = format!(
            "standard output is not a terminal: use `tracer attach --pid {}`",
            target.pid
        );
        return Err(BadUsage(text).into());
    }
    kernel::require()?;
    let prepared = Prepared::new(target.pid, target.tracing.wanted())?;
    let palette = Palette::new(terminal::options(StandardStream::Out, global, 0).color);
    on_runtime(async {
        let session = prepared.start(&config::top(args, global))?;
        let (ended, saved) = watch(session, args, palette).await?;
        if !is_stuck() {
            // The terminal may be closed.
            say(last_line(&ended.report, &saved));
        }
        if let Some(attached) = ended.attached {
            detach_in_background(attached);
        }
        Ok(())
    })
}

/// Shows the capture until it is to end. The terminal is given back before the capture is finished, which may take a while.
async fn watch(
    mut session: Session,
    args: &Top,
    palette: Palette,
) -> anyhow::Result<(Ended, Vec<PathBuf>)> {
    let signals = Signals::new().context("cannot wait for signals")?;
    let mut shown = Shown::enter(args, palette)?;
    let ended_by = loop {
        let next = {
            let mut next = pin!(session.next());
            // Not given up for a key: what a tick has begun must be done.
            shown.while_waiting(&mut next).await?
        };
        match next {
            None => break EndedBy::Signal,
            Some(event) => match event? {
                Event::Tick => {
                    shown.state.take(session.report().await?);
                    shown.draw()?;
                }
                Event::Signal(_) => break EndedBy::Signal,
                Event::End(by) => break by,
            },
        }
    };
    if ended_by != EndedBy::TargetExit {
        let saved = shown.leave();
        return Ok((session.finish(ended_by).await?, saved));
    }
    let ended = session.finish(ended_by).await?;
    shown
        .state
        .end(ended.report.clone(), "the target has exited");
    shown.draw()?;
    shown.after_the_end(signals).await?;
    Ok((ended, shown.leave()))
}

/// The screen, what is on it, and the keys.
struct Shown {
    screen: Screen,
    input: Receiver<Input>,
    state: State,
    palette: Palette,
    /// Whether the terminal had no room for the last frame.
    is_late: bool,
    saved: Vec<PathBuf>,
}

impl Shown {
    fn enter(args: &Top, palette: Palette) -> anyhow::Result<Self> {
        let screen = Screen::enter().context("cannot take over the terminal")?;
        let input = screen.input().context("cannot read keys")?;
        let mut shown = Shown {
            screen,
            input,
            state: State::new(args.sort.into()),
            palette,
            is_late: false,
            saved: Vec::new(),
        };
        shown.draw()?;
        Ok(shown)
    }

    /// Gives the terminal back, and tells what was saved.
    fn leave(self) -> Vec<PathBuf> {
        self.saved
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let (state, palette) = (&self.state, &self.palette);
        let drawn = self
            .screen
            .draw(|frame| view::draw(frame, state, palette))
            .context("cannot draw on the terminal")?;
        self.is_late = drawn.is_none();
        if let Some(drawn) = drawn {
            self.state.drawn(drawn);
        }
        Ok(())
    }

    /// Follows keys until `next` is there; `None` if a key asks for the end.
    async fn while_waiting<T>(
        &mut self,
        next: &mut (impl Future<Output = T> + Unpin),
    ) -> anyhow::Result<Option<T>> {
        loop {
            let input = tokio::select! {
                biased;
                next = &mut *next => return Ok(Some(next)),
                input = self.input.recv() => Some(input),
                () = self.screen.free(), if self.is_late => None,
            };
            if let Some(input) = input
                && self.follow_all(input) == Act::Quit
            {
                return Ok(None);
            }
            self.draw()?;
        }
    }

    /// Follows keys when the target is gone.
    async fn after_the_end(&mut self, mut signals: Signals) -> anyhow::Result<()> {
        let mut signal = pin!(signals.recv());
        self.while_waiting(&mut signal).await.map(drop)
    }

    /// Follows what waits before anything is drawn: what was pasted is many keys.
    fn follow_all(&mut self, first: Option<Input>) -> Act {
        let mut act = self.follow(first);
        for _ in 0..self.input.len() {
            let Ok(input) = self.input.try_recv() else {
                break;
            };
            if act == Act::Quit {
                break;
            }
            act = self.follow(Some(input));
        }
        act
    }

    fn follow(&mut self, input: Option<Input>) -> Act {
        let act = match input {
            // Nobody can end it any more.
            None => return Act::Quit,
            Some(Input::Resized) => Act::Nothing,
            Some(Input::Key(key)) => self.state.press(key),
        };
        if act == Act::Save {
            self.save();
        }
        act
    }

    /// Keeps the capture as far as it has come.
    fn save(&mut self) {
        let Some(report) = self.state.last_report() else {
            let text = "there is nothing to keep yet".to_owned();
            return self.state.say(text, true);
        };
        let time = units::duration(report.window.duration_ns);
        match write_capture(report) {
            Ok(path) => {
                let text = format!("wrote {} with the first {time}", path.display());
                self.state.say(text, false);
                self.saved.push(path);
            }
            Err(error) => self.state.say(format!("{error:#}"), true),
        }
    }
}

/// Writes a capture to where we were started.
fn write_capture(report: &Report) -> anyhow::Result<PathBuf> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let now: String = now.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let path = Path::new(".").join(format!("tracer-{}-{now}.json", report.target.pid));
    let failed = || format!("cannot write {}", path.display());
    let report = &Report {
        completeness: report.completeness.clone().arrived(),
        ..report.clone()
    };
    let file = Unfinished::create(path.clone()).with_context(failed)?;
    let options = Options::default();
    render(Format::Json, report, None, &options, &mut file.file()).with_context(failed)?;
    file.finish().with_context(failed)?;
    Ok(path)
}

/// One line on what there was, and how to keep it.
fn last_line(report: &Report, saved: &[PathBuf]) -> String {
    let target = &report.target;
    let (totals, completeness) = (&report.totals, &report.completeness);
    let kept = match saved {
        [] => "nothing was kept: press w for a capture".to_owned(),
        files => {
            let files: Vec<String> = files
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            format!("kept {}", files.join(", "))
        }
    };
    format!(
        "recorded {} of pid {}: {} in {} allocations, lost {}; {kept}",
        units::duration(report.window.duration_ns),
        target.pid,
        units::bytes(totals.bytes()),
        units::exact(totals.allocs),
        units::exact(completeness.lost_total()),
    )
}
