//! What clients begin with: flags and segments, in a file, or from a server that knows nothing else.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use daybreak_model::Key;
use daybreak_model::wire::{Enveloped, Position, Snapshot, StoreId};
use serde_json::json;
use tempfile::TempDir;

/// Where no server is.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

/// So many flags, each with two rules of which the second matches the plan `pro`.
pub(crate) fn flags(count: usize) -> BTreeMap<Key, Enveloped> {
    let rule = |name: &str, plan: &str| {
        let when = json!({"attribute": {"attribute": "plan", "test": {"equals": plan}}});
        json!({"name": name, "when": when, "serve": "on"})
    };
    let flag = |number: usize| {
        let flag = json!({
            "description": format!("The flag number {number}"), "owner": "team-a",
            "variants": {"off": false, "on": true}, "default": "off",
            "rules": [rule("trial", "trial"), rule("paying", "pro")],
        });
        Some((format!("flag-{number}").parse().ok()?, Enveloped::new(1, &flag).ok()?))
    };
    (0..count).filter_map(flag).collect()
}

/// A segment of so many ids, and a flag that it turns on.
pub(crate) fn segment(ids: usize) -> (BTreeMap<Key, Enveloped>, BTreeMap<Key, Enveloped>) {
    let ids: Vec<String> = (0..ids).map(id).collect();
    let when = json!({"attribute": {"attribute": "targetingKey", "test": {"in": ids}}});
    let flag = json!({
        "variants": {"off": false, "on": true}, "default": "off",
        "rules": [{"name": "beta", "when": {"segment": "beta"}, "serve": "on"}],
    });
    let one = |key: &str, resource: &serde_json::Value| {
        let key = key.parse().ok()?;
        Some((key, Enveloped::new(1, resource).ok()?))
    };
    (one("by-segment", &flag).into_iter().collect(), one("beta", &json!({"when": when})).into_iter().collect())
}

/// An id: 16 bytes.
pub(crate) fn id(number: usize) -> String {
    format!("user-{number:011}")
}

fn snapshot(flags: &BTreeMap<Key, Enveloped>, segments: BTreeMap<Key, Enveloped>) -> Snapshot {
    let position = Position { store: StoreId::new(7), revision: 1 };
    Snapshot { position, environment: "costs".to_owned(), flags: flags.clone(), segments }
}

/// A file to begin with.
pub(crate) struct Kept {
    _folder: TempDir,
    path: PathBuf,
    /// Its length in bytes.
    pub(crate) length: usize,
}

impl Kept {
    pub(crate) fn write(flags: &BTreeMap<Key, Enveloped>, segments: BTreeMap<Key, Enveloped>) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let path = folder.path().join("snapshot.json");
        let text = serde_json::to_vec(&snapshot(flags, segments))?;
        std::fs::write(&path, &text)?;
        Ok(Self { _folder: folder, path, length: text.len() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A server that sends each stream one snapshot, and nothing else; its URL. It ends with the process.
pub(crate) fn serve(flags: &BTreeMap<Key, Enveloped>) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    let data = serde_json::to_string(&snapshot(flags, BTreeMap::new()))?;
    std::thread::spawn(move || {
        for mut connection in listener.incoming().filter_map(Result::ok) {
            let data = data.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(connection.try_clone()?).lines();
                let asked = lines.next().transpose()?.unwrap_or_default();
                if !asked.contains("/api/v1/stream") {
                    return connection
                        .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                }
                connection
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: snapshot\ndata: ")?;
                connection.write_all(data.as_bytes())?;
                connection.write_all(b"\n\n")?;
                // Until the client goes.
                lines.for_each(drop);
                Ok(())
            });
        }
    });
    Ok(url)
}
