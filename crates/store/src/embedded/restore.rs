//! Bringing a backup back: a whole new file is built beside, and takes the place of the other in one step.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daybreak_model::EventKind;
use daybreak_model::wire::StoreId;
use jiff::Timestamp;
use redb::{ReadableDatabase, WriteTransaction};
use serde_json::Value;

use super::events::EventTables;
use super::failure::{Failure, Work};
use super::folder::Folder;
use super::tables::{META, NOTES, Numbers, OUTBOX, REPORTS, RESOURCES, RUNS, encode, nanoseconds, stored};
use super::{OpenError, open, read};
use crate::backup::{self, Line};
use crate::{Event, Halt, HaltFile, Kept, RecordedEvent, Restoration, Restored, Stored};

/// What stores that were replaced are named for.
const REPLACED: &str = "replaced";
/// How many of them are kept.
const REPLACED_KEPT: usize = 3;

/// How a backup is brought back.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions<'a> {
    /// The data folder.
    pub folder: &'a Path,
    /// The id that the store gets, random: what clients knew of the other says nothing of this one.
    pub new_id: StoreId,
    /// Whether a store that is there already is replaced. It is kept beside, and so are the two before it.
    pub force: bool,
    /// What the names of those entries begin with that stay as they are there, where there are any and they can be read.
    pub keep: &'static str,
    /// When this happens.
    pub now: Timestamp,
}

/// Why a backup was not brought back. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The folder cannot be used, or a server uses it.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// There is a store already.
    #[error("{} is a store already, and was not changed; `--force` replaces it, and keeps it beside", .0.display())]
    Occupied(PathBuf),
    /// It is no backup, or not whole.
    #[error("the backup cannot be restored, and nothing was changed: {0}")]
    Backup(String),
}

/// Brings a backup back into the folder of a server that is stopped. A halt that is there stays.
///
/// # Errors
/// When a server uses the folder, it holds a store and is not to be replaced, or the backup is not whole.
pub fn restore(backup: &mut dyn BufRead, options: RestoreOptions<'_>) -> Result<Restored, RestoreError> {
    let folder = Folder::take(options.folder)?;
    if folder.file().exists() && !options.force {
        return Err(RestoreError::Occupied(folder.file()));
    }
    let (present, lost) = match folder.file().exists().then(|| present(&folder, options.keep)) {
        None => (None, None),
        Some(Ok(present)) => (Some(present), None),
        Some(Err(OpenError::Folder { path, why })) => return Err(OpenError::Folder { path, why }.into()),
        Some(Err(why)) => (None, Some(why.to_string())),
    };
    let (events_from, entries) = present.unwrap_or_default();
    let restoration = Restoration {
        id: options.new_id,
        event: restored_event(None, None, options.now),
        events_from,
        keep: (!entries.is_empty()).then_some(Kept { prefix: options.keep, entries }),
    };
    let mut restored = stage(backup, &folder, &restoration)?;
    restored.kept = put_in_place(&folder).map_err(|error| {
        unstage(&folder);
        RestoreError::Backup(error.to_string())
    })?;
    restored.lost = lost;
    Ok(restored)
}

/// What the store that is there has of its own: the number of its next event, and the entries that are to stay.
fn present(folder: &Folder, keep: &str) -> Result<(u64, BTreeMap<String, Stored>), OpenError> {
    open::look(folder, |database| {
        let mut entries = read::contents(&database.begin_read()?)?.meta;
        entries.retain(|name, _| name.starts_with(keep));
        Ok((open::numbers(database)?.next_event, entries))
    })
}

/// What the log says of it.
#[must_use]
pub fn restored_event(actor: Option<String>, reason: Option<String>, now: Timestamp) -> Event {
    Event { at: now, kind: EventKind::StoreRestored.into(), subject: None, actor, reason, data: Value::Null }
}

