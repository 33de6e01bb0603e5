//! A capture as large as they get opens quickly, and stays quick.

use crate::browser::{Browser, DESK};
use crate::captures::{Saved, generated};
use anyhow::{Context as _, Result};

const SITES: usize = 10_000;
/// 100,000 stacks.
const STACKS_PER_SITE: usize = 10;
/// Milliseconds from the start of loading until every section is there.
const OPEN_MS: f64 = 2_000.0;
/// Milliseconds from a key or a click until it shows.
const ACT_MS: f64 = 500.0;

async fn milliseconds(browser: &Browser, script: &str) -> Result<f64> {
    let value = browser.run(script).await?;
    value.as_f64().with_context(|| format!("{script}: {value}"))
}

#[tokio::test]
async fn ten_thousand_sites_open_in_two_seconds() -> Result<()> {
    let saved = Saved::new(&generated(SITES, STACKS_PER_SITE))?;
    let browser = Browser::start(DESK).await?;
    let page = browser.render(&saved.path)?;
    let size = std::fs::metadata(&page)?.len();
    let mut fastest = f64::MAX;
    // The machine may be busy with something else for once.
    for _ in 0..3 {
        browser.open(&page).await?;
        let ready = "return performance.getEntriesByName('ready')[0].startTime";
        fastest = fastest.min(milliseconds(&browser, ready).await?);
        if fastest < OPEN_MS {
            break;
        }
    }
    println!("{size} bytes, ready after {fastest} ms");
    assert!(fastest < OPEN_MS, "{fastest} ms");

    for (what, script) in [
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
    ] {
        let timed = format!(
            "const start = performance.now(); {{ {script} }} document.body.offsetHeight; return performance.now() - start"
        );
        let took = milliseconds(&browser, &timed).await?;
        println!("{what}: {took} ms");
        assert!(took < ACT_MS, "{what}: {took} ms");
    }
    let status = browser
        .text("return document.querySelector('#sites .status').textContent")
        .await?;
    assert!(status.contains("of 10,000 sites"), "{status}");
    browser.assert_silent()
}
