//! The table of sites: sorted, searched, filtered, grouped, and opened, by mouse and by keyboard.

use crate::browser::{Browser, DESK};
use crate::captures::{Saved, generated};
use anyhow::Result;
use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::Value;

const SITES: usize = 60;

/// Names of the rows from the top.
const NAMES: &str = "return [...document.querySelectorAll('#sites .row-name')].map((name) => name.textContent).join(' ')";
/// What the line above the table says.
const STATUS: &str = "return document.querySelector('#sites .status').textContent";

async fn browser() -> Result<(Browser, Saved)> {
    let saved = Saved::new(&generated(SITES, 3))?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    Ok((browser, saved))
}

fn name(i: usize) -> String {
    let package = match i % 3 {
        0 => "main".to_owned(),
        1 => format!("example.com/shop/pkg{}", i % 50),
        _ => "net/http".to_owned(),
    };
    format!("{package}.site{i}")
}

/// Numbers of the sites that rows are about.
async fn order(browser: &Browser) -> Result<Vec<usize>> {
    let names = browser.text(NAMES).await?;
    let number = |name: &str| Some(name.rsplit_once("site")?.1.parse().expect("a number"));
    Ok(names.split(' ').filter_map(number).collect())
}

fn allocs(i: usize) -> usize {
    10 + (i * 7919) % 1000
}

async fn head(browser: &Browser, key: &str) -> Result<fantoccini::elements::Element> {
    let css = format!("#sites th[data-key={key}] button");
    Ok(browser.client.find(Locator::Css(&css)).await?)
}

async fn sorted_as(browser: &Browser, key: &str) -> Result<String> {
    let script = format!(
        "return document.querySelector('#sites th[data-key={key}]').getAttribute('aria-sort')"
    );
    browser.text(&script).await
}

#[tokio::test]
async fn heads_sort_by_mouse_and_by_keyboard() -> Result<()> {
    let (browser, _saved) = browser().await?;
    let first: Vec<usize> = (0..25).collect();
    assert_eq!(
        order(&browser).await?,
        first,
        "most bytes first, a part of them"
    );
    assert_eq!(sorted_as(&browser, "share").await?, "descending");

    let mut by_allocs: Vec<usize> = (0..SITES).collect();
    by_allocs.sort_by_key(|&i| (std::cmp::Reverse(allocs(i)), i));
    head(&browser, "allocs").await?.click().await?;
    assert_eq!(order(&browser).await?, by_allocs[..25]);
    assert_eq!(sorted_as(&browser, "allocs").await?, "descending");
    assert_eq!(sorted_as(&browser, "share").await?, "none");

    // The head keeps the focus, so that Enter turns the order round.
    browser.press(&Key::Enter.to_string()).await?;
    assert_eq!(sorted_as(&browser, "allocs").await?, "ascending");
    by_allocs.sort_by_key(|&i| (allocs(i), i));
    assert_eq!(order(&browser).await?, by_allocs[..25]);

    head(&browser, "name").await?.click().await?;
    let mut names: Vec<String> = (0..SITES).map(name).collect();
    names.sort();
    let shown = browser.text(NAMES).await?;
    assert_eq!(shown.split(' ').collect::<Vec<_>>(), names[..25]);

    // Growth is known of every fourth site only: the others stand last, both ways.
    head(&browser, "growth").await?.click().await?;
    head(&browser, "growth").await?.click().await?;
    assert_eq!(sorted_as(&browser, "growth").await?, "ascending");
    assert!(order(&browser).await?[..15].iter().all(|i| i % 4 == 0));
    browser.assert_silent()
}

