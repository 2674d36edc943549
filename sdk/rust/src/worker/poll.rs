//! Polling, where no stream gets through.

use daybreak_model::wire::Snapshot;
use reqwest::StatusCode;
use reqwest::header::IF_NONE_MATCH;

use super::http::{body, chain};
use super::pace::Pace;
use crate::core::Core;

/// Asks for a snapshot, once; whether one was taken. It never brings runs: those are granted by lease alone.
pub(super) async fn once(core: &Core, http: &reqwest::Client, pace: Pace) -> Result<bool, String> {
    let mut request = http.get(format!("{}/api/v1/snapshot", core.settings.url)).timeout(pace.poll_timeout);
    // A snapshot's tag is its position, and the stream may have brought us there as well.
    if let (Some(position), _) = core.stand() {
        request = request.header(IF_NONE_MATCH, format!("\"{position}\""));
    }
    let response = request.send().await.map_err(|error| chain(&error))?;
    match response.status() {
        StatusCode::NOT_MODIFIED => return Ok(false),
        StatusCode::OK => {}
        other => return Err(format!("the server answers {other}")),
    }
    let body = body(response, pace.snapshot_bytes).await?;
    let snapshot: Snapshot =
        serde_json::from_slice(&body).map_err(|error| format!("the snapshot cannot be read: {error}"))?;
    core.update(false, |documents| documents.replace(&snapshot)).map_err(|refused| refused.to_string())?;
    Ok(true)
}
