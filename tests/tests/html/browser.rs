//! A headless Chromium, driven through `chromedriver`. Hides its start, its flags and its end.

use anyhow::{Context as _, Result, ensure};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tracer_tests::{PATIENCE, tracer, waited_for_processor};

/// Chromium keeps to itself with these. Its own sandbox does not work for root, and none of its services is for tests.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// How wide, how high, and what the system says about light.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

/// A desk.
pub(crate) const DESK: Screen = Screen {
    width: 1400,
    dark: false,
};

/// A browser with one page, closed on drop.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    port: u16,
    session: String,
    directory: TempDir,
}

impl Browser {
    /// Starts it.
    pub(crate) async fn start(screen: Screen) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (driver, port) = start_driver()?;
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", directory.path().display()));
        flags.push(format!("--window-size={},1600", screen.width));
        if screen.dark {
            flags.push("--force-dark-mode".to_owned());
        }
        let capabilities = json!({
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("an object")
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let client = builder
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .context("no browser")?;
        let session = client.session_id().await?.context("no session")?;
        Ok(Browser {
            client,
            driver,
            port,
            session,
            directory,
        })
    }

    /// Starts it and shows a saved capture.
    pub(crate) async fn showing(capture: &Path, screen: Screen) -> Result<Self> {
        let browser = Self::start(screen).await?;
        browser.show(capture).await?;
        Ok(browser)
    }

    /// Renders a saved capture with the agent and opens the page; gives its path.
    pub(crate) async fn show(&self, capture: &Path) -> Result<PathBuf> {
        let page = self.render(capture)?;
        self.open(&page).await?;
        Ok(page)
    }

    /// Renders a saved capture with the agent.
    pub(crate) fn render(&self, capture: &Path) -> Result<PathBuf> {
        let page = self.directory.path().join("page.html");
        let output = tracer()
            .arg("report")
            .arg(capture)
            .arg("-o")
            .arg(&page)
            .output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(page)
    }

    /// Opens a page of ours and waits until all of it is there.
    pub(crate) async fn open(&self, page: &Path) -> Result<()> {
        self.client
            .goto(&format!("file://{}", page.display()))
            .await?;
        self.until("return document.documentElement.dataset.ready === 'true'")
            .await
    }

    /// What a script gives.
    pub(crate) async fn run(&self, script: &str) -> Result<Value> {
        self.client
            .execute(script, vec![])
            .await
            .with_context(|| script.to_owned())
    }

    /// The text that a script gives.
    pub(crate) async fn text(&self, script: &str) -> Result<String> {
        let value = self.run(script).await?;
        let text = value
            .as_str()
            .with_context(|| format!("{script}: {value}"))?;
        Ok(text.to_owned())
    }

    /// Waits until a script says so.
    pub(crate) async fn until(&self, script: &str) -> Result<()> {
        let started = Instant::now();
        while self.run(script).await? != Value::Bool(true) {
            ensure!(
                started.elapsed() < PATIENCE,
                "waited in vain: {script}; {:?}",
                self.log()?
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// How long the processes that show pages have waited for a processor so far, each by the thread that has waited
    /// longest: what is the neighbours' of the time that a page takes.
    pub(crate) fn waited(&self) -> Result<Duration> {
        let own = format!("--user-data-dir={}", self.directory.path().display());
        let mut waited = Duration::ZERO;
        for process in std::fs::read_dir("/proc")?.flatten() {
            let Ok(pid) = process.file_name().to_string_lossy().parse() else {
                continue;
            };
            // It may have ended meanwhile.
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command);
            if command.contains("--type=renderer") && command.contains(&own) {
                waited += waited_for_processor(pid).unwrap_or_default();
            }
        }
        Ok(waited)
    }

    /// Types into the element in focus.
    pub(crate) async fn press(&self, keys: &str) -> Result<()> {
        let focused = self.client.active_element().await?;
        Ok(focused.send_keys(keys).await?)
    }

    /// Everything that the browser has written to its console since this was last asked.
    pub(crate) fn log(&self) -> Result<Vec<Value>> {
        let path = format!("/session/{}/se/log", self.session);
        let answer = request(self.port, "POST", &path, r#"{"type":"browser"}"#)?;
        let entries = answer["value"].as_array().context("no log")?;
        Ok(entries.clone())
    }

    /// Fails if the page made the browser complain.
    pub(crate) fn assert_silent(&self) -> Result<()> {
        let log = self.log()?;
        ensure!(log.is_empty(), "the browser complains: {log:?}");
        Ok(())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser is the driver's child: without the driver it would stay.
        let path = format!("/session/{}", self.session);
        drop(request(self.port, "DELETE", &path, ""));
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Starts the driver at a port of its choice.
fn start_driver() -> Result<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("chromedriver does not start: `cargo xtask test` installs it")?;
    let output = driver.stdout.take().context("a pipe")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return Ok((driver, port.trim_end_matches('.').parse()?));
        }
    }
    driver.kill()?;
    anyhow::bail!("chromedriver does not say its port")
}

/// A request to the driver that `fantoccini` has no word for.
fn request(port: u16, method: &str, path: &str, body: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    // The driver leaves the connection open: its answer ends where it says.
    let mut answer = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
