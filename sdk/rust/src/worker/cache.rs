//! The last flags, on disk: to begin with when the server is down.
//!
//! A file a server, service and environment: a line with a checksum, then the snapshot. It never holds runs.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use daybreak_model::wire::Snapshot;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::core::{Core, Settings};
use crate::errand::Errand;
use crate::served::Begin;

/// The form of the file; another one is ignored.
const FORM: u32 = 1;
const EXTENSION: &str = "daybreak";
/// The shortest time between two writes: changes that come meanwhile are written as one.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes the last flags, on a thread of its own: a disk that hangs holds up nothing else.
#[derive(Debug)]
pub(super) struct Keeper(Errand<()>);

/// Where one client keeps its last flags.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    url: String,
    service: String,
    /// The only one that is asked for; that of the newest file, unless said.
    environment: Option<String>,
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

impl Keeper {
    pub(super) fn start(core: &Arc<Core>, mut write: impl FnMut(&Snapshot) + Send + 'static) -> io::Result<Self> {
        let core = Arc::clone(core);
        let work = move |()| {
            if let Some(snapshot) = core.to_wire() {
                write(&snapshot);
            }
        };
        Errand::start("daybreak-cache", PAUSE, work).map(Self)
    }

    /// Has what the client serves written soon.
    pub(super) fn keep(&self) {
        if self.0.hand(|_| ()).is_err() {
            tracing::debug!("the cache is written no more");
        }
    }
}

impl Cache {
    pub(super) fn new(folder: &Path, settings: &Settings) -> Self {
        let Settings { url, service, environment, .. } = settings;
        Self { folder: folder.to_owned(), url: url.clone(), service: service.clone(), environment: environment.clone() }
    }

    /// What the files of all environments begin with.
    fn stem(&self) -> String {
        format!("{:016x}-", xxh3_64(format!("{}\0{}", self.url, self.service).as_bytes()))
    }

    fn path(&self, environment: &str) -> PathBuf {
        self.folder.join(format!("{}{:016x}.{EXTENSION}", self.stem(), xxh3_64(environment.as_bytes())))
    }

    /// The files that may be meant, the newest first.
    fn candidates(&self) -> Vec<PathBuf> {
        if let Some(environment) = &self.environment {
            return vec![self.path(environment)];
        }
        let stem = self.stem();
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&stem)) && path.extension().is_some_and(|end| end == EXTENSION)
        };
        let paths = fs::read_dir(&self.folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut paths: Vec<_> = paths.filter(ours).collect();
        let written =
            |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        paths.sort_by_cached_key(|path| std::cmp::Reverse(written(path)));
        paths
    }

    /// The flags kept, unless there are none or the file is damaged, foreign or of another version.
    pub(super) fn read(&self) -> Option<Begin> {
        let usable = |path: &PathBuf| {
            let snapshot = self.decode(&fs::read(path).ok()?);
            let snapshot = snapshot
                .inspect_err(|why| tracing::warn!(path = %path.display(), %why, "the cache is not used"))
                .ok()?;
            tracing::info!(path = %path.display(), snapshot.environment, "the client begins with its cache");
            Some(snapshot)
        };
        self.candidates().iter().find_map(usable).map(Begin::Cache)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Snapshot, Unusable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unusable::Damaged)?;
        let (checksum, body) = text.split_once('\n').ok_or(Unusable::Damaged)?;
        if checksum != format!("{:016x}", xxh3_64(body.as_bytes())) {
            return Err(Unusable::Damaged);
        }
        let kept: Kept = serde_json::from_str(body).map_err(|_| Unusable::OtherForm)?;
        let foreign = |kept: &Kept| {
            let environment = &kept.snapshot.environment;
            kept.url != self.url
                || kept.service != self.service
                || self.environment.as_ref().is_some_and(|ours| ours != environment)
        };
        match kept {
            Kept { form, .. } if form != FORM => Err(Unusable::OtherForm),
            kept if foreign(&kept) => Err(Unusable::Foreign),
            kept => Ok(kept.snapshot),
        }
    }

    /// Keeps these flags. A disk that is full or read-only is logged, and costs nothing else.
    pub(super) fn write(&self, snapshot: &Snapshot) {
        let path = self.path(&snapshot.environment);
        if let Err(error) = self.try_write(&path, snapshot) {
            tracing::warn!(path = %path.display(), %error, "the cache could not be written");
        }
    }

    fn try_write(&self, path: &Path, snapshot: &Snapshot) -> io::Result<()> {
        let kept =
            Kept { form: FORM, url: self.url.clone(), service: self.service.clone(), snapshot: snapshot.clone() };
        let body = serde_json::to_string(&kept)?;
        // Several processes may share the folder.
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        // Made anew, so that it is nobody else's, and no link to elsewhere.
        let _ = fs::remove_file(&temporary);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let written = file.write_all(format!("{:016x}\n{body}", xxh3_64(body.as_bytes())).as_bytes());
        // Not synced: a torn file fails its checksum.
        drop(file);
        written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| drop(fs::remove_file(&temporary)))
    }
}

