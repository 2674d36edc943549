//! Documents on disk.

use std::path::{Path, PathBuf};

use anyhow::bail;
use daybreak_control::read_documents;
use daybreak_document::Source;
use daybreak_model::Resources;

/// Reads folders, searched through, and files.
///
/// # Errors
/// When one cannot be read, or a folder holds no document.
pub(crate) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(read_documents(path)?);
    }
    Ok(sources)
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
        Some(near) if strsim::osa_distance(near, wanted) * 2 <= wanted.len() => format!("; did you mean `{near}`?"),
        Some(_) => format!("; there are {}", known.join(", ")),
    }
}
