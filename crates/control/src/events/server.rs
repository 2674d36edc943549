//! The server's own start and stop.

use daybreak_model::EventKind;
use daybreak_store::{Event, EventFilter};
use serde_json::{Value, json};

use crate::runs::RECORD_WAIT;
use crate::{Control, Refusal};

impl Control {
    /// Has it recorded that the server has started in this version, and whether the one before was not stopped, but killed or
    /// struck by a failure.
    pub async fn note_started(&self, version: &str) {
        let mut data = json!({ "version": version });
        match self.was_killed().await {
            Ok(true) => data["previous"] = json!("killed"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "how the server before ended cannot be read"),
        }
        self.note_soon(self.of_server(EventKind::ServerStarted, data));
    }

    /// Records that the server stops, after everything that is still to be recorded. It waits for the store, but not for long.
    pub async fn note_stopped(&self) {
        self.note_soon(self.of_server(EventKind::ServerStopped, Value::Null));
        if tokio::time::timeout(RECORD_WAIT, self.noted()).await.is_err() {
            tracing::error!("that the server stops is not recorded: the store has not answered for {RECORD_WAIT:?}");
        }
    }

    fn of_server(&self, kind: EventKind, data: Value) -> Event {
        Event {
            at: self.inner.clock.now(),
            kind: kind.into(),
            subject: Some("server".to_owned()),
            actor: None,
            reason: None,
            data,
        }
    }

    /// Whether the last server that started on this store did not stop by itself. After a restore nothing is known of that.
    async fn was_killed(&self) -> Result<bool, Refusal> {
        let of = |kind: &str| EventFilter { kind: Some(kind.to_owned()), ..EventFilter::default() };
        let (server, restored) = (self.events(of("server"), 1).await?, self.events(of("store"), 1).await?);
        let restored = restored.events.first().map_or(0, |event| event.id);
        let last = server.events.first().filter(|event| event.id > restored);
        Ok(last.is_some_and(|last| last.event.kind == EventKind::ServerStarted.to_string()))
    }
}
