//! Where a resource comes from, and how what is served differs from its file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use daybreak_document::{Change, Difference, FieldChange, diff};
use daybreak_model::{Key, Kind, Resources};
use serde::Serialize;
use serde_json::Value;

use crate::control::not_found;
use crate::resources::{changed, differences};
use crate::{Control, Refusal, State};

/// Where each resource of the files is written: the file, relative to the folder, and the line.
pub(crate) type Places = BTreeMap<(Kind, Key), (Arc<str>, usize)>;

/// Where a resource comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// The files have it: removing it there removes it here.
    Files,
    /// It was made through the API, and no file has it.
    Api,
}

/// Where a resource comes from, and how what is served differs from its file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// What kind of resource.
    pub kind: Kind,
    /// Which one.
    pub key: Key,
    /// Where it comes from.
    pub origin: Maker,
    /// The file that has it, relative to the folder; none where the files could not be read since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of its key in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Whether it is served; not where the files have it, and an operator removed it.
    pub served: bool,
    /// Whether what is served is not what the files say.
    pub differs: bool,
    /// The fields that differ.
    pub differences: Vec<Drift>,
}

/// A field that is not as its file says, in document form; what is absent has its default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// The field: `enabled`, `rules.eu-pro.percentage`.
    pub field: String,
    /// What the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Value>,
    /// What is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<Value>,
}

impl Control {
    /// Where a resource comes from, and how it differs from its file. It may be one that an operator removed.
    ///
    /// # Errors
    /// When neither the server nor the files have it.
    pub fn origin(&self, kind: Kind, key: &str) -> Result<Origin, Refusal> {
        let state = self.state();
        let (base, current) = (state.files_base(), state.resources());
        let known = Key::new(key).ok().filter(|_| current.contains(kind, key) || base.contains(kind, key));
        let key = known.ok_or_else(|| not_found(current, kind, key))?;
        let found = differences(base, current, &[(kind, key.clone())]);
        let change = found.into_iter().find(|found| found.kind == kind && found.key == key).map(|found| found.change);
        Ok(self.located(base, kind, key, change))
    }

    /// Where every resource comes from, in the order of documents; with those that the files have and an operator removed.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let state = self.state();
        let (base, current) = (state.files_base(), state.resources());
        let known = |found: Difference| ((found.kind, found.key), found.change);
        let mut found: BTreeMap<(Kind, Key), Change> = diff(base, current).into_iter().map(known).collect();
        let mut keys: Vec<(Kind, Key)> = changed(&Resources::default(), base);
        keys.extend(changed(&Resources::default(), current));
        keys.sort_unstable();
        keys.dedup();
        let origin = |(kind, key): (Kind, Key)| {
            let change = found.remove(&(kind, key.clone()));
            self.located(base, kind, key, change)
        };
        keys.into_iter().map(origin).collect()
    }

    fn located(&self, base: &Resources, kind: Kind, key: Key, change: Option<Change>) -> Origin {
        let origin = if base.contains(kind, key.as_str()) { Maker::Files } else { Maker::Api };
        let files = self.inner.files.lock();
        let place = files.as_ref().filter(|_| origin == Maker::Files);
        let (file, line) = place
            .and_then(|files| files.places.get(&(kind, key.clone())))
            .map(|(file, line)| (file.to_string(), *line))
            .unzip();
        let served = change != Some(Change::Removed);
        let differences: Vec<Drift> = match change {
            Some(Change::Changed(fields)) => fields.into_iter().map(drift).collect(),
            _ => Vec::new(),
        };
        let differs = !served || !differences.is_empty();
        Origin { kind, key, origin, file, line, served, differs, differences }
    }
}

fn drift(FieldChange { field, before, after }: FieldChange) -> Drift {
    Drift { field, file: before, served: after }
}

/// The places with their files relative to the folder. Each file's name is kept once, and keys are those of what is
/// served, where it is.
pub(super) fn relative(places: BTreeMap<(Kind, Key), (String, usize)>, folder: &Path, state: &State) -> Places {
    let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let relative = |file: String| {
        let path = Path::new(&file);
        let inside = path.strip_prefix(folder).ok().filter(|inside| !inside.as_os_str().is_empty());
        let inside = inside.or_else(|| path.file_name().map(Path::new));
        inside.map_or_else(|| file.as_str().into(), |inside| inside.display().to_string().into())
    };
    let place = |(resource, (file, line)): (_, (String, usize))| {
        let name = names.entry(file).or_insert_with_key(|file| relative(file.clone()));
        (state.shared_key(resource), (Arc::clone(name), line))
    };
    places.into_iter().map(place).collect()
}
