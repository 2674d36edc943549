//! The last flags, on disk: to begin with when the server is down.
//!
//! A file a server, environment and service: a line with a checksum, then the snapshot. It never holds runs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use daybreak_model::wire::Snapshot;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The form of the file; another one is ignored.
const FORM: u32 = 1;

/// Where one client keeps its last flags.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    url: String,
    service: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    form: u32,
    url: String,
    service: String,
    snapshot: Snapshot,
}

/// Why a file is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unusable {
    #[error("it is damaged")]
    Damaged,
    #[error("it is of another version")]
    OtherForm,
    #[error("it belongs to another client")]
    Foreign,
}

impl Cache {
    pub(super) fn new(folder: &Path, url: &str, service: &str) -> Self {
        let name = format!("{:016x}.daybreak", xxh3_64(format!("{url}\0{service}").as_bytes()));
        Self { path: folder.join(name), url: url.to_owned(), service: service.to_owned() }
    }

    /// The flags kept, unless there are none or the file is damaged, foreign or of another version.
    pub(super) fn read(&self) -> Option<Snapshot> {
        let bytes = fs::read(&self.path).ok()?;
        let snapshot = self.decode(&bytes);
        snapshot.inspect_err(|why| tracing::warn!(path = %self.path.display(), %why, "the cache is not used")).ok()
    }

    fn decode(&self, bytes: &[u8]) -> Result<Snapshot, Unusable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unusable::Damaged)?;
        let (checksum, body) = text.split_once('\n').ok_or(Unusable::Damaged)?;
        if checksum != format!("{:016x}", xxh3_64(body.as_bytes())) {
            return Err(Unusable::Damaged);
        }
        let kept: Kept = serde_json::from_str(body).map_err(|_| Unusable::OtherForm)?;
        match kept {
            Kept { form, .. } if form != FORM => Err(Unusable::OtherForm),
            Kept { url, service, .. } if url != self.url || service != self.service => Err(Unusable::Foreign),
            Kept { snapshot, .. } => Ok(snapshot),
        }
    }

    /// Keeps these flags. A disk that is full or read-only is logged, and costs nothing else.
    pub(super) fn write(&self, snapshot: &Snapshot) {
        if let Err(error) = self.try_write(snapshot) {
            tracing::warn!(path = %self.path.display(), %error, "the cache could not be written");
        }
    }

    fn try_write(&self, snapshot: &Snapshot) -> std::io::Result<()> {
        let kept =
            Kept { form: FORM, url: self.url.clone(), service: self.service.clone(), snapshot: snapshot.clone() };
        let body = serde_json::to_string(&kept)?;
        let temporary = self.path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(format!("{:016x}\n{body}", xxh3_64(body.as_bytes())).as_bytes())?;
        // Not synced: it would keep a stop waiting for the disk, and a torn file fails its checksum.
        drop(file);
        fs::rename(&temporary, &self.path)
    }
}

/// A bootstrap file: what `/api/v1/snapshot` answers.
pub(super) fn read_bootstrap(path: &Path) -> Option<Snapshot> {
    let read = || -> Result<Snapshot, Box<dyn std::error::Error>> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    read().inspect_err(|error| tracing::warn!(path = %path.display(), %error, "the bootstrap file is not used")).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use daybreak_model::wire::{Position, StoreId};

    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            position: Position { store: StoreId::new(7), revision: 3 },
            environment: "test".into(),
            flags: Default::default(),
            segments: Default::default(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), "http://a", "shop");
        assert!(cache.read().is_none());
        cache.write(&snapshot());
        assert_eq!(cache.read().unwrap().position, snapshot().position);
        assert_eq!(fs::metadata(&cache.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_damaged_foreign_or_newer_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), "http://a", "shop");
        cache.write(&snapshot());
        let good = fs::read(&cache.path).unwrap();
        let with_body = |body: String| format!("{:016x}\n{body}", xxh3_64(body.as_bytes())).into_bytes();
        let body = String::from_utf8(good[17..].to_vec()).unwrap();
        let flipped = good.iter().enumerate().map(|(i, b)| if i == good.len() - 3 { b ^ 1 } else { *b }).collect();
        let cases = [
            (good[..good.len() - 5].to_vec(), Unusable::Damaged),
            (flipped, Unusable::Damaged),
            (Vec::new(), Unusable::Damaged),
            (vec![0xff; 64], Unusable::Damaged),
            (with_body(body.replace("\"form\":1", "\"form\":2")), Unusable::OtherForm),
            (with_body("{}".into()), Unusable::OtherForm),
            (with_body(body.replace("http://a", "http://b")), Unusable::Foreign),
        ];
        for (bytes, why) in cases {
            assert_eq!(cache.decode(&bytes).unwrap_err(), why);
        }
        assert!(cache.decode(&good).is_ok());
    }
}
