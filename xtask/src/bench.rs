//! `cargo xtask bench`: what tracing costs, measured on this machine in one run, beside the alternatives. Each section
//! is a module with a table of its own; this one prepares what they share and writes what they found.

mod attach;
mod budget;
mod churn;
mod example;
mod loss;
mod machine;
mod maps;
mod observer;
mod overhead;
mod pairs;
mod process;
mod replay;
mod rows;
mod sampled;
mod soak;
mod stats;
mod symbols;
mod table;

use std::{
    cell::OnceCell,
    io::{Write as _, stdout},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;
use serde_json::{Value, json};

use self::{
    budget::Budget,
    machine::Machine,
    table::{Style, Table},
};
use crate::{
    apt,
    build::{self, Profile},
    command, go, large, progress,
    sudo::{self, Privilege},
    workspace,
};

/// Version of the document that `--json` writes.
const SCHEMA: &str = "tracer.bench/1";
/// Runnable threads from which on a machine is not idle.
const BUSY: f64 = 0.5;

/// Measure what tracing costs on this machine, beside the alternatives
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this section; may be repeated
    #[arg(long = "section", value_enum, value_name = "NAME")]
    sections: Vec<Section>,
    /// Go version of the measured program: a release, or an exact version
    #[arg(long, value_name = "VERSION", default_value = go::NEWEST)]
    go: String,
    /// Fewer and shorter rounds: figures to look at, not to publish
    #[arg(long)]
    quick: bool,
    /// Let the run that must lose nothing last a minute
    #[arg(long, conflicts_with = "quick")]
    long: bool,
    /// Write one JSON document
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Write the tables in Markdown, as the documentation has them
    #[arg(long)]
    markdown: bool,
}

/// A part of the bench that can be run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Section {
    /// Target slow-down and agent cost, row by row
    Overhead,
    /// Exact mode against Go's own exact profiler, by Go version
    Pairs,
    /// What `--maps growth` and `--maps writes` cost a program that does nothing but maps
    Maps,
    /// What `--mode sampled` costs a program that does nothing but allocate
    Sampled,
    /// Events lost, by ring size
    Loss,
    /// Time to attach, to the first event and to the report, by size of the executable
    Attach,
    /// Agent memory and CPU by sites and stacks, on synthetic events
    Replay,
    /// Naming of program counters, beside the usual tools
    Symbols,
    /// Memory of the agent over ten minutes of `--mode sampled`; only where it is asked for
    Soak,
}

/// What the sections share.
#[derive(Debug)]
struct Bench {
    privilege: Privilege,
    /// Go version of the measured program.
    version: &'static str,
    quick: bool,
    rounds: usize,
    /// How long one run is measured.
    window: Duration,
    /// Whether the run that must lose nothing lasts a minute.
    long: bool,
    /// Whether bpftrace is there, or why not; known once it was asked for.
    bpftrace: OnceCell<Result<(), String>>,
}

/// What a section found.
#[derive(Debug)]
struct Outcome {
    tables: Vec<Table>,
    budgets: Vec<Budget>,
    data: Value,
}

impl Section {
    fn run(self, bench: &Bench) -> Result<Outcome> {
        match self {
            Self::Overhead => overhead::run(bench),
            Self::Pairs => pairs::run(bench),
            Self::Maps => maps::run(bench),
            Self::Sampled => sampled::run(bench),
            Self::Loss => loss::run(bench),
            Self::Attach => attach::run(bench),
            Self::Replay => replay::run(bench),
            Self::Symbols => symbols::run(bench),
            Self::Soak => soak::run(bench),
        }
    }

    /// Whether it is run when none is named.
    fn is_everyday(self) -> bool {
        !matches!(self, Self::Soak)
    }

