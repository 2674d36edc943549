//! Polling, where no stream gets through.

use daybreak_model::wire::{Position, Snapshot};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, IF_NONE_MATCH};

use super::http::{body, chain, refused};
use super::pace::Pace;
use super::unpack::ACCEPTED;
use crate::core::Core;

/// Asks for a snapshot, once; whether one was taken. It never brings runs: those are granted by lease alone.
pub(super) async fn once(core: &Core, http: &reqwest::Client, pace: Pace) -> Result<bool, String> {
    let (asked_at, _) = core.stand();
    let mut request = http.get(format!("{}/api/v1/snapshot", core.settings.url)).timeout(pace.poll_timeout);
    request = request.header(ACCEPT_ENCODING, ACCEPTED);
    // A snapshot's tag is its position, and the stream may have brought us there as well.
    if let Some(position) = asked_at {
        request = request.header(IF_NONE_MATCH, format!("\"{position}\""));
    }
    let response = request.send().await.map_err(|error| chain(&error))?;
    match response.status() {
        StatusCode::NOT_MODIFIED => return Ok(false),
        StatusCode::OK => {}
        other => return Err(refused(other)),
    }
    let body = body(response, pace.snapshot_bytes).await?;
    let snapshot: Snapshot =
        serde_json::from_slice(&body).map_err(|error| format!("the snapshot cannot be read: {error}"))?;
    let store = |position: Option<Position>| position.map(|position| position.store);
    core.update(false, |documents| {
        // Revisions of two stores cannot be compared: what was asked of one must not undo what came from another.
        if store(documents.position) != store(asked_at) {
            return Err("the stream brought another store's snapshot meanwhile".to_owned());
        }
        documents.replace(&snapshot).map_err(|refused| refused.to_string())
    })?;
    Ok(true)
}
