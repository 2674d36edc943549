//! The data folder: what is where, and that only one server uses it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::HaltFile;

/// The store's file.
pub(crate) const FILE: &str = "store.redb";
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
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK));
        let mut lock = options.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = lock.read_to_string(&mut process);
                return Err(OpenError::InUse { path: path.to_owned(), process: process.trim().to_owned() });
            }
            Err(TryLockError::Error(why)) => return Err(unusable(why)),
        }
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
        self.path.join("store.redb.staged")
    }

    /// A name beside the store's file that nothing has yet: `store.redb.WHY`, `store.redb.WHY-2` and so on.
    pub(crate) fn beside(&self, why: &str) -> PathBuf {
        let name = |number: u32| match number {
            1 => format!("{FILE}.{why}"),
            number => format!("{FILE}.{why}-{number}"),
        };
        let free = (1..u32::MAX).map(|number| self.path.join(name(number))).find(|path| !path.exists());
        free.unwrap_or_else(|| self.path.join(name(u32::MAX)))
    }

    /// Makes what was created, renamed or removed in it last.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        crate::halt::sync_folder(&self.path)
    }
}

/// Makes a file readable and writable for its owner only: it holds the hashes of tokens.
///
/// # Errors
/// When that fails.
#[cfg(unix)]
pub(crate) fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// Elsewhere folders are what is private.
#[cfg(not(unix))]
pub(crate) fn make_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}
