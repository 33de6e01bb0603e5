//! A container image as one file, an archive of the layout that the OCI image specification describes: the agent, static,
//! on nothing.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    VERSION,
    archive::{self, Entry},
};

/// OCI's name of the machine, which is Go's.
const ARCHITECTURE: &str = "amd64";

/// Where the agent is in the image.
const AGENT: &str = "usr/bin/tracer";

/// A blob is a file that is named by its hash.
struct Blob {
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            digest: digest(&bytes),
            bytes,
        }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", self.digest),
            "size": self.bytes.len(),
        })
    }

    fn entry(self) -> Entry {
        Entry::text(&format!("blobs/sha256/{}", self.digest), self.bytes)
    }
}

/// The archive with this agent. `time` is in seconds of Unix time.
pub(super) fn archive(agent: Vec<u8>, time: u64) -> Result<Vec<u8>> {
    let layer = archive::tar(&[Entry::program(AGENT, agent)], time)?;
    let content = digest(&layer);
    let layer = Blob::new(archive::gzip(&layer)?);
    let config = Blob::new(serde_json::to_vec(&config(&content, time))?);
    let manifest = Blob::new(serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
    }))?);
    let mut manifest_descriptor = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
    if let Some(fields) = manifest_descriptor.as_object_mut() {
        let name = json!({ "org.opencontainers.image.ref.name": VERSION });
        fields.insert("annotations".to_owned(), name);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest_descriptor],
    });
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    let entries = [
        Entry::text("oci-layout", serde_json::to_vec(&layout)?),
        Entry::text("index.json", serde_json::to_vec(&index)?),
        layer.entry(),
        config.entry(),
        manifest.entry(),
    ];
    archive::tar(&entries, time)
}

/// What a container of the image runs, and the hash of its layer's content.
fn config(content: &str, time: u64) -> Value {
    let created = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time));
    json!({
        "created": created.to_string(),
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {
            "Entrypoint": [format!("/{AGENT}")],
            "Cmd": ["--help"],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "tracer",
                "org.opencontainers.image.version": VERSION,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{content}")] },
        "history": [{ "created": created.to_string(), "created_by": "cargo xtask dist" }],
    })
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, io::Read as _};

    #[test]
    fn everything_that_is_named_by_its_hash_is_there_and_has_it() {
        let bytes = archive(b"program".to_vec(), 1_700_000_000).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&*bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
        let blob = |descriptor: &Value| {
            let hash = descriptor["digest"].as_str().unwrap();
            let hash = hash.strip_prefix("sha256:").unwrap();
            let content = &files[&format!("blobs/sha256/{hash}")];
            assert_eq!(digest(content), hash);
            assert_eq!(descriptor["size"], content.len());
            content.clone()
        };
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let index = read(&files["index.json"]);
        let manifest = read(&blob(&index["manifests"][0]));
        let config = read(&blob(&manifest["config"]));
        let mut layer = Vec::new();
        flate2::read::GzDecoder::new(&*blob(&manifest["layers"][0]))
            .read_to_end(&mut layer)
            .unwrap();
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            format!("sha256:{}", digest(&layer))
        );
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    }
}
