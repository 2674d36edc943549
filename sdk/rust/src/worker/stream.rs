//! Following the stream.

use std::sync::Arc;
use std::time::Duration;

use daybreak_model::Millis;
use daybreak_model::limits::STREAM_SILENT_AFTER;
use daybreak_model::wire::{ClientState, Message};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::backoff::Backoff;
use crate::core::Core;

/// How soon a client says that it has what somebody waits for it to have.
const ACK_WITHIN: Duration = Duration::from_millis(50);

/// How a stream ended.
pub(super) enum End {
    /// The server asks to connect again, within this time.
    Goodbye(Millis),
    /// Anything else.
    Lost(String),
}

/// What an event asks for.
enum Next {
    Go,
    Kept,
    End(End),
}

const SILENT_AFTER: Duration = STREAM_SILENT_AFTER.to_duration();

/// Connects and follows the stream until it ends; calls `changed` when the documents did.
pub(super) async fn follow(
    core: &Arc<Core>,
    http: &reqwest::Client,
    backoff: &mut Backoff,
    mut changed: impl FnMut(),
) -> End {
    let mut request = http.get(format!("{}/api/v1/stream", core.settings.url)).header("accept", "text/event-stream");
    if let (Some(position), _) = core.stand() {
        request = request.header("last-event-id", position.to_string());
    }
    // A proxy that swallows the stream lets the head through at best; whoever says nothing is as good as gone.
    let response = match timeout(SILENT_AFTER, request.send()).await {
        Ok(Ok(response)) if response.status().is_success() => response,
        Ok(Ok(response)) => return End::Lost(format!("the server answers {}", response.status())),
        Ok(Err(error)) => return End::Lost(chain(&error)),
        Err(_) => return End::Lost("the server does not answer".to_owned()),
    };
    let mut events = std::pin::pin!(response.bytes_stream().eventsource());
    loop {
        let event = match timeout(SILENT_AFTER, events.next()).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) => return End::Lost(error.to_string()),
            Ok(None) => return End::Lost("the server closed it".to_owned()),
            Err(_) => return End::Lost("it fell silent".to_owned()),
        };
        match Message::read(&event.event, &event.data).map(|message| message.map(|message| take(core, message))) {
            Ok(Some(Next::Go)) | Ok(None) => {}
            Ok(Some(Next::Kept)) => changed(),
            Ok(Some(Next::End(end))) => return end,
            Err(error) => return End::Lost(format!("an event `{}` cannot be read: {error}", event.event)),
        }
        core.heard(ClientState::Streaming);
        backoff.reset();
    }
}

fn take(core: &Core, message: Message) -> Next {
    match message {
        Message::Snapshot(snapshot) => match core.update(false, |documents| documents.replace(&snapshot)) {
            Ok(()) => Next::Kept,
            Err(refused) => {
                tracing::error!("{refused}");
                Next::End(End::Lost(refused.to_string()))
            }
        },
        Message::Change(change) => {
            let infallible =
                core.update(false, |documents| Ok::<_, std::convert::Infallible>(documents.change(&change)));
            let Ok(()) = infallible;
            if change.ack {
                core.faults.want_report(ACK_WITHIN);
            }
            Next::Kept
        }
        Message::Runs(news) => {
            core.faults.runs_changed(&news);
            if let Some(position) = news.position {
                core.reach(position);
            }
            Next::Go
        }
        Message::Heartbeat => Next::Go,
        Message::Goodbye(goodbye) => Next::End(End::Goodbye(goodbye.jitter)),
    }
}

/// An error with what caused it: reqwest's own text leaves that out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