#[tokio::test]
async fn search_filters_and_groups_tell_what_they_leave() -> Result<()> {
    let (browser, _saved) = browser().await?;
    let search = browser.client.find(Locator::Css("#search")).await?;
    search.send_keys("SITE17").await?;
    assert_eq!(order(&browser).await?, [17]);
    assert!(browser.text(STATUS).await?.starts_with("1 of 60 sites · "));
    search.clear().await?;
    search.send_keys("main.type3").await?;
    let of_types: Vec<usize> = (0..SITES)
        .filter(|i| i.to_string().starts_with('3'))
        .collect();
    assert_eq!(order(&browser).await?, of_types, "types are searched too");
    search.clear().await?;
    search.send_keys("no such thing").await?;
    assert_eq!(order(&browser).await?, [0_usize; 0]);
    assert!(
        browser
            .text(STATUS)
            .await?
            .starts_with("0 of 60 sites · 0 B")
    );
    search.send_keys(&Key::Escape.to_string()).await?;
    search.clear().await?;

    choose(&browser, "owner", "0").await?;
    let of_main: Vec<usize> = (0..SITES).step_by(3).collect();
    assert_eq!(order(&browser).await?, of_main);
    choose(&browser, "owner", "").await?;
    choose(&browser, "package", "net/http").await?;
    let of_http: Vec<usize> = (2..SITES).step_by(3).collect();
    assert_eq!(order(&browser).await?, of_http);
    choose(&browser, "package", "").await?;

    choose(&browser, "by", "package").await?;
    let groups = browser.text(NAMES).await?;
    assert!(
        groups.starts_with("main net/http example.com/shop/pkg"),
        "{groups}"
    );
    choose(&browser, "by", "type").await?;
    assert!(
        browser
            .text(NAMES)
            .await?
            .starts_with("main.type0 main.type1 ")
    );
    browser.assert_silent()
}

async fn choose(browser: &Browser, key: &str, value: &str) -> Result<()> {
    let css = format!("#sites select[data-key={key}]");
    let select = browser.client.find(Locator::Css(&css)).await?;
    Ok(select.select_by_value(value).await?)
}

#[tokio::test]
async fn a_row_opens_to_all_that_is_known_of_its_site() -> Result<()> {
    let (browser, _saved) = browser().await?;
    let opener = browser.client.find(Locator::Css("#site-0 .opener")).await?;
    opener.click().await?;
    let titles = "return [...document.querySelectorAll('.detail h3')].map((title) => title.textContent).join(', ')";
    let shown = browser.text(titles).await?;
    assert_eq!(
        shown,
        "Where, Figures, Sizes asked for, Types, Alive, Page faults and collector, Callers: 3 paths"
    );
    let detail = browser
        .text("return document.querySelector('.detail').textContent")
        .await?;
    for text in [
        "main.site0",
        "/srv/shop/main/file.go:1",
        "main.type0",
        "goroutine",
        "± 5.0 %",
    ] {
        assert!(
            detail.contains(text) == (text != "goroutine"),
            "{text}: {detail}"
        );
    }
    let path = browser
        .client
        .find(Locator::Css(".detail .stack summary"))
        .await?;
    path.click().await?;
    let frames = browser
        .run("return document.querySelectorAll('.detail .stack[open] li').length")
        .await?;
    assert_eq!(frames, Value::from(19), "the site and its callers");

    // By keyboard: the button has the focus after a click; Enter closes the row and opens it.
    browser
        .run("document.querySelector('#site-0 .opener').focus()")
        .await?;
    browser.press(&Key::Enter.to_string()).await?;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('.detail').length")
            .await?,
        Value::from(0)
    );
    browser.press(&Key::Enter.to_string()).await?;
    let open = "return document.querySelector('#site-0 .opener').getAttribute('aria-expanded')";
    assert_eq!(browser.text(open).await?, "true");
    browser.assert_silent()
}

#[tokio::test]
async fn findings_and_links_lead_to_what_they_are_about() -> Result<()> {
    let (browser, _saved) = browser().await?;
    let finding = browser
        .text("return document.querySelector('.finding').textContent")
        .await?;
    assert!(finding.contains("only grows"), "{finding}");
    let map = "return document.querySelector('.finding a').getAttribute('href')";
    assert_eq!(browser.text(map).await?, "#map-0");
    browser
        .client
        .find(Locator::Css(".finding a"))
        .await?
        .click()
        .await?;
    let seen = "const at = document.getElementById('map-0').getBoundingClientRect().top; return at >= 0 && at < innerHeight";
    browser.until(seen).await?;

    // A link to a site opens its row, also if a filter hides it.
    let search = browser.client.find(Locator::Css("#search")).await?;
    search.send_keys("site17").await?;
    browser
        .run("document.querySelector('#faults a').click()")
        .await?;
    let open = "const open = document.querySelector('.opener[aria-expanded=true]'); return open !== null && document.activeElement === open";
    browser.until(open).await?;
    browser.assert_silent()
}
