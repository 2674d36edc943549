//! A folder of documents: read, merged into what is served, and watched.

pub(crate) mod base;
mod origin;
mod read;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use daybreak_document::{self as document, Diagnostic, Draft, Source};
use daybreak_model::EventKind;
use daybreak_model::wire::Position;
use daybreak_store::Event;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::change::Proposal;
use crate::{Actor, Changed, Control, Frozen, Refusal};

use origin::Places;
use read::Seen;

pub use origin::{Drift, Maker, Origin};
pub use read::{FilesError, read_documents};
pub use watch::FilesWatch;

/// Who changes things in the log when it is the files.
const ACTOR: &str = "files";
/// Diagnostics of a refused edit that the log keeps.
const DIAGNOSTICS_RECORDED_MAX: usize = 20;

/// How often an edit that waits for a freeze to end is tried.
const FROZEN_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// Names that a line of the log has, at most.
const NAMES_TOLD: usize = 20;

/// What became of the files' last edits.
#[derive(Clone, Debug, Serialize)]
pub struct FilesStatus {
    /// The folder.
    pub folder: PathBuf,
    /// The last edit that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_applied: Option<AppliedFiles>,
    /// The edit after it that was refused, as long as it stands: what is served is what was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refused: Option<RefusedFiles>,
    /// Where each resource is written that was applied last.
    #[serde(skip)]
    places: Arc<Places>,
    /// What was read last, whatever became of it.
    #[serde(skip)]
    seen: Option<Seen>,
}

/// An edit that was taken.
#[derive(Clone, Debug, Serialize)]
pub struct AppliedFiles {
    /// When.
    pub at: Timestamp,
    /// Where the server stood after it.
    pub position: Position,
    /// How many files there were.
    pub files: usize,
}

/// An edit that was refused.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedFiles {
    /// When.
    pub at: Timestamp,
    /// Why, in a sentence.
    pub summary: String,
    /// Everything that is wrong, where it is, and what to write instead.
    pub diagnostics: Vec<Diagnostic>,
    /// Where the files are sound by themselves, but do not go with what was served at this position: they are
    /// tried again at another.
    #[serde(skip)]
    tried_at: Option<Position>,
    /// When they are tried again wherever the server stands: they wait for a freeze to end.
    #[serde(skip)]
    retry_at: Option<Timestamp>,
}

/// Why a folder of documents cannot be served from the start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// It was refused.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// What was read: the text that diagnostics point into.
        sources: Vec<Source>,
    },
}

impl Control {
    /// Serves the documents of a folder: reads them, and applies them as one revision.
    ///
    /// # Errors
    /// When the folder cannot be read, is empty, or any of it is not valid: with everything that is wrong.
    pub async fn load_files(&self, folder: &Path) -> Result<Changed, LoadError> {
        self.begin_files(folder);
        let sources = read::read(folder.to_owned()).await?;
        match self.apply_files(&sources).await {
            Ok(changed) => {
                self.note_applied(sources.len(), changed.position);
                self.note_seen(read::seen_in(&sources));
                Ok(changed)
            }
            Err(refusal) => Err(LoadError::Refused { refusal, sources }),
        }
    }

    /// From now on the documents of a folder are served; none of them was read yet.
    fn begin_files(&self, folder: &Path) {
        *self.inner.files.lock() = Some(FilesStatus {
            folder: folder.to_owned(),
            last_applied: None,
            last_refused: None,
            places: Arc::default(),
            seen: None,
        });
    }

    /// What became of the files' last edits; none where no files are served.
    #[must_use]
    pub fn files_status(&self) -> Option<FilesStatus> {
        self.inner.files.lock().clone()
    }

