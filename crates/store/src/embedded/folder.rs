//! The data folder: what is where, and that only one server uses it.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::HaltFile;
use crate::private::{self, make_private};

/// The store's file.
pub(crate) const FILE: &str = "store.redb";
/// Waits there to take the store's place.
pub(crate) const STAGED: &str = "store.redb.staged";
/// Locked by the one server that uses the folder; holds the number of its process.
const LOCK: &str = "daybreak.lock";

/// A data folder that nobody else uses as long as this is kept.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The system gives the lock back when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Takes a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or written to, or somebody else has it.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let unusable = |why| OpenError::Folder { path: path.to_owned(), why };
        HaltFile::open(path).map_err(unusable)?;
        // Not truncated: another one's number may stand there.
        let lock = private::writing().read(true).create(true).truncate(false).open(path.join(LOCK));
        let mut lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = lock.read_to_string(&mut process);
                return Err(OpenError::InUse { path: path.to_owned(), process: process.trim().to_owned() });
            }
            Err(TryLockError::Error(why)) => return Err(unusable(why)),
        }
        // An older version may have made it for everybody.
        let _ = make_private(&path.join(LOCK));
        // Only a hint for people: a full disk must keep no server from starting.
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the store's file is, or is to be.
    pub(crate) fn file(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// Where a file waits that is to take the store's place.
    pub(crate) fn staged(&self) -> PathBuf {
        self.path.join(STAGED)
    }

    /// A name beside the store's file that nothing has yet, after all that were there before: `store.redb.WHY`,
    /// `store.redb.WHY-2` and so on.
    pub(crate) fn beside(&self, why: &str) -> PathBuf {
        let last = self.copies(why).pop().map_or(0, |(number, _)| number);
        let name = match last.saturating_add(1) {
            1 => format!("{FILE}.{why}"),
            number => format!("{FILE}.{why}-{number}"),
        };
        self.path.join(name)
    }

    /// Removes what lies beside the store's file by this name, but for the last of them.
    pub(crate) fn keep_last(&self, why: &str, kept: usize) {
        let copies = self.copies(why);
        for (_, path) in copies.iter().take(copies.len().saturating_sub(kept)) {
            match fs::remove_file(path) {
                Ok(()) => tracing::info!(path = %path.display(), "an old copy of the store is removed"),
                Err(error) => tracing::warn!(%error, path = %path.display(), "an old copy of the store stays"),
            }
        }
    }

    /// What lies beside the store's file by this name, by number.
    fn copies(&self, why: &str) -> Vec<(u64, PathBuf)> {
        let number = |name: &str| match name.strip_prefix(FILE)?.strip_prefix('.')?.strip_prefix(why)? {
            "" => Some(1),
            rest => rest.strip_prefix('-')?.parse().ok(),
        };
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut copies: Vec<(u64, PathBuf)> =
            entries.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path()))).collect();
        copies.sort();
        copies
    }

    /// Makes what was created, renamed or removed in it last.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        crate::halt::sync_folder(&self.path)
    }
}
