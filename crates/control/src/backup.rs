//! Backups of everything, and bringing one back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daybreak_guard::run::Event;
use daybreak_model::wire::StoreId;
use daybreak_store::{Backup, BackupReader, Kept, Restoration, Restored, restored_event};
use futures_util::{StreamExt, stream};
use rand::RngExt;

use crate::{Actor, Control, Refusal};

/// Events that may come while a backup is read.
const EVENTS_MEANWHILE: u64 = 1_000_000;
/// How long a piece of a backup waits to be taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// What the names of all that the store keeps of tokens begin with: a restore leaves them as they are.
pub const TOKEN_ENTRIES: &str = "token";

impl Control {
    /// A backup of everything at this moment. Changes go on meanwhile. It holds the hashes of tokens. It is given up where
    /// nobody takes a piece of it for a minute.
    ///
    /// # Errors
    /// [`Refusal::BackupUnderWay`] while another is taken: the store keeps for each what changes meanwhile. When the store
    /// fails.
    pub async fn backup(&self) -> Result<Backup, Refusal> {
        let turn = Arc::clone(&self.inner.backups).try_acquire_owned().map_err(|_| Refusal::BackupUnderWay)?;
        let mut backup = self.inner.store.backup().await?;
        let (pieces, taken) = tokio::sync::mpsc::channel(1);
        self.inner.runtime.spawn(async move {
            while let Some(piece) = backup.next().await {
                if !matches!(tokio::time::timeout(TAKEN_WITHIN, pieces.send(piece)).await, Ok(Ok(()))) {
                    break;
                }
            }
            // Before the end is seen: who has it may take another.
            drop((backup, turn));
            drop(pieces);
        });
        let next = |mut taken: tokio::sync::mpsc::Receiver<_>| async move { Some((taken.recv().await?, taken)) };
        Ok(stream::unfold(taken, next).boxed())
    }

    /// Reads a backup to its end, and has it take the place of everything at the next start, which is asked for then:
    /// whoever serves waits for [`restart_asked`](Self::restart_asked). From then on every run has ended, and nothing is
    /// changed any more.
    ///
    /// # Errors
    /// When it is no backup or not whole, or the store fails: then everything goes on as before.
    pub async fn restore(&self, backup: BackupReader, actor: Actor) -> Result<Restored, Refusal> {
        // To the end, whoever goes away meanwhile: what is staged must not wait for a start that nobody asked for.
        let control = self.clone();
        self.to_the_end(async move { control.restore_now(backup, actor).await }).await
    }

    async fn restore_now(&self, backup: BackupReader, actor: Actor) -> Result<Restored, Refusal> {
        let id = StoreId::new(self.inner.entropy.lock().random());
        let event = restored_event(actor.name.clone(), actor.reason.clone(), self.inner.clock.now());
        let restoration = Restoration {
            id,
            event,
            // Followers and webhooks go by these numbers.
            events_from: self.last_event().await? + 1 + EVENTS_MEANWHILE,
            keep: self.tokens_to_keep().await?,
        };
        let restored = self.inner.store.restore(backup, restoration).await?;
        self.inner.shutting_down.store(true, Ordering::Relaxed);
        let stop = || Event::Stop { actor: actor.name.clone(), reason: Some("a backup is restored".to_owned()) };
        self.inner.runs.lock().stop_starting(|_| true);
        self.end_where(|_| Some(stop()));
        // It waits for the change that is under way, so that none is acknowledged after.
        if let Err(why) = self.record_soon().await {
            tracing::warn!(why, "the ends of runs are not recorded in the store that is replaced");
        }
        tracing::warn!(actor = actor.name, from = %restored.from, to = %restored.position, "a backup is restored");
        self.inner.restart.send_replace(true);
        Ok(restored)
    }

    /// The tokens of this server stay where it has any: whoever gets in now does so after, what was revoked stays revoked,
    /// and nothing opens it again.
    async fn tokens_to_keep(&self) -> Result<Option<Kept>, Refusal> {
        let mut entries = self.inner.store.load().await?.meta;
        entries.retain(|name, _| name.starts_with(TOKEN_ENTRIES));
        Ok((!entries.is_empty()).then_some(Kept { prefix: TOKEN_ENTRIES, entries }))
    }

    /// Ready once the server is to start anew, because a backup takes the place of everything.
    pub async fn restart_asked(&self) {
        // The sender is here, so it is not gone.
        let _ = self.inner.restart.subscribe().wait_for(|asked| *asked).await;
    }

    /// Whether the server is to start anew once it has ended.
    #[must_use]
    pub fn is_to_restart(&self) -> bool {
        *self.inner.restart.borrow()
    }
}
