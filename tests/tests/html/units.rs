//! Numbers on the page are rounded as numbers on a terminal: the same list of examples holds for both.

use crate::browser::{Browser, DESK};
use crate::captures::hello;
use anyhow::Result;
use serde_json::Value;

/// `[function, value, text]`; a unit test of the agent holds its own functions to it.
const EXAMPLES: &str = include_str!("../../../tracer/src/output/html/units.json");

#[tokio::test]
async fn numbers_read_as_on_a_terminal() -> Result<()> {
    let browser = Browser::showing(&hello(), DESK).await?;
    let script =
        format!("return {EXAMPLES}.map(([name, value]) => tracer.units[name](value)).join('\\n')");
    let shown = browser.text(&script).await?;
    let examples: Vec<(String, Value, String)> = serde_json::from_str(EXAMPLES)?;
    assert!(examples.len() > 100, "{}", examples.len());
    for ((name, value, text), shown) in examples.iter().zip(shown.split('\n')) {
        assert_eq!(shown, text, "{name}({value})");
    }
    Ok(())
}
