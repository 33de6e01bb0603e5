//! `tracer man` and `tracer completions`: what packages have besides the program, made from the same definition as its
//! help. Hides the form of manual pages.

use super::args::{self, Args, Completions};
use super::sinks::print;
use anyhow::Context as _;
use clap::{Arg, ArgAction, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use std::fs;
use std::io::{self, Write};

/// The section of commands.
const SECTION: &str = "1";

/// What begins the examples at the end of a command's help.
const EXAMPLES: &str = "Examples:\n";
/// What begins the last part of them.
const EXIT_CODES: &str = "Exit codes:";

/// What the exit codes mean.
const EXIT_STATUS: [(&str, &str); 6] = [
    ("0", "Done."),
    (
        "1",
        "Failed; of tracer diff: what --fail-on names is the case.",
    ),
    ("2", "Bad usage."),
    ("3", "The target is gone or is not a Go program."),
    (
        "4",
        "Not enough privilege: CAP_SYS_ADMIN or root is needed.",
    ),
    (
        "5",
        "A kernel feature is missing: tracer doctor tells which.",
    ),
];

/// What comes before them where there is a program.
const OF_PROGRAM: (&str, &str) = (
    "that of PROGRAM",
    "The report was written. Else, as of other commands:",
);

/// What is read besides what arguments name.
const FILES: [(&str, &str); 2] = [
    (
        "/sys/bus/event_source/devices/uprobe, /sys/kernel/btf/vmlinux",
        "What the kernel must have.",
    ),
    (
        "/proc/PID",
        "The target: its executable, its mappings, its memory.",
    ),
];

/// Variables that change what is done.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("NO_COLOR", "Set and not empty: no colour."),
    (
        "CLICOLOR, CLICOLOR_FORCE",
        "0: no colour; CLICOLOR_FORCE set and not 0: colour also where there is no terminal.",
    ),
    (
        "TERM",
        "Not set, or dumb: no colour, and no line that shows how far long work is.",
    ),
    (
        "SUDO_UID, SUDO_GID",
        "Who owns the files that are written, and whom tracer run starts programs as.",
    ),
];

/// Writes a page for each command.
pub(super) fn pages(args: &args::Man) -> anyhow::Result<()> {
    let directory = &args.directory;
    let cannot_write = || format!("cannot write manual pages to {}", directory.display());
    fs::create_dir_all(directory).with_context(cannot_write)?;
    let root = definition();
    for command in commands(&root) {
        let path = directory.join(file_name(command));
        let mut page = Vec::new();
        write_page(&root, command, &args.date, &mut page)?;
        fs::write(path, page).with_context(cannot_write)?;
    }
    Ok(())
}

/// Writes what a shell needs to complete our command lines.
pub(super) fn completions(args: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "tracer", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Our commands, those that are not for people left out.
fn definition() -> Command {
    let command = Args::command().disable_help_subcommand(true);
    let shown: Vec<Command> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .cloned()
        .collect();
    // A command cannot be taken out: the same one again, with those that stay.
    let mut all = Command::new("tracer")
        .version(env!("CARGO_PKG_VERSION"))
        // It is among the arguments, with a help of ours.
        .disable_version_flag(true)
        .subcommand_required(true)
        .subcommand_value_name("command")
        .subcommand_help_heading("COMMANDS")
        .disable_help_subcommand(true)
        .args(command.get_arguments().cloned())
        .subcommands(shown);
    if let Some(about) = command.get_about() {
        all = all.about(about.clone());
    }
    if let Some(about) = command.get_long_about() {
        all = all.long_about(about.clone());
    }
    if let Some(end) = command.get_after_help() {
        all = all.after_help(end.clone());
    }
    all.build();
    all
}

/// The command itself and its subcommands.
fn commands(root: &Command) -> impl Iterator<Item = &Command> {
    std::iter::once(root).chain(root.get_subcommands())
}

/// `tracer-record`.
fn page_name(command: &Command) -> &str {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name())
}

