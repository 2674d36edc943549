//! Webhooks: others are told of what happens, so that it shows where people look.

mod backoff;
mod config;
mod deliver;
mod sign;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daybreak_store::{Event, RecordedEvent};
use jiff::Timestamp;
use rand::RngExt;
use serde::Serialize;
use serde_json::json;
use tokio::task::AbortHandle;

use crate::{Actor, Control, Refusal};
pub use config::Template;
use config::{OfProcess, Webhook};
use deliver::{Delivery, client, send};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Failures in a row from which on a webhook deserves a look.
const FAILURES_WARN: u32 = 3;

/// What became of a webhook since the server started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookStatus {
    /// What it is sent.
    pub template: Template,
    /// Where it goes to; the rest of its URL may be a secret.
    pub host: String,
    /// Events that have arrived.
    pub delivered: u64,
    /// Events that were given up.
    pub given_up: u64,
    /// When the last one arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When one last did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Failures in a row, of the event whose turn it is.
    pub failures: u32,
    /// The receiver answered that it wants no more (410): nothing is sent until the file changes.
    pub gone: bool,
}

/// All webhooks.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    hooks: BTreeMap<String, Arc<Webhook>>,
    status: BTreeMap<String, WebhookStatus>,
    /// Why the file's last edit was refused.
    refused: Option<String>,
    tasks: Vec<AbortHandle>,
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

impl WebhookStatus {
    fn new(hook: &Webhook) -> Self {
        Self {
            template: hook.template,
            host: hook.host(),
            delivered: 0,
            given_up: 0,
            last_success: None,
            last_failure: None,
            last_error: None,
            failures: 0,
            gone: false,
        }
    }

    fn arrived(&mut self, now: Timestamp) {
        self.delivered += 1;
        self.failures = 0;
        self.last_success = Some(now);
    }

    fn failed(&mut self, now: Timestamp, failures: u32, why: &str) {
        self.failures = failures;
        (self.last_failure, self.last_error) = (Some(now), Some(why.to_owned()));
    }

    fn gave_up(&mut self, gone: bool) {
        self.given_up += 1;
        self.failures = 0;
        self.gone = gone;
    }
}

impl Webhooks {
    /// What deserves a look.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let refused = self.refused.iter().map(|why| format!("the webhooks' last edit was refused: {why}"));
        let failing = self.status.iter().filter(|(_, status)| status.failures >= FAILURES_WARN || status.gone);
        let failing = failing.map(|(name, status)| {
            let why = status.last_error.as_deref().unwrap_or("no more is known");
            format!("the webhook `{name}` does not get through: {why}")
        });
        refused.chain(failing).collect()
    }

    fn stop(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
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
    /// Tells the webhooks of a file of what happens, now and as the file changes. Its edits that are broken are refused, and
    /// those before are told on.
    ///
    /// # Errors
    /// When the file cannot be read, or is broken from the start.
    pub async fn watch_webhooks(&self, path: &Path) -> Result<AbortHandle, WebhooksError> {
        let text = self.take_webhooks(path, None).await?;
        let (control, path) = (self.clone(), path.to_owned());
        let watch = async move {
            let mut last = text;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let taken = control.take_webhooks(&path, last.as_deref()).await;
                let refused = match taken {
                    Ok(None) => None,
                    Ok(text) => {
                        tracing::info!("new webhooks are told");
                        last = text;
                        None
                    }
                    Err(error) => Some(error.why),
                };
                let before = std::mem::replace(&mut control.inner.webhooks.lock().refused, refused.clone());
                if let Some(why) = refused.filter(|why| before.as_ref() != Some(why)) {
                    tracing::error!("the webhooks' edit is refused, those before are told on: {why}");
                }
            }
        };
        Ok(tokio::spawn(watch).abort_handle())
    }

    /// Reads the file, unless it is what it was; its text.
    async fn take_webhooks(&self, path: &Path, last: Option<&str>) -> Result<Option<String>, WebhooksError> {
        let error = |why: String| WebhooksError { path: path.to_owned(), why };
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
        let text = read.map_err(|failed| error(failed.to_string()))?.map_err(|failed| error(failed.to_string()))?;
        if last == Some(text.as_str()) {
            return Ok(None);
        }
        self.set_webhooks(config::read(&text, &OfProcess).map_err(error)?).map_err(error)?;
        Ok(Some(text))
    }

    /// From now on these are told, and no others.
    fn set_webhooks(&self, hooks: Vec<Webhook>) -> Result<(), String> {
        let client = client()?;
        let mut webhooks = self.inner.webhooks.lock();
        webhooks.stop();
        webhooks.hooks = hooks.into_iter().map(|hook| (hook.name.clone(), Arc::new(hook))).collect();
        webhooks.status = webhooks.hooks.iter().map(|(name, hook)| (name.clone(), WebhookStatus::new(hook))).collect();
        let deliver = |hook: &Arc<Webhook>| {
            let delivery = Delivery { control: self.clone(), client: client.clone(), hook: Arc::clone(hook) };
            tokio::spawn(delivery.run()).abort_handle()
        };
        webhooks.tasks = webhooks.hooks.values().map(deliver).collect();
        Ok(())
    }

    /// What became of the webhooks, by name.
    #[must_use]
    pub fn webhooks(&self) -> BTreeMap<String, WebhookStatus> {
        self.inner.webhooks.lock().status.clone()
    }

    /// Tells a webhook of an event that is a test, once.
    ///
    /// # Errors
    /// When there is no such webhook, or no client can be made.
    pub async fn test_webhook(&self, name: &str, actor: Actor) -> Result<WebhookTest, Refusal> {
        let hook = self.inner.webhooks.lock().hooks.get(name).cloned();
        let no_such = || Refusal::NotFound { noun: "webhook", key: name.to_owned(), nearest: None };
        let hook = hook.ok_or_else(no_such)?;
        let event = Event {
            at: self.inner.clock.now(),
            kind: "webhook.tested".to_owned(),
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
