//! The store that lasts: one file in the data folder, on redb.
//!
//! What is written goes to one thread, in the order in which it was asked for. Everything that waits there shares a
//! transaction, and so an fsync; each part is checked and answered for itself, once all of it is on disk. What is read is
//! read beside that, at one moment. The halt is a file of its own, and waits for neither.

mod backup;
mod batch;
mod disk;
mod events;
mod failure;
mod folder;
mod open;
mod read;
mod restore;
mod shared;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use daybreak_model::Millis;
use daybreak_model::wire::{Position, StoreId};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use redb::ReadTransaction;
use serde_json::Value;

use crate::commits::Commits;
use crate::halt::KeptHalt;
use crate::{
    Backup, BackupReader, BoxFuture, Change, Contents, Delivery, Event, EventFilter, EventPage, Expected, Halt,
    HaltFile, Leadership, LeadershipRequest, ReportBucket, Restoration, Restored, Retention, Store, StoreError,
    StoreStats, Watch,
};
use batch::Batch;
use disk::Disk;
use failure::{Failure, Work};
use folder::Folder;
use open::{MIGRATIONS, Migration};
use shared::Shared;
use writer::{Job, Task, Writer};

pub use open::OpenError;
pub use restore::{RestoreError, RestoreOptions, restore, restored_event};

/// Pieces of a backup that are read ahead of the one who takes them.
const BACKUP_PIECES: usize = 4;

/// How an [`EmbeddedStore`] is opened.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedOptions<'a> {
    /// The data folder, made where it is not there. One server at a time uses it.
    pub folder: &'a Path,
    /// The id of a store that is made now; random.
    pub new_id: StoreId,
    /// How long events are kept.
    pub retention: Retention,
    /// How many commits are kept for watches, at most: fewer where they are large.
    pub commits: usize,
}

/// A store in a file.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    halt: Arc<KeptHalt>,
    jobs: Option<Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
}

impl<'a> EmbeddedOptions<'a> {
    /// The usual options.
    #[must_use]
    pub fn new(folder: &'a Path, new_id: StoreId) -> Self {
        Self { folder, new_id, retention: Retention::default(), commits: 1024 }
    }
}

impl EmbeddedStore {
    /// Opens the store of a folder, and makes an empty one where there is none. It blocks: the whole file is read, and
    /// what a crash left undone is undone.
    ///
    /// # Errors
    /// When the folder cannot be used, another server uses it, the file is damaged or foreign, or a newer version wrote
    /// it: with what to do. Nothing is changed then.
    pub fn open(options: EmbeddedOptions<'_>) -> Result<Self, OpenError> {
        Self::open_with(options, MIGRATIONS)
    }

    /// Whether a folder holds a store, of whatever state, or one that is restored when it is opened.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        [folder::FILE, folder::STAGED].iter().any(|name| folder.join(name).exists())
    }

    fn open_with(options: EmbeddedOptions<'_>, migrations: &[Migration]) -> Result<Self, OpenError> {
        let unusable = |why| OpenError::Folder { path: options.folder.to_owned(), why };
        let folder = Folder::take(options.folder)?;
        let disk = Arc::new(Disk::default());
        let (database, numbers) = open::open(&folder, options.new_id, migrations, &disk)?;
        // After it: a restored store may bring a halt with it.
        let halt = Arc::new(KeptHalt::new(Some(HaltFile::open(options.folder).map_err(unusable)?)));
        let commits = Arc::new(Commits::new(numbers.position, options.commits));
        let shared = Arc::new(Shared::new(folder, database, disk, commits));
        let writer = Writer::new(Arc::clone(&shared), numbers, options.retention);
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new().name("daybreak-store".to_owned());
        let writer = thread.spawn(move || writer.run(&waiting)).map_err(unusable)?;
        Ok(Self { shared, halt, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Has the writing thread do something; it is its turn from now on, whether or not the future is polled.
    fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Batch<'_>) -> Work<Result<T, StoreError>> + Send + 'static,
    ) -> BoxFuture<'_, T> {
        let (task, answer) = Task::new(act);
        // Whatever is not taken is dropped, and its answer with it.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Box::new(task)));
        Box::pin(async move {
            let gone = |_| Err(StoreError::Unavailable("its thread has ended; restart the server".to_owned()));
            answer.await.unwrap_or_else(gone)
        })
    }

    /// Reads, away from the runtime: the disk may be slow.
    fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&ReadTransaction) -> Work<T> + Send + 'static,
    ) -> BoxFuture<'_, T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || shared.read(act)).await;
            read.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
        })
    }
}