/// A bootstrap file: what `/api/v1/snapshot` answers.
pub(super) fn read_bootstrap(path: &Path) -> Option<Begin> {
    let read = || -> Result<Snapshot, Box<dyn std::error::Error>> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    let snapshot = read();
    let snapshot =
        snapshot.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "the bootstrap file is not used"));
    snapshot.ok().map(Begin::Bootstrap)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use daybreak_model::wire::{Position, StoreId};

    use super::*;

    fn snapshot(environment: &str, revision: u64) -> Snapshot {
        Snapshot {
            position: Position { store: StoreId::new(7), revision },
            environment: environment.into(),
            flags: Default::default(),
            segments: Default::default(),
        }
    }

    fn cache(folder: &Path, environment: Option<&str>) -> Cache {
        Cache {
            folder: folder.to_owned(),
            url: "http://a".into(),
            service: "shop".into(),
            environment: environment.map(str::to_owned),
        }
    }

    fn revision(cache: &Cache) -> Option<u64> {
        let Begin::Cache(snapshot) = cache.read()? else { panic!("it is a cache") };
        Some(snapshot.position.revision)
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), None);
        assert!(cache.read().is_none());
        cache.write(&snapshot("test", 3));
        cache.write(&snapshot("test", 4));
        assert_eq!(revision(&cache), Some(4));
        assert_eq!(fs::metadata(cache.path("test")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn each_environment_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let any = cache(folder.path(), None);
        any.write(&snapshot("staging", 1));
        any.write(&snapshot("production", 2));
        let touched = |environment: &str, seconds| {
            let file = fs::File::options().write(true).open(any.path(environment)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        for (environment, expected) in [("staging", Some(1)), ("production", Some(2)), ("test", None)] {
            assert_eq!(revision(&cache(folder.path(), Some(environment))), expected, "{environment}");
        }
        touched("staging", 20);
        touched("production", 10);
        assert_eq!(revision(&any), Some(1), "unless one is asked for, it is the newest");
        fs::write(any.path("staging"), "damaged").unwrap();
        assert_eq!(revision(&any), Some(2), "a damaged one spoils no other");
        fs::rename(any.path("production"), any.path("test")).unwrap();
        assert_eq!(revision(&cache(folder.path(), Some("test"))), None, "it says itself whose it is");
    }

    #[test]
    fn what_is_damaged_foreign_or_newer_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), Some("test"));
        cache.write(&snapshot("test", 3));
        let good = fs::read(cache.path("test")).unwrap();
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
            (with_body(body.replace("\"test\"", "\"staging\"")), Unusable::Foreign),
        ];
        for (bytes, why) in cases {
            assert_eq!(cache.decode(&bytes).unwrap_err(), why);
        }
        assert!(cache.decode(&good).is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_costs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder.path().join("gone"), None);
        cache.write(&snapshot("test", 1));
        assert!(cache.read().is_none());
    }
}
