//! The file beneath the database: as redb has it, and counted.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// What is known of the disk, over all times that the file is opened.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// How often something was forced to disk.
    syncs: AtomicU64,
    /// How long that took, all in all.
    sync_micros: AtomicU64,
    /// Forcing something to disk failed since this was last asked: the system may have dropped what it could not write,
    /// and reads it back all the same.
    sync_failed: AtomicBool,
    #[cfg(test)]
    pub(super) is_full: AtomicBool,
    /// The next sync fails: what it was for is read back, but need not be on the disk.
    #[cfg(test)]
    pub(super) sync_fails: AtomicBool,
    /// What reached the disk, in this order, for tests that take the power away.
    #[cfg(test)]
    pub(super) journal: parking_lot::Mutex<Vec<Step>>,
}

/// Something that was done to a file.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(u64, Vec<u8>),
    Length(u64),
    /// What was done before this is on disk.
    Sync,
}

impl Disk {
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    pub(super) fn sync_micros(&self) -> u64 {
        self.sync_micros.load(Ordering::Relaxed)
    }

    /// Whether there is space; tests take it away.
    fn space(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    /// Whether forcing something to disk failed since this was last asked.
    pub(super) fn take_sync_failed(&self) -> bool {
        self.sync_failed.swap(false, Ordering::Relaxed)
    }

    fn sync(&self, file: &FileBackend) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        if self.sync_fails.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("told to fail"));
        }
        let begun = Instant::now();
        let synced = file.sync_data();
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.sync_micros.fetch_add(micros, Ordering::Relaxed);
        synced?;
        #[cfg(test)]
        self.journal.lock().push(Step::Sync);
        Ok(())
    }
}

/// A file on that disk.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl DiskFile {
    pub(super) fn new(file: File, disk: Arc<Disk>) -> Result<Self, DatabaseError> {
        Ok(Self { file: FileBackend::new(file)?, disk })
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.space()?;
        #[cfg(test)]
        self.disk.journal.lock().push(Step::Length(len));
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.disk.sync(&self.file);
        self.disk.sync_failed.fetch_or(synced.is_err(), Ordering::Relaxed);
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.space()?;
        #[cfg(test)]
        self.disk.journal.lock().push(Step::Write(offset, data.to_vec()));
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
