//! Requests to a running server.

use anyhow::{Context, bail};

/// GETs a path of a server, and answers its body.
///
/// # Errors
/// When the server cannot be reached, or answers with an error: with what it said.
pub(crate) fn get(url: &str, path: &str) -> anyhow::Result<String> {
    let url = format!("{}{path}", url.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer =
            reqwest::get(&url).await.with_context(|| format!("{url} does not answer; is the server running?"))?;
        let status = answer.status();
        let body = answer.text().await.with_context(|| format!("the answer of {url} broke off"))?;
        if status.is_success() {
            return Ok(body);
        }
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        match problem["detail"].as_str() {
            Some(detail) => bail!("{status}: {detail}"),
            None => bail!("{status} from {url}"),
        }
    })
}
