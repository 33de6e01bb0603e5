//! Fetches pages and files over HTTP, as pip would where this user has configured pip. Hides certificates, proxies,
//! hosts that are trusted without a certificate, and trying again.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::Ipv4Addr,
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use oxiri::Iri;
use sha2::{Digest as _, Sha256};
use ureq::{
    Agent, Body, Proxy, ResponseExt as _,
    http::Response,
    tls::{Certificate, PemItem, RootCerts, TlsConfig},
};

use crate::pip;

/// How often one URL is tried before it counts as out of reach.
const ATTEMPTS: u32 = 3;
/// The pause after the first attempt; twice as long after the next.
const PAUSE: Duration = Duration::from_secs(1);

/// What an index is asked for: PEP 691, or else PEP 503.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// A page of an index.
#[derive(Debug)]
pub(crate) struct Page {
    /// Where it is, once redirections were followed: what its links are relative to.
    pub(crate) url: String,
    pub(crate) is_json: bool,
    pub(crate) text: String,
}

/// What fetches.
#[derive(Debug)]
pub(crate) struct Client {
    roots: RootCerts,
    proxy: Option<Proxy>,
    trusted_hosts: Vec<String>,
    timeout: Duration,
}

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// With a certificate that is believed.
    Checked,
    /// As pip's `trusted-host` says: whatever its certificate, or without one.
    Trusted,
    /// This machine: without a certificate, and without a proxy.
    Local,
}

impl Client {
    /// A client with these settings.
    pub(crate) fn new(settings: &pip::Settings) -> Result<Self> {
        let proxy = match &settings.proxy {
            Some(proxy) => Some(Proxy::new(proxy).context("pip's `proxy` is not understood")?),
            None => Proxy::try_from_env(),
        };
        Ok(Self {
            roots: roots(settings)?,
            proxy,
            trusted_hosts: settings.trusted_hosts.clone(),
            timeout: settings.timeout,
        })
    }

    /// Fetches a page of links.
    pub(crate) fn page(&self, url: &str) -> Result<Page> {
        tried_again(|| {
            let mut response = self.get(url)?;
            let is_json =
                response.body().mime_type() == Some("application/vnd.pypi.simple.v1+json");
            Ok(Page {
                url: response.get_uri().to_string(),
                is_json,
                text: response.body_mut().read_to_string()?,
            })
        })
        .with_context(|| format!("cannot fetch {}", shown(url)))
    }

    /// Fetches a file into `path`, says `received` how many bytes there are so far, and gives their SHA-256 in hex.
    pub(crate) fn download(
        &self,
        url: &str,
        path: &Path,
        received: &dyn Fn(u64),
    ) -> Result<String> {
        tried_again(|| {
            let mut response = self.get(url)?;
            let mut file = fs::File::create(path)?;
            let mut hash = Sha256::new();
            let mut reader = response.body_mut().as_reader();
            let mut buffer = vec![0; 1 << 16];
            let mut sum = 0;
            loop {
                let length = reader.read(&mut buffer)?;
                let bytes = buffer.get(..length).unwrap_or_default();
                if bytes.is_empty() {
                    break;
                }
                hash.update(bytes);
                file.write_all(bytes)?;
                sum += bytes.len() as u64;
                received(sum);
            }
            file.flush()?;
            Ok(hex(&hash.finalize()))
        })
        .with_context(|| format!("cannot fetch {}", shown(url)))
    }

    fn get(&self, url: &str) -> Result<Response<Body>, ureq::Error> {
        let reach = reach(url, &self.trusted_hosts);
        let tls = TlsConfig::builder()
            .root_certs(self.roots.clone())
            .disable_verification(reach == Reach::Trusted);
        let config = Agent::config_builder()
            .https_only(reach == Reach::Checked)
            .tls_config(tls.build())
            .proxy(self.proxy.clone().filter(|_| reach != Reach::Local))
            .timeout_resolve(Some(self.timeout))
            .timeout_connect(Some(self.timeout))
            .timeout_recv_response(Some(self.timeout))
            .timeout_per_read(Some(self.timeout));
        let agent = config.build().new_agent();
        agent.get(url).header("Accept", ACCEPT).call()
    }
}

/// The certificates to believe: those that pip is told of, or else the system's, or else Mozilla's.
fn roots(settings: &pip::Settings) -> Result<RootCerts> {
    // The variables are those of the library that pip fetches with.
    let named = settings.certificates.clone().or_else(|| {
        let variables = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
        variables.iter().find_map(env::var_os).map(Into::into)
    });
    if let Some(path) = named {
        let pem = fs::read(&path)
            .with_context(|| format!("cannot read the certificates {}", path.display()))?;
        let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        ensure!(
            !certificates.is_empty(),
            "{} holds no certificate",
            path.display()
        );
        return Ok(certificates.into());
    }
    let system = rustls_native_certs::load_native_certs().certs;
    if system.is_empty() {
        return Ok(RootCerts::WebPki);
    }
    let certificates = system.iter().map(|it| Certificate::from_der(it).to_owned());
    Ok(certificates.into())
}

fn reach(url: &str, trusted_hosts: &[String]) -> Reach {
    let Ok(url) = Iri::parse(url) else {
        return Reach::Checked;
    };
    let authority = url.authority().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let host = match place.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        _ => place,
    };
    let is_ipv4_loopback = || {
        let address = host.parse::<Ipv4Addr>();
        address.is_ok_and(|address| address.is_loopback())
    };
    if matches!(host, "localhost" | "[::1]") || is_ipv4_loopback() {
        Reach::Local
    } else if trusted_hosts.iter().any(|it| it == host || it == place) {
        Reach::Trusted
    } else {
        Reach::Checked
    }
}

/// Runs `fetch` again after a failure that may pass.
fn tried_again<T>(mut fetch: impl FnMut() -> Result<T, ureq::Error>) -> Result<T, ureq::Error> {
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match fetch() {
            Err(error) if may_pass(&error) => thread::sleep(pause),
            result => return result,
        }
        pause *= 2;
    }
    fetch()
}

fn may_pass(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::StatusCode(status) => *status >= 500 || *status == 429,
        ureq::Error::Io(_) | ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed => true,
        // A name that is not found, a certificate that is not believed, a timeout that was long enough.
        _ => false,
    }
}

/// A URL as a message may show it: without the password that may be in it.
pub(crate) fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = place.rsplit('@').next().unwrap_or(place);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_trusted_hosts_need_no_certificate() {
        let trusted = ["one".to_owned(), "two:8080".to_owned()];
        for (url, expected) in [
            ("http://localhost:3141/simple", Reach::Local),
            ("http://127.0.0.1/a", Reach::Local),
            ("http://[::1]:80/a", Reach::Local),
            ("https://one/simple", Reach::Trusted),
            ("http://me:secret@one:81/simple", Reach::Trusted),
            ("http://two:8080/simple", Reach::Trusted),
            ("http://example/simple", Reach::Checked),
            ("https://two/simple", Reach::Checked),
            ("http://localhost.example/", Reach::Checked),
            ("http://127.0.0.1.example/", Reach::Checked),
            ("http://one@example/", Reach::Checked),
            ("no url", Reach::Checked),
        ] {
            assert_eq!(reach(url, &trusted), expected, "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            shown("https://me:sec@ret@host:80/simple/"),
            "https://host:80/simple/"
        );
        assert_eq!(shown("/opt/wheels"), "/opt/wheels");
    }
}