    /// Takes over what was read anew. What is broken is refused whole, logged, and kept in the status.
    async fn take_over(&self, read: Result<Vec<Source>, FilesError>) {
        let tried_at = self.position();
        self.note_seen(read::seen_of(&read));
        let refused = |summary, diagnostics, tried_at| RefusedFiles {
            at: self.inner.clock.now(),
            summary,
            diagnostics,
            tried_at,
            retry_at: None,
        };
        let refused = match read {
            Err(error) => refused(error.to_string(), Vec::new(), None),
            Ok(sources) => {
                let files = sources.len();
                match self.apply_files(&sources).await {
                    Ok(changed) => {
                        tracing::info!(files, position = %changed.position, changed = changed.changed, "files applied");
                        return self.note_applied(files, changed.position);
                    }
                    Err(Refusal::Invalid(diagnostics)) => {
                        let sound = !document::decode(&sources).has_errors();
                        refused(summary(&diagnostics), diagnostics, sound.then_some(tried_at))
                    }
                    Err(Refusal::Frozen(frozen)) => self.held_back(frozen, tried_at),
                    // At the next start they are read anew.
                    Err(Refusal::ShuttingDown) => return,
                    Err(other) => {
                        // A store that failed is asked again at the next look.
                        let again = matches!(other, Refusal::Referenced(_)).then_some(tried_at);
                        self.note_again(again.is_none());
                        refused(other.to_string(), Vec::new(), again)
                    }
                }
            }
        };
        let last = |files: &FilesStatus| files.last_refused.as_ref().map(|last| last.summary.clone());
        let is_said = self.inner.files.lock().as_ref().and_then(last).is_some_and(|last| last == refused.summary);
        // What only waits is tried often, and said once.
        match refused.retry_at {
            None => log_refused(&refused.summary, &refused.diagnostics),
            Some(_) if !is_said => tracing::warn!("what was served before is served on: {}", refused.summary),
            Some(_) => {}
        }
        self.note_refused_edit(refused);
    }

    /// Keeps a refused edit in the status; and in the log, unless the edit before was refused for the same.
    fn note_refused_edit(&self, refused: RefusedFiles) {
        let same = |last: &RefusedFiles| last.summary == refused.summary && last.diagnostics == refused.diagnostics;
        let mut files = self.inner.files.lock();
        let Some(files) = files.as_mut() else { return };
        if !files.last_refused.as_ref().is_some_and(same) {
            let shown: Vec<_> = refused.diagnostics.iter().take(DIAGNOSTICS_RECORDED_MAX).collect();
            self.note_soon(Event {
                at: refused.at,
                kind: EventKind::FilesRefused.into(),
                subject: Some(ACTOR.to_owned()),
                actor: Some(ACTOR.to_owned()),
                reason: None,
                data: json!({"summary": refused.summary, "found": refused.diagnostics.len(), "diagnostics": shown}),
            });
        }
        files.last_refused = Some(refused);
    }

    /// An edit that waits until changes are frozen no longer.
    fn held_back(&self, frozen: Frozen, tried_at: Position) -> RefusedFiles {
        let at = self.inner.clock.now();
        let soon = at.checked_add(FROZEN_LOOK).unwrap_or(Timestamp::MAX);
        let retry_at = Some(frozen.clears_at.map_or(soon, |clears_at| soon.min(clears_at)));
        let summary = format!("the edit is held back: {}", Refusal::Frozen(frozen));
        RefusedFiles { at, summary, diagnostics: Vec::new(), tried_at: Some(tried_at), retry_at }
    }

    /// Takes what the files say now as an edit of theirs, for somebody who asks for it: merged as always, so that
    /// nothing else of what operators changed is undone. An admin may override a freeze that holds it back.
    ///
    /// # Errors
    /// When no files are served, they cannot be read, or the edit is refused.
    pub async fn take_files(&self, actor: Actor) -> Result<Changed, LoadError> {
        let folder = self.inner.files.lock().as_ref().map(|files| files.folder.clone());
        let folder = folder.ok_or(LoadError::Files(FilesError::NotServed))?;
        let sources = read::read(folder).await?;
        match self.apply_files_as(&sources, actor).await {
            Ok(changed) => {
                self.note_applied(sources.len(), changed.position);
                self.note_seen(read::seen_in(&sources));
                Ok(changed)
            }
            Err(refusal) => Err(LoadError::Refused { refusal, sources }),
        }
    }

