//! Polling, where no stream gets through.

use std::time::Duration;

use daybreak_model::wire::Snapshot;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};

use super::stream::chain;
use crate::core::Core;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for a snapshot, once. It never brings runs: those are granted by lease alone.
pub(super) async fn once(core: &Core, http: &reqwest::Client, etag: &mut Option<HeaderValue>) -> Result<(), String> {
    let mut request = http.get(format!("{}/api/v1/snapshot", core.settings.url)).timeout(TIMEOUT);
    if let Some(etag) = &*etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let response = request.send().await.map_err(|error| chain(&error))?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(());
    }
    let response = response.error_for_status().map_err(|error| chain(&error))?;
    let new = response.headers().get(ETAG).cloned();
    let snapshot: Snapshot = response.json().await.map_err(|error| chain(&error))?;
    core.update(false, |documents| documents.replace(&snapshot)).map_err(|refused| refused.to_string())?;
    *etag = new;
    Ok(())
}
