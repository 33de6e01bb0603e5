//! How fast program counters are named, by tracer and by the usual tools, on the same executable.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    example,
    table::{self, Table},
};
use crate::{apt, progress, sudo};

/// Tools to compare with, each with its Debian package.
const TOOLS: [(&str, &str); 2] = [("llvm-symbolizer", "llvm"), ("addr2line", "binutils")];

/// What the example `symbolization` prints, a line for each tool, tracer first.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Figures {
    tool: String,
    pcs: u64,
    ms: f64,
    pcs_per_s: f64,
    /// Share of the program counters for which it names the same functions as tracer, inlined ones included.
    functions_agree: Option<f64>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let missing = missing_tools(bench);
    let program = bench.large()?;
    let arguments = [program.to_string_lossy()];
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let figures: Vec<Figures> = progress::during("naming program counters", || {
        example::measure(bench, "symbolization", &arguments)
    })?;
    let tracer = figures.iter().find(|figures| figures.tool == "tracer");
    let budget = tracer.map(|tracer| {
        let per_10_000 = 10_000.0 / tracer.pcs_per_s;
        let what = "naming 10,000 program counters, inlined calls included";
        Budget::new(what, Limit::AtMost(1.0), per_10_000, "s")
    });
    let bytes = program.metadata()?.len();
    Ok(Outcome {
        tables: vec![table(&figures, bytes, missing)],
        budgets: budget.into_iter().collect(),
        data: serde_json::json!({"executable_bytes": bytes, "tools": figures}),
    })
}

/// Installs the tools where that is possible, and tells which are missing all the same.
fn missing_tools(bench: &Bench) -> Vec<String> {
    let missing = TOOLS.iter().filter(|(tool, _)| !sudo::in_path(tool));
    missing
        .filter_map(|(tool, package)| {
            let installed = apt::is_here()
                .then(|| apt::install(&bench.privilege, &[package], "to compare with"));
            match installed {
                Some(Ok(())) => None,
                Some(Err(error)) => Some(format!("{tool} is missing: {error:#}.")),
                None => Some(format!("{tool} is missing, and there is no apt.")),
            }
        })
        .collect()
}

fn table(figures: &[Figures], bytes: u64, missing: Vec<String>) -> Table {
    let rows = figures.iter().map(|figures| {
        vec![
            figures.tool.clone(),
            table::count(figures.pcs),
            table::number(figures.ms),
            table::number(figures.pcs_per_s),
            table::optional(figures.functions_agree, |share| {
                format!("{} %", table::number(100.0 * share))
            }),
        ]
    });
    Table {
        title: format!(
            "Naming program counters of an executable of {}",
            table::megabytes(bytes)
        ),
        header: vec!["", "pcs", "ms", "pcs/s", "same functions as tracer"],
        rows: rows.collect(),
        notes: missing,
    }
}
