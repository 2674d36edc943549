//! Documents on disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::bail;
use daybreak_control::{FilesError, read_documents};
use daybreak_document::Source;
use daybreak_model::Resources;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Reads folders, searched through, and files.
///
/// # Errors
/// When one cannot be read, or a folder holds no document.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Source>, FilesError> {
    let mut sources: Vec<Source> = Vec::new();
    // A file that is given twice, or lies in a folder that is given too, is one.
    let mut known = HashSet::new();
    for path in paths {
        let found = read_documents(path)?;
        sources.extend(found.into_iter().filter(|source| {
            let file = Path::new(&source.name);
            known.insert(file.canonicalize().unwrap_or_else(|_| file.to_owned()))
        }));
    }
    Ok(sources)
}

/// Today, in UTC as on a server.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Reads the documents of a folder as a whole.
///
/// # Errors
/// When it cannot be read, or has faults: with all of them, rendered.
pub(crate) fn decode(folder: &Path) -> anyhow::Result<Resources> {
    let sources = read_all(&[folder.to_owned()])?;
    let decoded = daybreak_document::decode(&sources);
    if decoded.has_errors() {
        let faults = daybreak_document::render(&decoded.diagnostics, &sources, false);
        bail!("{} has faults\n{faults}", folder.display());
    }
    Ok(decoded.resources)
}

/// What was perhaps meant, or what there is.
pub(crate) fn hint<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|key| strsim::osa_distance(key, wanted));
    match known.first() {
        None => "; there are none at all".to_owned(),
        Some(near) if strsim::osa_distance(near, wanted) <= (wanted.len() / 3).max(1) => {
            format!("; did you mean `{near}`?")
        }
        Some(_) => format!("; there are {}", known.join(", ")),
    }
}