    async fn apply_files(&self, sources: &[Source]) -> Result<Changed, Refusal> {
        self.apply_files_as(sources, Actor::named(ACTOR)).await
    }

    /// Merges what the files say with what was changed here since they were applied last.
    async fn apply_files_as(&self, sources: &[Source], actor: Actor) -> Result<Changed, Refusal> {
        // What was read is several times as large as what is made of it, and not kept for longer than that.
        let (file, places, warnings) = {
            let draft = Draft::of_documents(sources.to_vec());
            let (file, warnings) = draft.alone(Some(self.today())).into_result().map_err(Refusal::Invalid)?;
            (Arc::new(file), draft.places(), warnings)
        };
        let propose = move |state: &crate::State| {
            let merged = document::merge(state.files_base(), &file, state.resources()).map_err(Refusal::Invalid)?;
            let (resources, overridden, warnings) = (merged.resources, merged.notes, warnings.clone());
            let files_base = Some(Arc::clone(&file));
            Ok(Proposal { resources, touched: None, warnings, overridden, dry_run: false, removes: true, files_base })
        };
        let changed = self.change(actor, propose).await?;
        for warning in &changed.warnings {
            tracing::warn!(code = warning.code, "{}: {}", place(warning), warning.message);
        }
        let gone = changed.differences.iter().filter(|difference| difference.change == document::Change::Removed);
        let gone: Vec<_> = gone.map(|difference| format!("{}/{}", difference.kind.path(), difference.key)).collect();
        if !gone.is_empty() {
            let position = changed.position;
            tracing::warn!(%position, "removed, since the files have them no more: {}; `revert` brings back", some(&gone));
        }
        let state = self.state();
        if let Some(files) = self.inner.files.lock().as_mut() {
            files.places = Arc::new(origin::relative(places, &files.folder, &state));
        }
        Ok(changed)
    }

    fn note_applied(&self, files: usize, position: Position) {
        let at = self.inner.clock.now();
        if let Some(status) = self.inner.files.lock().as_mut() {
            status.last_applied = Some(AppliedFiles { at, position, files });
            status.last_refused = None;
        }
    }

    fn note_seen(&self, seen: Seen) {
        if let Some(status) = self.inner.files.lock().as_mut() {
            status.seen = Some(seen);
        }
    }

    fn note_again(&self, again: bool) {
        if let Some(status) = self.inner.files.lock().as_mut().filter(|_| again) {
            status.seen = None;
        }
    }

    /// Whether this is not what was read last, or is to be tried again.
    fn is_news(&self, seen: &Seen) -> bool {
        let (position, now) = (self.position(), self.inner.clock.now());
        self.inner.files.lock().as_ref().is_some_and(|status| {
            let tried_at = status.last_refused.as_ref().and_then(|refused| refused.tried_at);
            let retry_at = status.last_refused.as_ref().and_then(|refused| refused.retry_at);
            status.seen.as_ref() != Some(seen)
                || tried_at.is_some_and(|at| at != position)
                || retry_at.is_some_and(|at| now >= at)
        })
    }
}

/// The first of some names, and how many there are besides.
fn some(names: &[String]) -> String {
    let told = names.iter().take(NAMES_TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_TOLD) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let first = diagnostics.iter().find(|one| one.severity == document::Severity::Error);
    first.map_or_else(String::new, |one| format!("{}: {}", place(one), one.message))
}

/// Where it stands in the files; where they are not at fault by themselves, in which resource.
fn place(one: &Diagnostic) -> String {
    match one.line {
        0 => one.path.clone(),
        line => format!("{}:{line}:{}", one.source, one.column),
    }
}

fn log_refused(summary: &str, diagnostics: &[Diagnostic]) {
    tracing::error!("the files' edit is refused, what was served before is served on: {summary}");
    for one in diagnostics {
        let help = one.help.as_deref().unwrap_or_default();
        tracing::error!(code = one.code, help, "{}: {}", place(one), one.message);
    }
}
