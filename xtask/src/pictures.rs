//! `cargo xtask pictures`: makes the pictures of the documentation anew, of the sample service under load: the HTML
//! report as Chromium shows it, and `tracer top` as a terminal of tmux does.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    build::{self, Profile},
    command, go, progress,
    service::{self, Service},
    sudo::Privilege,
    tools::{self, BROWSER, PICTURES},
    workspace,
};

/// How long the report's capture takes, and how long `top` runs before it is looked at.
const DURATION: Duration = Duration::from_secs(20);

/// Columns and rows of the terminal.
const TERMINAL: (u16, u16) = (110, 24);

/// Width and height of the window of the report, and of that of the terminal, in pixels.
const REPORT: (u32, u32) = (1280, 1000);
const SCREEN: (u32, u32) = (960, 470);

/// The page that a terminal's text is shown in.
const PAGE: (&str, &str) = (
    "<!doctype html><meta charset=utf-8><style>body{margin:0;background:#000}\
     pre{margin:14px;font:14px/1.25 'DejaVu Sans Mono',monospace;color:#ddd}</style><pre>",
    "</pre>",
);

/// Make the pictures of the documentation anew
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Show this agent, in place of one that is built for it
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let privilege = Privilege::obtain("to attach to the kernel, and for what takes pictures")?;
    tools::ensure(&privilege, &BROWSER)?;
    tools::ensure(&privilege, &PICTURES)?;
    // First what may fail for want of a network, then what takes minutes.
    let toolchain = go::toolchain(None)?;
    let agent = match &arguments.agent {
        Some(agent) => agent.canonicalize().context("cannot find the agent")?,
        None => {
            build::agent(Profile::Release)?;
            workspace::agent()
        }
    };
    let service = service::build(&toolchain)?.start()?;
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let images = workspace::root().join("tracer/docs/images");
    fs::create_dir_all(&images).with_context(|| format!("cannot create {}", images.display()))?;
    picture_report(
        &privilege,
        &agent,
        &service,
        scratch.path(),
        &images.join("report.png"),
    )?;
    picture_top(
        &privilege,
        &agent,
        &service,
        scratch.path(),
        &images.join("top.png"),
    )
}

fn picture_report(
    privilege: &Privilege,
    agent: &Path,
    service: &Service,
    scratch: &Path,
    picture: &Path,
) -> Result<()> {
    let page = scratch.join("report.html");
    let seconds = format!("{}s", DURATION.as_secs());
    let mut record = privilege.command(agent);
    record
        .args(["record", "--mode", "exact", "--duration", &seconds])
        .args(["--pid", &service.pid().to_string(), "-o"])
        .arg(&page);
    progress::during("recording the service", || command::output(&mut record))?;
    photograph(&page, REPORT, picture)
}

fn picture_top(
    privilege: &Privilege,
    agent: &Path,
    service: &Service,
    scratch: &Path,
    picture: &Path,
) -> Result<()> {
    let terminal = Terminal(scratch.join("tmux"));
    let (columns, rows) = (TERMINAL.0.to_string(), TERMINAL.1.to_string());
    let mut top = privilege.prefix().join(" ");
    top.push_str(&format!(
        " {} top --mode exact --pid {}",
        agent.display(),
        service.pid()
    ));
    terminal.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, &top])?;
    progress::during("watching the service", || {
        thread::sleep(DURATION);
        Ok(())
    })?;
    let styled = terminal.tmux(&["capture-pane", "-p", "-e"])?;
    ensure!(
        styled.contains("allocs/s"),
        "`tracer top` showed no sites:\n{styled}"
    );
    let text = scratch.join("top.ansi");
    fs::write(&text, styled).with_context(|| format!("cannot write {}", text.display()))?;
    let shown = command::output(
        Command::new("aha")
            .args(["--black", "--no-header", "-f"])
            .arg(&text),
    )?;
    let page = scratch.join("top.html");
    fs::write(&page, [PAGE.0, &shown, PAGE.1].concat())
        .with_context(|| format!("cannot write {}", page.display()))?;
    photograph(&page, SCREEN, picture)
}

/// A tmux server of its own, by its socket; ended on drop, with what runs in it.
#[derive(Debug)]
struct Terminal(PathBuf);

impl Terminal {
    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        tmux.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        command::output(
            tmux.arg("-S")
                .arg(&self.0)
                .args(["-f", "/dev/null"])
                .args(arguments),
        )
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails only when it has ended by itself.
        self.tmux(&["kill-server"]).ok();
    }
}

/// Has Chromium show a page and keep what it shows.
fn photograph(page: &Path, (width, height): (u32, u32), picture: &Path) -> Result<()> {
    let mut screenshot = OsString::from("--screenshot=");
    screenshot.push(picture);
    let mut url = OsString::from("file://");
    url.push(page);
    command::output(
        Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .arg(format!("--window-size={width},{height}"))
            .args([
                screenshot.as_os_str(),
                OsStr::new("--virtual-time-budget=2000"),
                &url,
            ]),
    )?;
    ensure!(picture.exists(), "Chromium made no {}", picture.display());
    progress::say(&format!("made {}", picture.display()));
    Ok(())
}
