//! HTTP for loads: one pool of connections, many requests at once. Where an operator is meant, curl asks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::PATIENCE;

/// How long a connection is kept that is not in use: the server waits a little longer for what one is for.
const SPARE: Duration = Duration::from_secs(3);

/// Connections to one server.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: String,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Where the server stood: the store's id and the revision.
    pub position: (String, u64),
    /// The entity tag.
    pub tag: Option<String>,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

impl Http {
    /// Connections to a server, none of them open yet.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn to(base: &str) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        // It asks loopback without TLS, but the library wants to know how it would.
        let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        // A pool connects more often than it asks. A spare connection that the server closes, as it says nothing for long, is not
        // to be used at that very moment.
        let client = Client::builder().pool_idle_timeout(SPARE).tls_backend_preconfigured(tls);
        let client = client.timeout(PATIENCE).no_proxy().build()?;
        Ok(Self { client, base: base.to_owned() })
    }

    /// GET.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn get(&self, path: &str) -> Result<HttpAnswer> {
        self.send("GET", path, None, "").await
    }

    /// Asks, with an entity tag for `If-Match` where there is one.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn send(&self, method: &str, path: &str, if_match: Option<&str>, body: &str) -> Result<HttpAnswer> {
        let method = Method::from_bytes(method.as_bytes())?;
        let url = format!("{}{path}", self.base);
        let response = loop {
            let mut request = self.client.request(method.clone(), &url).body(body.to_owned());
            if let Some(tag) = if_match {
                request = request.header("if-match", tag);
            }
            let response = request.send().await?;
            // The framework's farewell to a connection that had said nothing yet, as a pool's spare ones do: it has
            // read no request.
            if response.status() != StatusCode::REQUEST_TIMEOUT {
                break response;
            }
        };
        let status = response.status().as_u16();
        let header = response.headers().get("daybreak-revision");
        let position = position(header.with_context(|| format!("{status}: every answer has a position"))?.to_str()?)?;
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        Ok(HttpAnswer { status, position, tag, body })
    }
}

impl HttpAnswer {
    /// The answer itself, if it is a 2xx.
    ///
    /// # Errors
    /// When it is something else.
    pub fn ok(self) -> Result<Self> {
        ensure!((200..300).contains(&self.status), "{} {:#}", self.status, self.body);
        Ok(self)
    }

    /// The revision that a change made, or that stood already.
    ///
    /// # Errors
    /// When the answer is to no change.
    pub fn made(&self) -> Result<u64> {
        let text = self.body["position"].as_str().with_context(|| format!("no answer to a change: {:#}", self.body))?;
        Ok(position(text)?.1)
    }

    /// The entity tag of what a change made, if nobody changed it since.
    ///
    /// # Errors
    /// When the answer is to no change.
    pub fn made_tag(&self) -> Result<String> {
        Ok(format!("\"{}:{}\"", self.position.0, self.made()?))
    }
}

/// Reads `store:revision`.
fn position(text: &str) -> Result<(String, u64)> {
    let (store, revision) = text.split_once(':').with_context(|| format!("`{text}` is no position"))?;
    Ok((store.to_owned(), revision.parse()?))
}
