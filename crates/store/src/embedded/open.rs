//! Opening a store's file, with every reason not to.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daybreak_model::wire::StoreId;
use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableError, WriteTransaction};

use super::disk::{Disk, DiskFile};
use super::failure::{Failure, Work};
use super::folder::Folder;
use super::restore;
use super::tables::{self, NUMBERS, Numbers, SCHEMA_NAME};
use crate::private::{self, make_private};

/// Memory that the database may use to keep pages. What is served is kept elsewhere, so it need not be much.
const CACHE_BYTES: usize = 8 << 20;

/// The same while a whole file is built, as from a backup: there everything is written in one transaction.
const BUILDING_CACHE_BYTES: usize = 256 << 20;

/// Brings the tables from one schema to the next.
pub(super) type Migration = fn(&WriteTransaction) -> Work<()>;

/// The first brings schema 1 to 2, and so on.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// Why a store cannot be opened. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made, read or written to.
    #[error(
        "the data folder {} cannot be used: {why}; it must be a folder that this user may read and write, \
         `--data DIR` names another",
        path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Another server has it.
    #[error(
        "another server{} is using the data folder {}; stop that one first, or give this one a folder of its own \
         with `--data DIR`",
        of_process(process),
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The number of its process; empty where it is not known.
        process: String,
    },
    /// The file is damaged, or is something else.
    #[error(
        "the store {} cannot be read: {why}; nothing was changed. Move the file away, then bring a backup back with \
         `daybreak restore BACKUP --data {}`; without a backup the server starts afresh, from what `--flags` has",
        file.display(),
        file.parent().unwrap_or(file).display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version wrote it.
    #[error(
        "the store {} was written by a newer daybreak: its schema is {schema}, and this version knows schemas up to \
         {known}; nothing was changed. Run the newer version, or restore a backup that this version made",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        schema: u64,
        /// The latest schema that this version knows.
        known: u64,
    },
    /// It could not be brought to this version's schema.
    #[error(
        "the store {} could not be brought from schema {from} to the next: {why}; it is as it was, and a copy of it \
         is {}",
        file.display(),
        copy.display()
    )]
    Migration {
        /// The file.
        file: PathBuf,
        /// Its schema.
        from: u64,
        /// The copy that was made before.
        copy: PathBuf,
        /// What went wrong.
        why: String,
    },
}

fn of_process(process: &str) -> String {
    if process.is_empty() { String::new() } else { format!(" (process {process})") }
}

/// Opens the store of a folder; makes an empty one where there is none.
pub(super) fn open(
    folder: &Folder,
    id: StoreId,
    migrations: &[Migration],
    disk: &Arc<Disk>,
) -> Result<(Database, Numbers), OpenError> {
    let file = folder.file();
    if folder.staged().exists() {
        let kept = restore::put_in_place(folder).map_err(|why| OpenError::Folder { path: folder.staged(), why })?;
        let kept = kept.as_deref().map(|kept| kept.display().to_string());
        tracing::info!(kept, "a restored backup took the store's place");
    }
    match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(folder, id, disk)?,
        Err(why) => return Err(OpenError::Folder { path: file, why }),
        Ok(metadata) if !metadata.is_file() => {
            return Err(OpenError::Unreadable { file, why: "it is no file".to_owned() });
        }
        Ok(metadata) if metadata.len() == 0 => {
            return Err(OpenError::Unreadable { file, why: "it is empty".to_owned() });
        }
        Ok(_) => {}
    }
    let known = 1 + migrations.len() as u64;
    let mut database = database(&file, disk, Look::Thorough).map_err(|error| refused(&file, error))?;
    let schema = schema(&database).map_err(|failure| unreadable(&file, &failure))?;
    if schema > known {
        return Err(OpenError::Newer { file, schema, known });
    }
    if schema < known {
        drop(database);
        database = migrate(folder, schema, migrations, disk)?;
    }
    let numbers = numbers(&database).map_err(|failure| unreadable(&file, &failure))?;
    Ok((database, numbers))
}

/// Makes an empty store: beside, then renamed, so that there is never half a store.
fn create(folder: &Folder, id: StoreId, disk: &Arc<Disk>) -> Result<(), OpenError> {
    let made = || -> Work<()> {
        let new = folder.path().join("store.redb.new");
        build(&new, disk, |transaction| Numbers::new(id).write(transaction))?;
        fs::rename(&new, folder.file())?;
        folder.sync()?;
        Ok(())
    };
    made().map_err(|failure| OpenError::Folder { path: folder.path().to_owned(), why: io::Error::other(failure) })
}