fn file_name(command: &Command) -> String {
    format!("{}.{SECTION}", page_name(command))
}

fn write_page(
    root: &Command,
    command: &Command,
    date: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let version = root.get_version().unwrap_or_default();
    let man = Man::new(command.clone())
        .section(SECTION)
        .date(date)
        .source(format!("tracer {version}"))
        .manual("tracer manual");
    let is_root = page_name(command) == page_name(root);
    man.render_title(out)?;
    man.render_name_section(out)?;
    let mut roff = Roff::new();
    synopsis(&mut roff, command);
    roff.to_writer(out)?;
    man.render_description_section(out)?;
    let end = command.get_after_help().map(ToString::to_string);
    let end = end.unwrap_or_default();
    let (notes, examples) = end.split_once(EXAMPLES).unwrap_or(("", ""));
    let mut roff = Roff::new();
    for paragraph in notes.split("\n\n").filter(|text| !text.is_empty()) {
        roff.control("PP", []);
        prose(&mut roff, paragraph);
    }
    roff.to_writer(out)?;
    if is_root {
        man.render_subcommands_section(out)?;
    }
    man.render_options_section(out)?;
    let mut roff = Roff::new();
    let examples = examples.split(EXIT_CODES).next().unwrap_or_default();
    literal(&mut roff, "EXAMPLES", examples.trim_end());
    let own = (command.get_name() == "run").then_some(OF_PROGRAM);
    let codes: Vec<_> = own.into_iter().chain(EXIT_STATUS).collect();
    list(&mut roff, "EXIT STATUS", &codes);
    list(&mut roff, "FILES", &FILES);
    list(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
    see_also(&mut roff, root, command);
    roff.to_writer(out)
}

/// A command line: options, what each takes, and what comes after them.
fn synopsis(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["SYNOPSIS"]);
    // Names are not divided, and words not moved apart to fill a line.
    roff.control("nh", []);
    roff.control("ad", ["l"]);
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut words = vec![bold(name)];
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let (last, options): (Vec<&Arg>, Vec<&Arg>) = shown.partition(|arg| arg.is_positional());
    for arg in options.into_iter().chain(last) {
        let (begin, end) = if arg.is_required_set() {
            (" ", "")
        } else {
            (" [", "]")
        };
        words.push(roman(begin));
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        words.push(bold(names.join("|")));
        let action = arg.get_action();
        if action.takes_values() {
            let value = match arg.get_value_names() {
                Some(names) => names.join(" "),
                None => arg.get_id().as_str().to_uppercase(),
            };
            let space = if names.is_empty() { "" } else { " " };
            words.extend([roman(space), italic(value)]);
        }
        words.push(roman(end));
        if matches!(action, ArgAction::Append) {
            words.push(roman("..."));
        }
    }
    if command.has_subcommands() {
        words.extend([roman(" "), italic("COMMAND")]);
    }
    roff.text(words);
    roff.control("ad", ["b"]);
    roff.control("hy", []);
}

/// Text to be filled, but for lines that are indented: those are a table.
fn prose(roff: &mut Roff, paragraph: &str) {
    let lines: Vec<&str> = paragraph.lines().collect();
    for part in lines.chunk_by(|one, next| one.starts_with(' ') == next.starts_with(' ')) {
        if part.iter().any(|line| line.starts_with(' ')) {
            roff.control("nf", []);
            for line in part {
                roff.text([roman(*line)]);
            }
            roff.control("fi", []);
        } else {
            roff.text([roman(part.join(" "))]);
        }
    }
}