/// Builds what a backup holds as a whole file, which the next who opens the folder puts in its place.
pub(super) fn stage(
    backup: &mut dyn BufRead,
    folder: &Folder,
    restoration: &Restoration,
) -> Result<Restored, RestoreError> {
    let building = folder.path().join("store.redb.building");
    let mut restored = None;
    let built = open::build(&building, &Arc::default(), |transaction| {
        restored = Some(fill(backup, transaction, restoration)?);
        Ok(())
    });
    let staged = built.and_then(|()| {
        let (restored, halt) = restored.ok_or_else(|| Failure::Unreadable("it holds nothing".to_owned()))?;
        // First, so that nothing runs that was halted.
        HaltFile::open(folder.path())?.stage(halt.as_ref())?;
        fs::rename(&building, folder.staged())?;
        folder.sync()?;
        Ok(restored)
    });
    staged.map_err(|failure| {
        let _ = fs::remove_file(&building);
        unstage(folder);
        RestoreError::Backup(failure.to_string())
    })
}

/// Forgets what was staged, of which nobody was told: nobody is to open it later. It may be there already where only the
/// folder could not be synced.
fn unstage(folder: &Folder) {
    let _ = fs::remove_file(folder.staged());
    let _ = HaltFile::open(folder.path()).and_then(|halt| halt.unstage());
}

/// Puts a staged file in the place of the store, which is kept beside; where that is.
pub(super) fn put_in_place(folder: &Folder) -> std::io::Result<Option<PathBuf>> {
    let kept = folder.file().exists().then(|| folder.beside(REPLACED));
    if let Some(kept) = &kept {
        // A second name, so that at no time there is no store.
        fs::hard_link(folder.file(), kept).or_else(|_| fs::copy(folder.file(), kept).map(drop))?;
    }
    let halt = HaltFile::open(folder.path())?;
    halt.put_staged_in_place(|| fs::rename(folder.staged(), folder.file()))?;
    folder.sync()?;
    folder.keep_last(REPLACED, REPLACED_KEPT);
    Ok(kept)
}

fn fill(
    backup: &mut dyn BufRead,
    transaction: &WriteTransaction,
    restoration: &Restoration,
) -> Work<(Restored, Option<Halt>)> {
    let kept = |name: &str| restoration.keep.as_ref().is_some_and(|keep| name.starts_with(keep.prefix));
    let mut halt = None;
    let mut events = EventTables::open(transaction)?;
    let each = |line: &Line| {
        let put = match line {
            Line::Event(event) => events.put(event),
            Line::Halt(known) => {
                halt = Some(known.clone());
                Ok(())
            }
            Line::Meta { name, .. } if kept(name) => Ok(()),
            line => put(transaction, line),
        };
        put.map_err(|failure| failure.to_string())
    };
    let (restored, head) = backup::count(backup, restoration.id, each).map_err(Failure::Unreadable)?;
    let first = head.next_event.max(restoration.events_from);
    events.put(&RecordedEvent { id: first, revision: None, event: restoration.event.clone() })?;
    for (name, stored) in restoration.keep.iter().flat_map(|keep| &keep.entries) {
        transaction.open_table(META)?.insert(name.as_str(), encode(stored)?.as_slice())?;
    }
    let numbers = Numbers {
        position: restored.position,
        next_event: first + 1,
        next_message: head.next_message,
        transactions: 0,
    };
    numbers.write(transaction)?;
    Ok((restored, halt))
}

fn put(transaction: &WriteTransaction, line: &Line) -> Work<()> {
    match line {
        Line::Resource { kind, key, revision, document } => {
            let at = (kind.section(), key.as_str());
            transaction.open_table(RESOURCES)?.insert(at, stored(*revision, document)?.as_slice())?;
        }
        Line::Run { id, revision, document } => {
            let json = stored(*revision, document)?;
            transaction.open_table(RUNS)?.insert(id.to_string().as_str(), json.as_slice())?;
        }
        Line::Meta { name, revision, document } => {
            transaction.open_table(META)?.insert(name.as_str(), stored(*revision, document)?.as_slice())?;
        }
        Line::Note { name, note } => {
            transaction.open_table(NOTES)?.insert(name.as_str(), encode(note)?.as_slice())?;
        }
        Line::Report(bucket) => {
            let at = (bucket.series.as_str(), nanoseconds(bucket.start));
            transaction.open_table(REPORTS)?.insert(at, encode(bucket)?.as_slice())?;
        }
        Line::Message(delivery) => {
            transaction.open_table(OUTBOX)?.insert(delivery.id, encode(delivery)?.as_slice())?;
        }
        // Taken elsewhere.
        Line::Event(_) | Line::Halt(_) | Line::DaybreakBackup(_) | Line::End(_) => {}
    }
    Ok(())
}
