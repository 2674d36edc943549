//! Webhooks: others are told of what happens, so that it shows where people look.

mod backoff;
mod config;
mod deliver;
mod send;
mod sign;
mod status;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::EventKind;
use daybreak_store::{Event, RecordedEvent};
use rand::RngExt;
use serde::Serialize;
use serde_json::json;
use tokio::task::AbortHandle;

use crate::{Actor, Control, Refusal};
pub use config::Template;
use config::{OfProcess, Webhook};
use deliver::Delivery;
use send::{client, send};
pub use status::{GivenUp, WebhookStatus};

/// How often the file, and what it names, is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// All webhooks.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    told: BTreeMap<String, Told>,
    /// Why the file's last edit was refused.
    refused: Option<String>,
}

/// A webhook that is told.
#[derive(Debug)]
struct Told {
    hook: Arc<Webhook>,
    status: WebhookStatus,
    task: AbortHandle,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookTest {
    /// Whether it arrived.
    pub delivered: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Why webhooks cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhooks in {}: {why}", path.display())]
pub struct WebhooksError {
    path: PathBuf,
    why: String,
}

impl Webhooks {
    /// What deserves a look.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let refused = self.refused.iter().map(|why| format!("the webhooks' last edit was refused: {why}"));
        let failing = self.told.iter().filter_map(|(name, told)| told.status.warning(name));
        refused.chain(failing).collect()
    }

    fn status_mut(&mut self, name: &str) -> Option<&mut WebhookStatus> {
        self.told.get_mut(name).map(|told| &mut told.status)
    }
}

/// Looks whether a file of webhooks can be used, with the secrets that this process has.
///
/// # Errors
/// When it cannot be read, or is not valid.
pub fn check_webhooks(path: &Path) -> Result<(), WebhooksError> {
    let error = |why: String| WebhooksError { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|failed| error(failed.to_string()))?;
    config::read(&text, &OfProcess).map(drop).map_err(error)
}

impl Control {
    /// Tells the webhooks of a file of what happens, now and as it changes, or what it names. Edits that are broken are
    /// refused, and those before are told on.
    ///
    /// # Errors
    /// When the file cannot be read, or is broken from the start.
    pub async fn watch_webhooks(&self, path: &Path) -> Result<AbortHandle, WebhooksError> {
        self.take_webhooks(path).await?;
        let (control, path) = (self.clone(), path.to_owned());
        let watch = async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let refused = control.take_webhooks(&path).await.err().map(|error| error.why);
                let before = std::mem::replace(&mut control.inner.webhooks.lock().refused, refused.clone());
                if let Some(why) = refused.filter(|why| before.as_ref() != Some(why)) {
                    tracing::error!("the webhooks' edit is refused, those before are told on: {why}");
                }
            }
        };
        Ok(tokio::spawn(watch).abort_handle())
    }

    /// Reads the file, and the files that it names.
    async fn take_webhooks(&self, path: &Path) -> Result<(), WebhooksError> {
        let error = |why: String| WebhooksError { path: path.to_owned(), why };
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let text = std::fs::read_to_string(file).map_err(|failed| failed.to_string())?;
            config::read(&text, &OfProcess)
        });
        let hooks = read.await.map_err(|failed| error(failed.to_string()))?.map_err(error)?;
        self.set_webhooks(hooks).map_err(error)
    }

    /// From now on these are told, and no others. One that is as it was is told on.
    fn set_webhooks(&self, hooks: Vec<Webhook>) -> Result<(), String> {
        let mut webhooks = self.inner.webhooks.lock();
        webhooks.told.retain(|name, _| {
            let stays = hooks.iter().any(|hook| hook.name == *name);
            if !stays {
                tracing::info!(webhook = name, "the webhook is told no more");
            }
            stays
        });
        let is_new = |hook: &Webhook| webhooks.told.get(&hook.name).is_none_or(|told| *told.hook != *hook);
        let new: Vec<_> = hooks.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let client = client()?;
        for hook in new {
            tracing::info!(webhook = hook.name, "the webhook is told, as it is now");
            let (name, status, hook) = (hook.name.clone(), WebhookStatus::new(&hook), Arc::new(hook));
            let delivery = Delivery { control: self.clone(), client: client.clone(), hook: Arc::clone(&hook) };
            let task = tokio::spawn(delivery.run()).abort_handle();
            webhooks.told.insert(name, Told { hook, status, task });
        }
        Ok(())
    }

    /// What became of the webhooks, by name.
    #[must_use]
    pub fn webhooks(&self) -> BTreeMap<String, WebhookStatus> {
        self.inner.webhooks.lock().told.iter().map(|(name, told)| (name.clone(), told.status.clone())).collect()
    }

    /// Tells a webhook of an event that is a test, once.
    ///
    /// # Errors
    /// When there is no such webhook, or no client can be made.
    pub async fn test_webhook(&self, name: &str, actor: Actor) -> Result<WebhookTest, Refusal> {
        let hook = self.inner.webhooks.lock().told.get(name).map(|told| Arc::clone(&told.hook));
        let no_such = || Refusal::NotFound { noun: "webhook", key: name.to_owned(), nearest: None };
        let hook = hook.ok_or_else(no_such)?;
        let event = Event {
            at: self.inner.clock.now(),
            kind: EventKind::WebhookTested.into(),
            subject: Some(format!("webhooks/{name}")),
            actor: actor.name,
            reason: actor.reason,
            data: json!({}),
        };
        let recorded = RecordedEvent { id: self.last_event().await?, revision: None, event };
        // No event's: a receiver that knows it must not take the event for known.
        let id = format!("test-{:032x}", self.inner.entropy.lock().random::<u128>());
        let sent = send(self, &client().map_err(Refusal::Store)?, &hook, &recorded, &id).await;
        Ok(WebhookTest { delivered: sent.is_ok(), why: sent.err().map(|failed| failed.why) })
    }
}