/// Lines as they are.
fn literal(roff: &mut Roff, title: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn list(roff: &mut Roff, title: &str, items: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (item, meaning) in items {
        roff.control("TP", []);
        roff.text([bold(*item)]);
        roff.text([roman(*meaning)]);
    }
}

fn see_also(roff: &mut Roff, root: &Command, command: &Command) {
    roff.control("SH", ["SEE ALSO"]);
    let others = commands(root).map(page_name);
    let mut others: Vec<&str> = others.filter(|name| *name != page_name(command)).collect();
    others.sort_unstable();
    let mut words = Vec::new();
    for (index, name) in others.into_iter().enumerate() {
        if index > 0 {
            words.push(roman(", "));
        }
        words.extend([bold(name), roman(format!("({SECTION})"))]);
    }
    roff.text(words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use clap_complete::Shell;
    use std::path::Path;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn page(name: &str) -> String {
        let root = definition();
        let command = commands(&root).find(|command| page_name(command) == name);
        let mut page = Vec::new();
        write_page(&root, command.unwrap(), "2026-11-21", &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn each_command_for_people_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        pages(&args::Man {
            directory: directory.path().join("man1"),
            date: " ".to_owned(),
        })
        .unwrap();
        let mut expected: Vec<String> = Args::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| format!("tracer-{}.1", command.get_name()))
            .collect();
        expected.push("tracer.1".to_owned());
        expected.sort();
        assert!(expected.len() > 8, "{expected:?}");
        assert_eq!(names(&directory.path().join("man1")), expected);
    }

    #[test]
    fn each_page_has_every_option_and_section() {
        let root = definition();
        for command in commands(&root) {
            let page = page(page_name(command));
            let plain = page.replace('\\', "");
            for argument in command.get_arguments() {
                let long = argument.get_long().map(|long| format!("--{long}"));
                let value = argument.get_value_names().map(|names| names.concat());
                let name = long.or(value).unwrap();
                assert!(plain.contains(&name), "{name}: {plain}");
            }
            for section in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXAMPLES",
                "\"EXIT STATUS\"",
                "FILES",
                "ENVIRONMENT",
                "\"SEE ALSO\"",
            ] {
                let heading = format!("\n.SH {section}\n");
                assert!(page.contains(&heading), "{section}: {page}");
            }
        }
    }

    #[test]
    fn a_synopsis_says_what_options_take() {
        let synopsis = |name: &str| {
            let page = page(name).replace("\\fB", "").replace("\\fI", "");
            let page = page.replace("\\fR", "").replace('\\', "");
            let rest = page.split_once(".SH SYNOPSIS\n").unwrap().1;
            let mut lines = rest.lines().filter(|line| !line.starts_with('.'));
            lines.next().unwrap().to_owned()
        };
        let record = synopsis("tracer-record");
        for part in [
            "tracer record -p|--pid PID [",
            "[-d|--duration TIME]",
            "[-o|--output FILE]...",
            "[--explain]",
            "[--format FORMAT]",
        ] {
            assert!(record.contains(part), "{part}: {record}");
        }
        assert!(synopsis("tracer-diff").ends_with(" BASE CANDIDATE"));
        assert!(synopsis("tracer-run").ends_with(" PROGRAM [ARGS]..."));
        assert!(synopsis("tracer").ends_with(" COMMAND"));
    }

    #[test]
    fn tables_stay_tables() {
        let page = page("tracer-diff");
        let table = page.split_once(".nf\n").unwrap().1;
        let lines: Vec<&str> = table.lines().take_while(|line| *line != ".fi").collect();
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[0].starts_with("  FIGURE  allocs, "), "{lines:?}");
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let help = Args::command().get_after_help().unwrap().to_string();
        let help = help.split_once(EXIT_CODES).unwrap().1.replace('\n', " ");
        for (code, meaning) in EXIT_STATUS {
            let meaning = meaning.split([';', ':', '.']).next().unwrap();
            let meaning = meaning
                .trim_start_matches("A ")
                .trim_end_matches(" is missing");
            let begins = format!(" {code} {}", meaning.to_lowercase());
            assert!(help.to_lowercase().contains(&begins), "{begins}: {help}");
        }
    }

    #[test]
    fn every_shell_can_complete_every_option() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut definition(), "tracer", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["record", "max-overhead", "sampled", "completions"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
