//! A capture as large as they get opens quickly, and stays quick.

use crate::browser::{Browser, DESK};
use crate::captures::{Saved, generated};
use anyhow::{Context as _, Result};
use std::path::Path;
use tracer_tests::{measure_again, promise};

const SITES: usize = 10_000;
/// 100,000 stacks.
const STACKS_PER_SITE: usize = 10;
/// Milliseconds from the start of loading until every section is there, without what the page waits for a processor.
const OPEN_MS: f64 = 2_000.0;
/// Milliseconds from a key or a click until it shows.
const ACT_MS: f64 = 500.0;

async fn milliseconds(browser: &Browser, script: &str) -> Result<f64> {
    let value = browser.run(script).await?;
    value.as_f64().with_context(|| format!("{script}: {value}"))
}

/// What is done, and the script that does it.
const ACTS: [(&str, &str); 7] = [
    (
        "sort",
        "document.querySelector('#sites th[data-key=allocs] button').click()",
    ),
    (
        "search",
        "const search = document.getElementById('search'); search.value = 'site99'; search.dispatchEvent(new Event('input'))",
    ),
    ("group", "tracer.sites.groupBy('type')"),
    ("open", "tracer.sites.open(5000)"),
    (
        "many rows",
        "[...document.querySelectorAll('#sites .more button')].pop().click()",
    ),
    (
        "flame graph",
        "document.querySelector('[data-value=allocs]').click()",
    ),
    (
        "flame search",
        "const search = document.getElementById('flame-search'); search.value = 'handle1'; search.dispatchEvent(new Event('input'))",
    ),
];

/// Opens the page and does everything; gives what took how many milliseconds.
async fn timed(browser: &Browser, page: &Path) -> Result<Vec<(&'static str, f64, f64)>> {
    let mut before = browser.waited()?;
    // Without what the page waited for a processor.
    let mut own = |took: f64| -> Result<f64> {
        let waited = browser.waited()?;
        let more = waited.saturating_sub(std::mem::replace(&mut before, waited));
        Ok(took - 1000.0 * more.as_secs_f64())
    };
    browser.open(page).await?;
    let ready = "return performance.getEntriesByName('ready')[0].startTime";
    let took = milliseconds(browser, ready).await?;
    let mut times = vec![("ready", own(took)?, OPEN_MS)];
    for (what, script) in ACTS {
        let script = format!(
            "const start = performance.now(); {{ {script} }} document.body.offsetHeight; return performance.now() - start"
        );
        let took = milliseconds(browser, &script).await?;
        times.push((what, own(took)?, ACT_MS));
    }
    let status = browser
        .text("return document.querySelector('#sites .status').textContent")
        .await?;
    assert!(status.contains("of 10,000 sites"), "{status}");
    Ok(times)
}

#[test]
fn ten_thousand_sites_open_in_two_seconds() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let saved = Saved::new(&generated(SITES, STACKS_PER_SITE))?;
    let browser = runtime.block_on(Browser::start(DESK))?;
    let page = browser.render(&saved.path)?;
    println!("{} bytes", std::fs::metadata(&page)?.len());
    measure_again(|| {
        let times = runtime.block_on(timed(&browser, &page));
        let times = times.expect("the page works");
        println!("{times:?}");
        let slow = times.iter().find(|(_, took, limit)| took >= limit);
        promise(slow.is_none(), || format!("{slow:?}"))
    });
    browser.assert_silent()
}