/// Builds a store's file from nothing: whatever stands there goes.
pub(super) fn build(path: &Path, disk: &Arc<Disk>, fill: impl FnOnce(&WriteTransaction) -> Work<()>) -> Work<()> {
    private::writing().create(true).truncate(true).open(path)?;
    make_private(path)?;
    let database = database(path, disk, Look::Building)?;
    let transaction = database.begin_write()?;
    tables::make(&transaction)?;
    fill(&transaction)?;
    transaction.commit()?;
    database.close()?;
    Ok(())
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// All of it is read, and what was altered is found.
    Thorough,
    /// What a crash left is looked for.
    Quick,
    /// It is empty, and everything will be written at once.
    Building,
}

/// Opens a file as a database.
pub(super) fn database(file: &Path, disk: &Arc<Disk>, look: Look) -> Result<Database, DatabaseError> {
    let disk = Arc::clone(disk);
    let open = move || {
        let file = OpenOptions::new().read(true).write(true).open(file)?;
        Database::builder()
            .set_cache_size(if look == Look::Building { BUILDING_CACHE_BYTES } else { CACHE_BYTES })
            .set_check_integrity_on_open(look == Look::Thorough)
            .create_with_backend(DiskFile::new(file, disk)?)
    };
    // What is damaged in some ways is met with a panic; it says no more than that.
    catch_unwind(AssertUnwindSafe(open))
        .unwrap_or_else(|_| Err(StorageError::Corrupted("the database cannot make sense of it".to_owned()).into()))
}

fn migrate(folder: &Folder, from: u64, migrations: &[Migration], disk: &Arc<Disk>) -> Result<Database, OpenError> {
    let (file, copy) = (folder.file(), folder.beside(&format!("schema-{from}")));
    let failed = |failure: Failure| OpenError::Migration {
        file: file.clone(),
        from,
        copy: copy.clone(),
        why: failure.to_string(),
    };
    let migrated = || -> Work<Database> {
        fs::copy(&file, &copy)?;
        File::open(&copy)?.sync_all()?;
        folder.sync()?;
        let database = database(&file, disk, Look::Quick)?;
        let transaction = database.begin_write()?;
        let done = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        for migration in migrations.iter().skip(done) {
            migration(&transaction)?;
        }
        transaction.open_table(NUMBERS)?.insert(SCHEMA_NAME, 1 + migrations.len() as u64)?;
        transaction.commit()?;
        Ok(database)
    };
    let database = migrated().map_err(failed)?;
    tracing::info!(from, to = 1 + migrations.len(), copy = %copy.display(), "the store is brought to a newer schema");
    Ok(database)
}

/// Reads the store of a folder, where this version can, in a copy: opening would write to it.
pub(super) fn look<T>(folder: &Folder, look: impl FnOnce(&Database) -> Work<T>) -> Result<T, OpenError> {
    let (file, copy) = (folder.file(), folder.path().join("store.redb.look"));
    let looked = || {
        fs::copy(&file, &copy).map_err(|why| OpenError::Folder { path: file.clone(), why })?;
        let opened = database(&copy, &Arc::default(), Look::Thorough).map_err(|error| refused(&file, error))?;
        match schema(&opened).map_err(|failure| unreadable(&file, &failure))? {
            tables::SCHEMA => look(&opened).map_err(|failure| unreadable(&file, &failure)),
            schema => Err(OpenError::Newer { file: file.clone(), schema, known: tables::SCHEMA }),
        }
    };
    let looked = looked();
    let _ = fs::remove_file(&copy);
    looked
}

fn schema(database: &Database) -> Work<u64> {
    let transaction = database.begin_read()?;
    let numbers = match transaction.open_table(NUMBERS) {
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => {
            return Err(Failure::Unreadable("it is a database, but not Daybreak's".to_owned()));
        }
        other => other?,
    };
    let schema = numbers.get(SCHEMA_NAME)?.map(|schema| schema.value());
    schema.filter(|schema| *schema > 0).ok_or_else(|| Failure::Unreadable("it lacks its schema's number".to_owned()))
}

/// Where a store stands, by its file.
pub(super) fn numbers(database: &Database) -> Work<Numbers> {
    Numbers::read(&database.begin_read()?.open_table(NUMBERS)?)
}

fn unreadable(file: &Path, failure: &Failure) -> OpenError {
    OpenError::Unreadable { file: file.to_owned(), why: failure.to_string() }
}

fn refused(file: &Path, error: DatabaseError) -> OpenError {
    let why = match error {
        DatabaseError::DatabaseAlreadyOpen => {
            let path = file.parent().unwrap_or(file).to_owned();
            return OpenError::InUse { path, process: String::new() };
        }
        DatabaseError::Storage(StorageError::Io(source)) => match source.kind() {
            // What the database says of a file that is not its own, or not whole.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                format!("it is damaged, or no store: {source}")
            }
            _ => return OpenError::Folder { path: file.to_owned(), why: source },
        },
        other => format!("it is damaged, or no store: {other}"),
    };
    OpenError::Unreadable { file: file.to_owned(), why }
}
