//! What pip's configuration says of package indexes, for those who have none of Python. Hides in which files and
//! variables it is, and which of them wins.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use configparser::ini::{Ini, IniDefault};

/// Pip's own default for `index-url`: what it asks where nobody configured anything.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// Pip's own default for `timeout`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// The sections that `pip install` reads; the later one wins, whatever file it is in.
const SECTIONS: [&str; 2] = ["global", "install"];

/// The part of the configuration that says where packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// URLs of simple indexes, in the order to ask them.
    pub(crate) indexes: Vec<String>,
    /// Directories, and URLs of pages, with files of packages.
    pub(crate) find_links: Vec<String>,
    /// A file of certificates that replaces those of the system.
    pub(crate) certificates: Option<PathBuf>,
    /// Hosts, with a port or without, whose certificates are not checked.
    pub(crate) trusted_hosts: Vec<String>,
    /// The proxy, if not the one that the environment names for every program.
    pub(crate) proxy: Option<String>,
    /// How long a server may stay silent.
    pub(crate) timeout: Duration,
}

/// The settings of a file: by section, then by key.
type File = HashMap<String, HashMap<String, Option<String>>>;

impl Settings {
    /// Those of this user on this machine.
    pub(crate) fn read() -> Result<Self> {
        let mut read = Vec::new();
        for path in files(|name| env::var_os(name)) {
            // Most of them do not exist.
            if let Ok(text) = fs::read_to_string(&path) {
                let file = parsed(&text).with_context(|| {
                    format!("cannot read pip's configuration {}", path.display())
                })?;
                read.push(file);
            }
        }
        let variables = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Self::of(&merged(&read, variables)))
    }

    fn of(values: &BTreeMap<String, String>) -> Self {
        let value = |key: &str| values.get(key).map(|value| value.trim().to_owned());
        let words = |key: &str| {
            let words = values
                .get(key)
                .into_iter()
                .flat_map(|it| it.split_whitespace());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let is_on = |value: String| matches!(&*value.to_lowercase(), "1" | "true" | "yes" | "on");
        let indexes = if value("no-index").is_some_and(is_on) {
            Vec::new()
        } else {
            let first = value("index-url").unwrap_or_else(|| DEFAULT_INDEX.to_owned());
            [first]
                .into_iter()
                .chain(words("extra-index-url"))
                .collect()
        };
        let timeout = value("timeout").or_else(|| value("default-timeout"));
        let timeout = timeout.and_then(|seconds| seconds.parse().ok());
        Self {
            indexes,
            find_links: words("find-links"),
            certificates: value("cert").map(PathBuf::from),
            trusted_hosts: words("trusted-host"),
            proxy: value("proxy"),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
        }
    }
}

/// The files that pip reads, the later one wins: of the machine, of the user, of the virtual environment, and the
/// one that a variable names. If that is `/dev/null`, it reads none.
/// Source: https://pip.pypa.io/en/stable/topics/configuration/
fn files(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let named = variable("PIP_CONFIG_FILE").map(PathBuf::from);
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let system = variable("XDG_CONFIG_DIRS").unwrap_or_else(|| OsString::from("/etc/xdg"));
    let mut files: Vec<PathBuf> = env::split_paths(&system)
        .map(|directory| directory.join("pip/pip.conf"))
        .collect();
    files.push(PathBuf::from("/etc/pip.conf"));
    let home = variable("HOME").map(PathBuf::from);
    let user = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let user = user.or_else(|| Some(home.as_ref()?.join(".config")));
    files.extend(home.map(|home| home.join(".pip/pip.conf")));
    files.extend(user.map(|user| user.join("pip/pip.conf")));
    let site = variable("VIRTUAL_ENV").map(PathBuf::from);
    files.extend(site.map(|site| site.join("pip.conf")));
    files.extend(named);
    files
}

fn parsed(text: &str) -> Result<File> {
    // As Python's parser: values go over lines, and a `#` within one belongs to it (it starts the hash in a URL).
    let mut defaults = IniDefault::default();
    defaults.multiline = true;
    defaults.enable_inline_comments = false;
    Ini::new_from_defaults(defaults)
        .read(text.to_owned())
        .map_err(|error| anyhow!(error))
}

