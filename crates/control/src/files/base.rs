//! What the files said when they were applied last: the base of the next three-way merge.
//!
//! The store keeps it, in the same commit as the change that the files made: so after a restart the merge goes on from
//! there. Each resource has an entry of its own, so that a small edit writes little.

use std::collections::BTreeMap;

use daybreak_model::{Key, Kind, Resources};
use daybreak_store::{Document, Stored};

use crate::control::{OpenError, PROTECT, read_document, read_resource};
use crate::resources::{changed, stored, subject};

/// What the names of its entries begin with.
const PREFIX: &str = "files/";

/// The name of a resource's entry.
pub(crate) fn name(kind: Kind, key: &Key) -> String {
    format!("{PREFIX}{}", subject(kind, key.as_str()))
}

/// Adds what a store's entries have of the base; nothing where no files were ever applied.
pub(crate) fn load(base: &mut Resources, entries: BTreeMap<String, Stored>) -> Result<(), OpenError> {
    for (name, Stored { document, .. }) in entries {
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        let what = format!("`{name}` as the files had it");
        match parse(name) {
            Some((kind, key)) => read_resource(base, kind, key, &what, &document)?,
            None if name == PROTECT => base.protect = read_document(&what, &document)?,
            None => return Err(OpenError::Unreadable { what, why: "it is no resource".to_owned() }),
        }
    }
    Ok(())
}

/// What leads a store from one base to another.
pub(crate) fn to_store(
    before: &Resources,
    after: &Resources,
) -> Result<BTreeMap<String, Option<Document>>, serde_json::Error> {
    let mut entries = BTreeMap::new();
    for (kind, key) in changed(before, after) {
        entries.insert(name(kind, &key), stored(after, kind, &key)?);
    }
    if before.protect != after.protect {
        entries.insert(format!("{PREFIX}{PROTECT}"), Some(Document::of(&after.protect)?));
    }
    Ok(entries)
}

/// The resource that an entry is named for: `flags/layout`.
fn parse(name: &str) -> Option<(Kind, Key)> {
    let (path, key) = name.split_once('/')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.path() == path)?;
    Some((kind, Key::new(key).ok()?))
}
