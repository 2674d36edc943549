//! What the writing thread and those who read share.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::disk::Disk;
use super::failure::{Failure, Work};
use super::folder::Folder;
use super::open::Look;
use super::restore::RestoreError;
use super::{open, restore};
use crate::commits::Commits;
use crate::lead::Leaders;
use crate::{Restoration, Restored, StoreError, StoreStats};

/// The database, and what is known beside it.
#[derive(Debug)]
pub(super) struct Shared {
    /// None after a failure, until it is opened again. The lock is held for moments only: reading goes on without it.
    database: RwLock<Option<Database>>,
    disk: Arc<Disk>,
    pub(super) commits: Arc<Commits>,
    /// Only this process uses the folder, so who leads need not be on disk.
    pub(super) leaders: Mutex<Leaders>,
    changes: AtomicU64,
    transactions: AtomicU64,
    /// Why the last transaction failed; none once one succeeded.
    failure: Mutex<Option<String>>,
    staging: Mutex<()>,
    /// Last, so that it is given back last.
    folder: Folder,
}

impl Shared {
    pub(super) fn new(folder: Folder, database: Database, disk: Arc<Disk>, commits: Arc<Commits>) -> Self {
        Self {
            database: RwLock::new(Some(database)),
            disk,
            commits,
            leaders: Mutex::default(),
            changes: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            failure: Mutex::default(),
            staging: Mutex::default(),
            folder,
        }
    }

    /// Reads at this moment, however long that takes.
    pub(super) fn read<T>(&self, act: impl FnOnce(&ReadTransaction) -> Work<T>) -> Result<T, StoreError> {
        let transaction = match self.database.read().as_ref() {
            Some(database) => database.begin_read().map_err(Failure::from),
            None => Err(closed()),
        };
        Ok(transaction.and_then(|transaction| act(&transaction))?)
    }

    pub(super) fn begin_write(&self) -> Work<WriteTransaction> {
        let database = self.database.read();
        Ok(database.as_ref().ok_or_else(closed)?.begin_write()?)
    }

    /// Closes the file, which ends all reading, opens it again, and looks at it.
    pub(super) fn open_again<T>(&self, look: impl FnOnce(&Database) -> Work<T>) -> Work<T> {
        let mut database = self.database.write();
        *database = None;
        let opened = open::database(&self.folder.file(), &self.disk, Look::Quick)?;
        let seen = look(&opened)?;
        *database = Some(opened);
        Ok(seen)
    }

    /// Builds what a backup holds beside, for the next start.
    pub(super) fn stage(&self, backup: &mut dyn BufRead, restoration: &Restoration) -> Result<Restored, StoreError> {
        let _one_at_a_time = self.staging.lock();
        restore::stage(backup, &self.folder, restoration).map_err(|error| match error {
            RestoreError::Backup(why) => StoreError::Backup(why),
            other => StoreError::Unavailable(other.to_string()),
        })
    }

    pub(super) fn close(&self) {
        *self.database.write() = None;
    }

    /// A transaction is on disk.
    pub(super) fn stands(&self, changes: u64) {
        *self.failure.lock() = None;
        self.changes.fetch_add(changes, Ordering::Relaxed);
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }

    /// A transaction failed.
    pub(super) fn failed(&self, failure: &Failure) {
        *self.failure.lock() = Some(failure.to_string());
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    pub(super) fn stats(&self) -> StoreStats {
        StoreStats {
            changes: self.changes.load(Ordering::Relaxed),
            transactions: self.transactions.load(Ordering::Relaxed),
            syncs: self.disk.syncs(),
            sync_micros: self.disk.sync_micros(),
        }
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }
}

fn closed() -> Failure {
    Failure::Closed("its file could not be opened again after it failed; it is tried on".to_owned())
}