/// One value for each key. A variable `PIP_INDEX_URL` is the key `index-url`, and wins over every file.
fn merged(
    files: &[File],
    variables: impl Iterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut merged = BTreeMap::new();
    for section in SECTIONS {
        let sections = files.iter().filter_map(|file| file.get(section));
        for (key, value) in sections.flatten() {
            let value = value.clone().unwrap_or_default();
            merged.insert(normal(key), value);
        }
    }
    for (name, value) in variables {
        if let Some(key) = name.strip_prefix("PIP_") {
            // An empty variable says nothing, as for pip.
            if !value.is_empty() {
                merged.insert(normal(key), value);
            }
        }
    }
    merged
}

fn normal(key: &str) -> String {
    let key = key.trim_start_matches("--");
    key.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(files: &[&str], variables: &[(&str, &str)]) -> Settings {
        let files: Vec<File> = files.iter().map(|text| parsed(text).unwrap()).collect();
        let variables = variables.iter();
        Settings::of(&merged(
            &files,
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        ))
    }

    #[test]
    fn without_any_configuration_it_is_pips_default() {
        let settings = settings(&[], &[("PATH", "/bin"), ("PIP_INDEX_URL", "")]);
        assert_eq!(settings.indexes, [DEFAULT_INDEX]);
        assert_eq!(settings.timeout, DEFAULT_TIMEOUT);
        assert_eq!((settings.certificates, settings.proxy), (None, None));
    }

    #[test]
    fn a_later_file_wins_and_the_section_of_install_wins_over_both() {
        let machine = "[global]\nindex-url = https://machine/simple\n[install]\ntimeout: 60\n";
        let user = "; mine\n[global]\nindex_url=https://user/simple/#mine\ntimeout=5\n";
        let settings = settings(&[machine, user], &[]);
        assert_eq!(settings.indexes, ["https://user/simple/#mine"]);
        assert_eq!(settings.timeout, Duration::from_secs(60));
    }

    #[test]
    fn lists_go_over_lines_and_keep_their_order() {
        let file = "[global]\nextra-index-url =\n    https://one/simple\n    https://two/simple\n\
                    trusted-host = one two:8080\n";
        let settings = settings(&[file], &[]);
        assert_eq!(
            settings.indexes,
            [DEFAULT_INDEX, "https://one/simple", "https://two/simple"]
        );
        assert_eq!(settings.trusted_hosts, ["one", "two:8080"]);
    }

    #[test]
    fn a_variable_wins_over_every_file() {
        let file = "[install]\nindex-url = https://file/simple\ncert = /etc/file.pem\n";
        let variables = [
            ("PIP_INDEX_URL", "https://variable/simple"),
            ("PIP_CERT", "/etc/variable.pem"),
            ("PIP_FIND_LINKS", "/opt/wheels https://variable/files"),
        ];
        let settings = settings(&[file], &variables);
        assert_eq!(settings.indexes, ["https://variable/simple"]);
        assert_eq!(
            settings.certificates.as_deref(),
            Some(Path::new("/etc/variable.pem"))
        );
        assert_eq!(
            settings.find_links,
            ["/opt/wheels", "https://variable/files"]
        );
    }

    #[test]
    fn no_index_leaves_only_the_files_that_are_named() {
        let settings = settings(
            &["[global]\nno-index = true\n"],
            &[("PIP_EXTRA_INDEX_URL", "https://e")],
        );
        assert_eq!(settings.indexes, [""; 0]);
    }

    #[test]
    fn the_files_of_the_user_come_after_those_of_the_machine() {
        let files_with = |named: Option<&str>| {
            files(|name| match name {
                "HOME" => Some(OsString::from("/home/me")),
                "PIP_CONFIG_FILE" => named.map(OsString::from),
                _ => None,
            })
        };
        let expected = [
            "/etc/xdg/pip/pip.conf",
            "/etc/pip.conf",
            "/home/me/.pip/pip.conf",
            "/home/me/.config/pip/pip.conf",
        ];
        assert_eq!(files_with(None), expected.map(PathBuf::from));
        assert_eq!(
            files_with(Some("/a/pip.conf")).last(),
            Some(&PathBuf::from("/a/pip.conf"))
        );
        assert_eq!(files_with(Some("/dev/null")), Vec::<PathBuf>::new());
    }
}
