//! Documents on disk.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use daybreak_document::Source;
use daybreak_model::Resources;

/// The extensions of documents.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads folders, searched through, and files.
///
/// # Errors
/// When one cannot be read, or a folder holds no document.
pub(crate) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let found = sources.len();
        collect(path, true, &mut sources)?;
        if sources.len() == found {
            bail!("{} holds no document; documents end in .yaml, .yml or .json", path.display());
        }
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

fn collect(path: &Path, named: bool, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    let unreadable = || format!("{} cannot be read", path.display());
    if path.is_dir() {
        let mut entries =
            path.read_dir().with_context(unreadable)?.collect::<Result<Vec<_>, _>>().with_context(unreadable)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let shown = entries.iter().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        return shown.map(std::fs::DirEntry::path).try_for_each(|path| collect(&path, false, sources));
    }
    let document = path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
    if named || document {
        let text = std::fs::read_to_string(path).with_context(unreadable)?;
        sources.push(Source::new(path.display().to_string(), text));
    }
    Ok(())
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
