//! The server in question, and how it is asked.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value as Json, json};
use url::Url;

use crate::PATIENCE;
use crate::report::skip;

/// Which server, and what may be done with it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Below which OFREP's paths begin.
    pub url: String,
    /// Shown as `Authorization: Bearer …`, where there is one.
    pub token: Option<String>,
    /// A shell line that makes `ofrep-switched` true.
    pub on: Option<String>,
    /// A shell line that makes it false.
    pub off: Option<String>,
    /// How often it may be asked at the end to see that it says when that is too often.
    pub flood: usize,
    /// How long it may take until a switched flag is served and told of, if not [`PATIENCE`].
    pub patience: Option<Duration>,
}

/// The server in question.
#[derive(Debug)]
pub struct Target {
    client: Client,
    options: Options,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Where a single flag is evaluated, its key left out; without the slash it is where all are.
pub(crate) const FLAGS: &str = "/ofrep/v1/evaluate/flags";

impl Target {
    /// A client of that server.
    ///
    /// # Errors
    /// When there is no TLS at all.
    pub fn new(options: Options) -> Result<Self> {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(PATIENCE).build()?;
        let url = options.url.trim_end_matches('/').to_owned();
        Ok(Self { client, options: Options { url, ..options } })
    }

    /// Whether anything answers there.
    pub(crate) async fn reach(&self) -> Result<()> {
        let asked = self.bulk(&json!({ "context": { "targetingKey": "ada" } }), &[]).await;
        asked.map(drop).with_context(|| format!("{} is out of reach", self.options.url))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn patience(&self) -> Duration {
        self.options.patience.unwrap_or(PATIENCE)
    }

    /// A URL that the server named: its own origin unless it says another.
    pub(crate) fn resolve(&self, origin: Option<&str>, request_uri: &str) -> Result<Url> {
        Ok(Url::parse(origin.unwrap_or(&self.options.url))?.join(request_uri)?)
    }

    /// Evaluates one flag.
    pub(crate) async fn single(&self, key: &str, body: &Json) -> Result<Answer> {
        self.post(&format!("{FLAGS}/{key}"), &body.to_string(), &[]).await
    }

    /// Evaluates all flags.
    pub(crate) async fn bulk(&self, body: &Json, headers: &[(&str, &str)]) -> Result<Answer> {
        self.post(FLAGS, &body.to_string(), headers).await
    }

    /// POST with the token.
    pub(crate) async fn post(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut headers = headers.to_vec();
        let bearer = self.options.token.as_ref().map(|token| format!("Bearer {token}"));
        headers.extend(bearer.as_ref().map(|bearer| ("authorization", bearer.as_str())));
        self.post_as(path, body, &headers).await
    }

    /// POST with no token but what stands in these headers.
    pub(crate) async fn post_as(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let request = self.client.request(Method::POST, format!("{}{path}", self.options.url));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        let response = with(request, headers)?.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// Opens what does not end, as a browser does: with no token.
    pub(crate) async fn open(&self, url: Url, headers: &[(&str, &str)]) -> Result<reqwest::Response> {
        let request = self.client.get(url).header("accept", "text/event-stream").timeout(Duration::from_secs(120));
        Ok(with(request, headers)?.send().await?)
    }

    /// Makes `ofrep-switched` true or false.
    pub(crate) async fn switch(&self, on: bool) -> Result<()> {
        let line = if on { &self.options.on } else { &self.options.off };
        let Some(line) = line else { return skip("say how `ofrep-switched` is switched, with --on and --off") };
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(output.status.success(), "`{line}` failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Makes it true or false, and waits until the server answers so.
    pub(crate) async fn settle(&self, on: bool) -> Result<()> {
        self.switch(on).await?;
        let body = json!({ "context": { "targetingKey": "ada" } });
        let settled = async {
            loop {
                if self.single("ofrep-switched", &body).await?.json()?["value"] == json!(on) {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(self.patience(), settled).await {
            Ok(settled) => settled,
            Err(_) => bail!("`ofrep-switched` did not become {on}"),
        }
    }
}

fn with(mut request: RequestBuilder, headers: &[(&str, &str)]) -> Result<RequestBuilder> {
    for (name, value) in headers {
        request = request.header(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    Ok(request)
}

impl Answer {
    /// The answer itself, if it has this status.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        let told: String = self.text.chars().take(300).collect();
        ensure!(self.status == status, "{status} was expected, not {}: {told}", self.status);
        Ok(self)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub(crate) fn json(&self) -> Result<Json> {
        let media_type = self.header("content-type").unwrap_or_default();
        ensure!(media_type.contains("json"), "the body is `{media_type}`, not application/json");
        serde_json::from_str(&self.text).with_context(|| format!("the body is no JSON: {}", self.text))
    }
}