/// Everything that was asked for is done, and the folder given back.
impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.writer.take().map(JoinHandle::join);
        self.shared.close();
    }
}

impl Store for EmbeddedStore {
    fn load(&self) -> BoxFuture<'_, Contents> {
        self.read(read::contents)
    }

    fn commit_all(&self, expected: Expected, changes: Vec<Change>) -> BoxFuture<'_, Position> {
        self.write(move |batch| batch.commit_all(expected, changes))
    }

    fn watch(&self, after: u64) -> BoxFuture<'_, Watch> {
        Box::pin(std::future::ready(self.shared.commits.watch(after)))
    }

    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, ()> {
        self.write(move |batch| batch.append(events.into_iter(), None).map(Ok))
    }

    fn events(&self, filter: EventFilter, limit: usize) -> BoxFuture<'_, EventPage> {
        self.read(move |transaction| events::page(transaction, &filter, limit))
    }

    fn put_reports(&self, buckets: Vec<ReportBucket>, keep_from: Timestamp) -> BoxFuture<'_, ()> {
        self.write(move |batch| batch.put_reports(&buckets, keep_from).map(Ok))
    }

    fn reports(&self, series: String, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Vec<ReportBucket>> {
        self.read(move |transaction| read::reports(transaction, &series, from, until))
    }

    fn lead(&self, request: LeadershipRequest) -> BoxFuture<'_, Leadership> {
        let shared = Arc::clone(&self.shared);
        // It takes its turn, so that who leads knows that the store works.
        self.write(move |batch| {
            batch.look()?;
            Ok(Ok(shared.leaders.lock().lead(request)))
        })
    }

    fn resign(&self, name: String, holder: String) -> BoxFuture<'_, ()> {
        self.shared.leaders.lock().resign(&name, &holder);
        Box::pin(std::future::ready(Ok(())))
    }

    fn take(&self, limit: usize, now: Timestamp, hold: Millis) -> BoxFuture<'_, Vec<Delivery>> {
        self.write(move |batch| batch.take(limit, now, hold).map(Ok))
    }

    fn acknowledge(&self, ids: Vec<u64>) -> BoxFuture<'_, ()> {
        self.write(move |batch| batch.acknowledge(&ids).map(Ok))
    }

    fn put_notes(&self, notes: BTreeMap<String, Option<Value>>) -> BoxFuture<'_, ()> {
        self.write(move |batch| batch.put_notes(&notes).map(Ok))
    }

    fn notes(&self, prefix: String) -> BoxFuture<'_, BTreeMap<String, Value>> {
        self.read(move |transaction| read::notes(transaction, &prefix))
    }

    fn backup(&self) -> BoxFuture<'_, Backup> {
        let (shared, halt) = (Arc::clone(&self.shared), self.halt.now());
        let (pieces, written) = tokio::sync::mpsc::channel(BACKUP_PIECES);
        tokio::task::spawn_blocking(move || {
            let hand_on =
                |piece| pieces.blocking_send(Ok(piece)).map_err(|_| Failure::Closed("it is given up".to_owned()));
            if let Err(error) = shared.read(|transaction| backup::write(transaction, halt, hand_on)) {
                // Whoever reads it may be gone.
                let _ = pieces.blocking_send(Err(error));
            }
        });
        let backup = stream::unfold(written, |mut written| async move { Some((written.recv().await?, written)) });
        Box::pin(std::future::ready(Ok(backup.boxed())))
    }

    fn restore(&self, mut backup: BackupReader, restoration: Restoration) -> BoxFuture<'_, Restored> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let stage = move || shared.stage(&mut backup, &restoration);
            let staged = tokio::task::spawn_blocking(stage).await;
            staged.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
        })
    }

    fn stats(&self) -> StoreStats {
        self.shared.stats()
    }

    fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    fn halt(&self) -> BoxFuture<'_, Option<Halt>> {
        Box::pin(std::future::ready(Ok(self.halt.now())))
    }

    fn put_halt(&self, halt: Halt) -> BoxFuture<'_, ()> {
        self.halt.put(halt)
    }

    fn clear_halt(&self) -> BoxFuture<'_, ()> {
        self.halt.clear()
    }
}
