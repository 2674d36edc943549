//! The halt, and the file that makes it outlive the server.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::private::{self, make_private};
use crate::{BoxFuture, StoreError};

/// The big red button is pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// When it was pressed; unknown where the state could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who pressed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The halt as a file of its own: it is there while everything is halted.
///
/// What cannot be read is a halt: an empty file, a foreign one, one without permission. So `touch halt.json`
/// in the data folder halts at the next start.
#[derive(Debug)]
pub struct HaltFile {
    folder: PathBuf,
}

const NAME: &str = "halt.json";
const TEMPORARY: &str = "halt.json.new";
/// A halt that waits with a restored store, to take effect with it.
const STAGED: &str = "halt.json.staged";
/// Bytes that are kept free for a halt, so that it can be written to a disk that is full. A reason is shorter.
const RESERVED: usize = 4096;

impl HaltFile {
    /// The halt file of a data folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let missing: Vec<_> = folder.ancestors().take_while(|path| !path.exists()).collect();
        private::make_folder(folder)?;
        // A new folder lasts only once the one that it is in is on disk.
        missing.iter().filter_map(|made| made.parent()).try_for_each(sync_folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Whether everything is halted.
    #[must_use]
    pub fn read(&self) -> Option<Halt> {
        let unreadable = |why: &dyn std::fmt::Display| Halt {
            at: None,
            actor: None,
            reason: Some(format!(
                "the halt state in {} cannot be read, so everything is halted: {why}",
                self.path().display()
            )),
        };
        match fs::read(self.path()) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| unreadable(&error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.folder.is_dir() => None,
            Err(error) => Some(unreadable(&error)),
        }
    }

    /// Takes the place on the disk that a halt will need, unless it is taken already.
    ///
    /// # Errors
    /// When there is none: then a halt may not last.
    pub fn reserve(&self) -> io::Result<()> {
        let temporary = self.folder.join(TEMPORARY);
        if fs::metadata(&temporary).is_ok_and(|metadata| metadata.len() >= RESERVED as u64) {
            return Ok(());
        }
        let mut file = private::writing().create(true).truncate(true).open(&temporary)?;
        make_private(&temporary)?;
        file.write_all(&[b' '; RESERVED])?;
        file.sync_all()
    }

    /// Writes a halt, so that it is there after a crash: a file beside, fsync, rename, fsync of the folder. Where there
    /// is a place reserved it is written there, and padded.
    ///
    /// # Errors
    /// When any of these fails.
    pub fn write(&self, halt: &Halt) -> io::Result<()> {
        let temporary = self.folder.join(TEMPORARY);
        let mut text = serde_json::to_vec(halt)?;
        text.resize(text.len().max(RESERVED), b' ');
        // Not truncated: the place would be lost.
        let mut file = private::writing().create(true).truncate(false).open(&temporary)?;
        make_private(&temporary)?;
        file.write_all(&text)?;
        file.set_len(text.len() as u64)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, self.path())?;
        sync_folder(&self.folder)
    }

    /// Writes beside what a restored store brings with it: a halt, or none. Nothing is halted by it yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn stage(&self, halt: Option<&Halt>) -> io::Result<()> {
        let Some(halt) = halt else { return self.unstage() };
        let staged = self.folder.join(STAGED);
        let mut file = private::writing().create(true).truncate(true).open(&staged)?;
        make_private(&staged)?;
        file.write_all(&serde_json::to_vec(halt)?)?;
        file.sync_all()
    }

    /// Forgets what was staged.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn unstage(&self) -> io::Result<()> {
        remove(&self.folder.join(STAGED))
    }

    /// Has a staged halt take effect before `then`, and takes it back where that fails. One that holds already stays as it
    /// is.
    ///
    /// # Errors
    /// When the disk fails, or `then` does.
    pub(crate) fn put_staged_in_place(&self, then: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let staged = self.folder.join(STAGED);
        if !staged.exists() || self.read().is_some() {
            then()?;
            return self.unstage();
        }
        fs::rename(&staged, self.path())?;
        sync_folder(&self.folder)?;
        then().inspect_err(|_| drop(fs::rename(self.path(), &staged)))
    }

    /// Removes the halt, so that it is not there after a crash.
    ///
    /// # Errors
    /// When that fails.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.path())?;
        sync_folder(&self.folder)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A disk that has no place any more says so when the halt is to be written.
fn reserve(file: Option<&HaltFile>) {
    if let Some(Err(error)) = file.map(HaltFile::reserve) {
        tracing::debug!(%error, "there is no place for a halt on the disk");
    }
}

/// A rename or removal lasts only once the folder itself is on disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let here = folder.as_os_str().is_empty();
    File::open(if here { Path::new(".") } else { folder })?.sync_all()
}

/// The halt as a store keeps it: in memory, and in a file where there is a folder for it. It needs neither the store's
/// queue nor its thread.
#[derive(Debug)]
pub(crate) struct KeptHalt {
    now: Mutex<Option<Halt>>,
    /// The lock keeps a halt and a lift apart, also on disk.
    file: Mutex<Option<HaltFile>>,
}

impl KeptHalt {
    /// Halted if the file says so, or cannot be read.
    pub(crate) fn new(file: Option<HaltFile>) -> Self {
        let now = file.as_ref().and_then(HaltFile::read);
        reserve(file.as_ref());
        Self { now: Mutex::new(now), file: Mutex::new(file) }
    }

    pub(crate) fn now(&self) -> Option<Halt> {
        self.now.lock().clone()
    }

    pub(crate) fn put(self: &Arc<Self>, halt: Halt) -> BoxFuture<'static, ()> {
        self.blocking(move |kept| {
            let file = kept.file.lock();
            // Memory first: what takes risk away holds even if the disk fails.
            *kept.now.lock() = Some(halt.clone());
            let written = file.as_ref().map_or(Ok(()), |file| file.write(&halt));
            reserve(file.as_ref());
            written.map_err(|source| StoreError::NotDurable { what: "the halt".to_owned(), source })
        })
    }

    pub(crate) fn clear(self: &Arc<Self>) -> BoxFuture<'static, ()> {
        self.blocking(|kept| {
            let file = kept.file.lock();
            let removed = file.as_ref().map_or(Ok(()), HaltFile::remove);
            removed.map_err(|source| StoreError::NotDurable { what: "lifting the halt".to_owned(), source })?;
            *kept.now.lock() = None;
            reserve(file.as_ref());
            Ok(())
        })
    }

    /// Away from the runtime: the disk may be slow.
    fn blocking(
        self: &Arc<Self>,
        act: impl FnOnce(&Self) -> Result<(), StoreError> + Send + 'static,
    ) -> BoxFuture<'static, ()> {
        let kept = Arc::clone(self);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || act(&kept)).await;
            done.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
        })
    }
}

#[cfg(test)]
mod tests;
