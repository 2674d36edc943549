//! Watching a folder: notifications where the system has them, and a slow look as the net.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::LoadError;
use super::read::{look, read, seen_of};
use crate::{Control, memory};

/// How often the folder is read, whether or not the system notified.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the folder must stay as it is before an edit is taken: editors and Git write in several steps.
const SETTLE: Duration = Duration::from_millis(200);
/// Looks after which an edit is taken even if it never settles.
const LOOKS_MAX: usize = 25;

/// Watches a folder until it is dropped.
#[derive(Debug)]
pub struct FilesWatch {
    task: AbortHandle,
}

impl Drop for FilesWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Control {
    /// Serves the documents of a folder, now and whenever they change. An edit that is broken, and a folder
    /// that is missing or empty, is refused whole: what was served before is served on.
    ///
    /// # Errors
    /// When the folder cannot be served from the start (see [`Self::load_files`]), and there is nothing else: where the
    /// store has seen changes, what it holds is served, and the folder's state is a refused edit.
    pub async fn watch_files(&self, folder: PathBuf) -> Result<FilesWatch, LoadError> {
        self.start_files(&folder).await?;
        let task = tokio::spawn(watch(self.clone(), folder)).abort_handle();
        Ok(FilesWatch { task })
    }

    /// Serves the documents of a folder as they are now.
    pub(crate) async fn start_files(&self, folder: &Path) -> Result<(), LoadError> {
        if self.position().revision == 0 {
            self.load_files(folder).await?;
        } else {
            self.begin_files(folder);
            self.take_over(read(folder.to_owned()).await).await;
        }
        memory::give_back().await;
        Ok(())
    }

    /// Looks at the folder once, and takes over what is new, once it has settled.
    pub(crate) async fn look(&self, folder: &Path) {
        let mut seen = look(folder.to_owned()).await;
        if !self.is_news(&seen) {
            return;
        }
        let mut last = None;
        for _ in 0..LOOKS_MAX {
            tokio::time::sleep(SETTLE).await;
            let again = read(folder.to_owned()).await;
            let before = std::mem::replace(&mut seen, seen_of(&again));
            last = Some(again);
            if seen == before {
                break;
            }
        }
        if let Some(read) = last.filter(|_| self.is_news(&seen)) {
            self.take_over(read).await;
            memory::give_back().await;
        }
    }
}

async fn watch(control: Control, folder: PathBuf) {
    let touched = Arc::new(Notify::new());
    // Kept as long as the task lives; without it the slow look still finds every edit.
    let _watcher = notifications(&folder, Arc::clone(&touched));
    loop {
        let _ = tokio::time::timeout(LOOK_EVERY, touched.notified()).await;
        control.look(&folder).await;
    }
}

fn notifications(folder: &Path, touched: Arc<Notify>) -> Option<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        // Reading is an event too; answering it with reading would never end.
        if event.map_or(true, |event| !event.kind.is_access()) {
            touched.notify_one();
        }
    };
    let watcher = notify::recommended_watcher(on_event).and_then(|mut watcher: RecommendedWatcher| {
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    match watcher {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the system does not notify of edits; the folder is read every {LOOK_EVERY:?}");
            None
        }
    }
}
