//! `tracer top`: a process on the whole screen.

use super::args::{Global, Top};
use super::config;
use super::driving;
use super::messages::say;
use super::sinks::{Misuse, StandardStream, Unfinished};
use super::terminal;
use crate::capture::{Capture, Prepared};
use crate::drive::{Consumer, Course, Driver, Flow, Following, Moment};
use crate::kernel;
use crate::output::{Format, Options, render};
use crate::report::{EndedBy, Report};
use crate::tui::state::{Act, State};
use crate::tui::terminal::{Input, Screen, is_stuck};
use crate::tui::view::{self, Palette};
use crate::units;
use anyhow::Context as _;
use std::future::pending;
use std::io::{IsTerminal as _, stdout};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tokio::sync::mpsc::Receiver;

pub(super) fn run(args: &Top, global: &Global) -> anyhow::Result<()> {
    let target = &args.target;
    if driving::explained(target)? {
        return Ok(());
    }
    if !stdout().is_terminal() {
        return Err(Misuse::NotATerminal { pid: target.pid }.into());
    }
    kernel::require()?;
    let prepared = Prepared::new(target.pid, target.tracing.wanted())?;
    let palette = Palette::new(terminal::options(StandardStream::Out, global, 0).color);
    let mut driver = Driver::new(Course {
        duration: None,
        interval: args.interval,
    })?;
    driver.start(vec![prepared], &config::request(&target.tracing, global))?;
    let mut screen = OnScreen {
        args,
        palette: Some(palette),
        shown: None,
        saved: Vec::new(),
        recorded: None,
    };
    driving::drive(driver, &mut [&mut screen])?;
    screen.leave();
    if !is_stuck() {
        // The terminal may be closed.
        screen.recorded.iter().for_each(|recorded| {
            say(format_args!("{recorded}; {}", kept(&screen.saved)));
        });
    }
    Ok(())
}

/// A capture that is on the screen until it ends; after the end of the target, until a key or a signal ends that.
struct OnScreen<'a> {
    args: &'a Top,
    palette: Option<Palette>,
    /// `None` while the terminal is not ours.
    shown: Option<Shown>,
    saved: Vec<PathBuf>,
    /// What there was, when it is over.
    recorded: Option<String>,
}

impl OnScreen<'_> {
    /// Gives the terminal back, which a finish may keep waiting.
    fn leave(&mut self) {
        if let Some(shown) = self.shown.take() {
            self.saved = shown.leave();
        }
    }
}

impl Consumer for OnScreen<'_> {
    fn started(&mut self, _capture: &mut Capture) -> anyhow::Result<()> {
        if let Some(palette) = self.palette.take() {
            self.shown = Some(Shown::enter(self.args, palette)?);
        }
        Ok(())
    }

    fn moment(&mut self, moment: &mut Moment<'_>) -> anyhow::Result<Flow> {
        if let Some(shown) = &mut self.shown {
            shown.state.take(moment.report()?.clone());
            shown.draw()?;
        }
        Ok(Flow::GoOn)
    }

    fn ending(&mut self, ended_by: EndedBy) {
        if ended_by != EndedBy::TargetExit {
            self.leave();
        }
    }

    fn ended(&mut self, report: &Report) -> anyhow::Result<()> {
        self.recorded = Some(recorded(report));
        if let Some(shown) = &mut self.shown {
            shown.state.end(report.clone(), "the target has exited");
            shown.draw()?;
        }
        Ok(())
    }

    fn follow(&mut self) -> Following<'_> {
        Box::pin(async {
            match &mut self.shown {
                Some(shown) => shown.follow_keys().await,
                None => pending().await,
            }
        })
    }

    fn lingers(&self) -> bool {
        self.shown.is_some()
    }
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

    /// Follows keys until one asks for the end.
    async fn follow_keys(&mut self) -> anyhow::Result<Flow> {
        loop {
            let input = tokio::select! {
                biased;
                input = self.input.recv() => Some(input),
                () = self.screen.free(), if self.is_late => None,
            };
            if let Some(input) = input
                && self.follow_all(input) == Act::Quit
            {
                return Ok(Flow::End(EndedBy::Signal));
            }
            self.draw()?;
        }
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

/// What there was, in a line.
fn recorded(report: &Report) -> String {
    let (totals, completeness) = (&report.totals, &report.completeness);
    format!(
        "recorded {} of pid {}: {} in {} allocations, lost {}",
        units::duration(report.window.duration_ns),
        report.target.pid,
        units::bytes(totals.bytes()),
        units::exact(totals.allocs),
        units::exact(completeness.lost_total()),
    )
}

/// What was kept, and how to keep something.
fn kept(saved: &[PathBuf]) -> String {
    if saved.is_empty() {
        return "nothing was kept: press w for a capture".to_owned();
    }
    let files: Vec<String> = saved
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!("kept {}", files.join(", "))
}