    /// As it is typed, and as it is called in the document.
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Bench {
    fn prepare(arguments: &Arguments) -> Result<Self> {
        let version = churn::version(&arguments.go)?;
        let privilege =
            Privilege::obtain("to attach to the kernel: only the observers run with it")?;
        build::agent(Profile::Release)?;
        build_examples()?;
        process::adopt_orphans()?;
        let (rounds, window) = match arguments.quick {
            true => (2, Duration::from_secs(1)),
            false => (5, Duration::from_secs(2)),
        };
        Ok(Self {
            privilege,
            version,
            quick: arguments.quick,
            rounds,
            window,
            long: arguments.long,
            bpftrace: OnceCell::new(),
        })
    }

    /// Installs bpftrace where it is missing and that is possible; tells why it is not.
    fn bpftrace(&self) -> &Result<(), String> {
        let find = || find_bpftrace(&self.privilege).map_err(|error| format!("{error:#}"));
        self.bpftrace.get_or_init(find)
    }

    /// An example of the agent's package.
    fn example(&self, name: &str) -> PathBuf {
        workspace::target().join("release/examples").join(name)
    }

    /// The executable of 100 MB, or with `--quick` a tenth of that. It is built once.
    fn large(&self) -> Result<PathBuf> {
        let size = match self.quick {
            true => large::Size::Everyday,
            false => large::Size::Full,
        };
        large::build(&go::toolchain(Some(go::NEWEST))?, size)
    }

    /// A subcommand of the agent that looks at a process.
    fn agent(&self, subcommand: &str, pid: u32) -> Command {
        let mut command = self.privilege.command(workspace::agent());
        command.args([subcommand, "--pid", &pid.to_string()]);
        command
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let machine = Machine::look();
    if let Some(load) = machine.load.filter(|load| *load > BUSY) {
        progress::say(&format!(
            "other programs run on this machine (load {load}): slow-downs and rates will be off, CPU times less so"
        ));
    }
    let bench = Bench::prepare(arguments)?;
    let named = |section: &Section| match arguments.sections.as_slice() {
        [] => section.is_everyday(),
        some => some.contains(section),
    };
    let sections = Section::value_variants();
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    for section in sections.iter().filter(|section| named(section)) {
        match section.run(&bench) {
            Ok(outcome) => outcomes.push((section.name(), outcome)),
            Err(error) => failures.push(format!("{}: {error:#}", section.name())),
        }
    }
    let written = if arguments.json {
        document(&machine, &outcomes)?
    } else if arguments.markdown {
        tables(&machine, &outcomes, Style::Markdown)
    } else {
        tables(&machine, &outcomes, Style::Text)
    };
    stdout()
        .write_all(written.as_bytes())
        .context("cannot write the figures")?;
    ensure!(
        failures.is_empty(),
        "sections that failed:\n{}",
        failures.join("\n")
    );
    Ok(())
}

fn build_examples() -> Result<()> {
    let mut build = workspace::cargo();
    build.args(["build", "--quiet", "--locked", "--release"]);
    command::run(build.args(["--package", "tracer", "--examples"]))
}

fn find_bpftrace(privilege: &Privilege) -> Result<()> {
    if sudo::in_path("bpftrace") {
        return Ok(());
    }
    if !apt::is_here() {
        bail!("bpftrace is missing, and there is no apt to install it with");
    }
    apt::install(privilege, &["bpftrace"], "to compare with")
        .context("bpftrace is missing and cannot be installed")
}

fn budgets(outcomes: &[(String, Outcome)]) -> Vec<Budget> {
    let each = outcomes.iter().flat_map(|(_, outcome)| &outcome.budgets);
    each.cloned().collect()
}

fn document(machine: &Machine, outcomes: &[(String, Outcome)]) -> Result<String> {
    let sections: serde_json::Map<String, Value> = outcomes
        .iter()
        .map(|(name, outcome)| (name.clone(), outcome.data.clone()))
        .collect();
    let document = json!({
        "schema": SCHEMA,
        "machine": machine,
        "sections": sections,
        "budgets": budgets(outcomes),
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn tables(machine: &Machine, outcomes: &[(String, Outcome)], style: Style) -> String {
    let of_sections = outcomes.iter().flat_map(|(_, outcome)| &outcome.tables);
    let budgets = budgets(outcomes);
    let last = (!budgets.is_empty()).then(|| budget::table(&budgets));
    let mut text = machine.line() + "\n";
    for table in of_sections.chain(&last) {
        text.push('\n');
        text += &table.render(style);
    }
    text
}

#[cfg(test)]
mod tests {
    use self::budget::Limit;
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            tables: Vec::new(),
            budgets: vec![Budget::new("loss", Limit::AtMost(0.0), 0.0, "%")],
            data: json!({"rows": [{"lost": null}]}),
        }
    }

    #[test]
    fn the_document_has_every_section_and_no_figure_for_what_was_not_measured() {
        let text = document(&Machine::look(), &[("overhead".to_owned(), outcome())]).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["schema"], SCHEMA);
        assert_eq!(
            document["sections"]["overhead"]["rows"][0]["lost"],
            Value::Null
        );
        assert_eq!(document["budgets"][0]["met"], true);
        assert!(document["machine"]["kernel"].is_string());
    }

    #[test]
    fn the_budgets_are_the_last_table() {
        let text = tables(
            &Machine::look(),
            &[("loss".to_owned(), outcome())],
            Style::Markdown,
        );
        assert!(text.contains("\n**Budgets**\n\n| what |"), "{text}");
    }
}
