//! Bringing a backup back: a whole new file is built beside, and takes the place of the other in one step.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daybreak_model::EventKind;
use daybreak_model::wire::StoreId;
use jiff::Timestamp;
use redb::WriteTransaction;
use serde_json::Value;

use super::events::EventTables;
use super::failure::{Failure, Work};
use super::folder::Folder;
use super::tables::{META, NOTES, Numbers, OUTBOX, REPORTS, RESOURCES, RUNS, encode, nanoseconds};
use super::{OpenError, open};
use crate::backup::{self, Line};
use crate::{Event, Halt, HaltFile, RecordedEvent, Restoration, Restored};

/// How a backup is brought back.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions<'a> {
    /// The data folder.
    pub folder: &'a Path,
    /// The id that the store gets, random: what clients knew of the other says nothing of this one.
    pub new_id: StoreId,
    /// Whether a store that is there already is replaced. It is kept beside.
    pub force: bool,
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
    let event = restored_event(None, None, options.now);
    let restoration = Restoration { id: options.new_id, event, events_from: 0, keep: None };
    let mut restored = stage(backup, &folder, &restoration)?;
    restored.kept = put_in_place(&folder).map_err(|error| RestoreError::Backup(error.to_string()))?;
    Ok(restored)
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
        let (filled, halt) = fill(backup, transaction, restoration)?;
        // First, so that nothing runs that was halted.
        if let Some(halt) = &halt {
            HaltFile::open(folder.path())?.write(halt)?;
        }
        restored = Some(filled);
        Ok(())
    });
    let staged = built.and_then(|()| {
        fs::rename(&building, folder.staged())?;
        folder.sync()?;
        restored.ok_or_else(|| Failure::Unreadable("it holds nothing".to_owned()))
    });
    staged.map_err(|failure| {
        let _ = fs::remove_file(&building);
        // It may be there already, where only the folder could not be synced: nobody is to open it later.
        let _ = fs::remove_file(folder.staged());
        RestoreError::Backup(failure.to_string())
    })
}

/// Puts a staged file in the place of the store, which is kept beside; where that is.
pub(super) fn put_in_place(folder: &Folder) -> std::io::Result<Option<PathBuf>> {
    let kept = folder.file().exists().then(|| folder.beside("replaced"));
    if let Some(kept) = &kept {
        // A second name, so that at no time there is no store.
        fs::hard_link(folder.file(), kept).or_else(|_| fs::copy(folder.file(), kept).map(drop))?;
    }
    fs::rename(folder.staged(), folder.file())?;
    folder.sync()?;
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
        Line::Resource { kind, key, stored } => {
            let at = (kind.section(), key.as_str());
            transaction.open_table(RESOURCES)?.insert(at, encode(stored)?.as_slice())?;
        }
        Line::Run { id, stored } => {
            transaction.open_table(RUNS)?.insert(id.to_string().as_str(), encode(stored)?.as_slice())?;
        }
        Line::Meta { name, stored } => {
            transaction.open_table(META)?.insert(name.as_str(), encode(stored)?.as_slice())?;
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
