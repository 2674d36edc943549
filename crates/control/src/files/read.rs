//! Reading a folder of documents.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use daybreak_document::Source;
use daybreak_model::limits::DOCUMENT_BYTES_MAX;
use xxhash_rust::xxh3::Xxh3;

/// Folders within folders; deeper ones are an error, so that a link in a circle is found out.
const DEPTH_MAX: usize = 16;

/// Why a folder of documents cannot be read. Nothing is removed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// It is not there, or may not be read, or is no text.
    #[error("`{path}` cannot be read: {why}")]
    Read {
        /// The file or folder.
        path: String,
        /// What the system said.
        why: String,
    },
    /// There is no folder.
    #[error("no folder of documents is served; start the server with `--flags DIR`")]
    NotServed,
    /// It has no document.
    #[error("`{0}` holds no document; put a .yaml, .yml or .json file there")]
    Empty(String),
    /// A file holds nothing: it is just being written, or nobody knows what it is to mean.
    #[error("`{0}` holds nothing; write `flags: {{}}` to have it serve none, or remove the file")]
    EmptyFile(String),
    /// A file is too large.
    #[error("`{path}` has {bytes} bytes; a document may have up to {DOCUMENT_BYTES_MAX}")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// Folders are nested too deeply.
    #[error("`{0}` is more than {DEPTH_MAX} folders deep")]
    TooDeep(String),
}

/// What a reading of a folder brought, to be told from another: a hash of all documents, as their texts need not be
/// kept for that.
pub(super) type Seen = Result<u128, FilesError>;

/// As [`read_documents`], away from the runtime.
pub(super) async fn read(folder: PathBuf) -> Result<Vec<Source>, FilesError> {
    away(folder, read_documents).await
}

/// The same, but only to be told from another reading: one document is held at a time.
pub(super) async fn look(folder: PathBuf) -> Seen {
    let look = |folder: &Path| {
        let mut seen = Xxh3::new();
        paths(folder)?.iter().try_for_each(|path| source(path).map(|source| see(&mut seen, &source)))?;
        Ok(seen.digest128())
    };
    away(folder, look).await
}

/// What reading these documents brought.
pub(super) fn seen_in(sources: &[Source]) -> Seen {
    let mut seen = Xxh3::new();
    sources.iter().for_each(|source| see(&mut seen, source));
    Ok(seen.digest128())
}

/// What a reading brought.
pub(super) fn seen_of(read: &Result<Vec<Source>, FilesError>) -> Seen {
    read.as_deref().map_err(FilesError::clone).and_then(seen_in)
}

fn see(seen: &mut Xxh3, source: &Source) {
    for text in [&source.name, &source.text] {
        // So that nothing moves from one text to the next unseen.
        seen.update(&text.len().to_le_bytes());
        seen.update(text.as_bytes());
    }
}

async fn away<T: Send + 'static>(
    folder: PathBuf,
    read: impl FnOnce(&Path) -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    let shown = folder.display().to_string();
    let read = tokio::task::spawn_blocking(move || read(&folder)).await;
    read.unwrap_or_else(|error| Err(FilesError::Read { path: shown, why: error.to_string() }))
}

/// Reads all documents of a folder and of those in it, in the order of their names. Files and folders whose name
/// begins with a dot are left out: editors and Kubernetes keep theirs there. Links are followed. A path that is
/// a file is that one document.
///
/// # Errors
/// When anything cannot be read, is too large, or there is no document at all.
pub fn read_documents(folder: &Path) -> Result<Vec<Source>, FilesError> {
    paths(folder)?.iter().map(|path| source(path)).collect()
}

/// The documents of a folder, or the one that it is.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let mut paths = Vec::new();
    if fs::metadata(folder).map_err(|error| unreadable(folder, &error))?.is_file() {
        paths.push(folder.to_owned());
    } else {
        find(folder, 0, &mut paths)?;
    }
    if paths.is_empty() {
        return Err(FilesError::Empty(folder.display().to_string()));
    }
    Ok(paths)
}

fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), FilesError> {
    if depth > DEPTH_MAX {
        return Err(FilesError::TooDeep(folder.display().to_string()));
    }
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|error| unreadable(folder, &error))?;
    paths.sort();
    for path in paths.into_iter().filter(|path| !is_hidden(path)) {
        let document = is_document(&path);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => find(&path, depth + 1, found)?,
            Ok(metadata) if document && metadata.is_file() => found.push(path),
            Err(error) if document => return Err(unreadable(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

fn source(path: &Path) -> Result<Source, FilesError> {
    let bytes = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if bytes > DOCUMENT_BYTES_MAX as u64 {
        return Err(FilesError::TooLarge { path: path.display().to_string(), bytes });
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let source = Source::from_bytes(path.display().to_string(), bytes);
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---";
    if source.text.lines().all(is_blank) { Err(FilesError::EmptyFile(source.name)) } else { Ok(source) }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| matches!(extension.as_str(), "yaml" | "yml" | "json"))
}

fn unreadable(path: &Path, error: &io::Error) -> FilesError {
    FilesError::Read { path: path.display().to_string(), why: error.to_string() }
}
