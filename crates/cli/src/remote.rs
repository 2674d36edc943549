//! Requests to a running server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use reqwest::{IntoUrl, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::unreached;

/// The time in which a server has to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which server to ask, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The server to ask.
    #[arg(long, env = "DAYBREAK_URL", value_name = "URL", default_value = "http://localhost:8080")]
    pub(crate) url: String,
    /// The token to ask with; better given in the environment, where no list of processes shows it.
    #[arg(long, env = "DAYBREAK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Secret>,
    /// A PEM file with the certificate to show to a server which asks for one, and its key.
    #[arg(long, env = "DAYBREAK_CLIENT_CERT", value_name = "FILE")]
    pub(crate) client_cert: Option<PathBuf>,
}

/// What is never printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A server that is asked.
#[derive(Debug)]
pub(crate) struct Remote<'a> {
    target: &'a Target,
    client: reqwest::Client,
}

impl<'a> Remote<'a> {
    /// For requests to this server.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn new(target: &'a Target) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("daybreak/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &target.client_cert {
            let unusable = || format!("the client certificate {} cannot be used", path.display());
            let pem = std::fs::read(path).with_context(unusable)?;
            builder = builder.identity(reqwest::Identity::from_pem(&pem).with_context(unusable)?);
        }
        let client = builder.build()?;
        Ok(Self { target, client })
    }

    /// A request of a path, with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_url(method, format!("{}{path}", self.target.url.trim_end_matches('/')))
    }

    /// A request of one of the server's URLs, with the token.
    pub(crate) fn request_url(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.target.token {
            Some(Secret(token)) if !token.is_empty() => request.bearer_auth(token),
            _ => request,
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the server cannot be reached, or answers with an error: with what it said.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let answer = self.ask(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        Err(self.refused(status, &answer.text().await.unwrap_or_default()))
    }

    /// Sends a request, whatever the answer is.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.map_err(|error| unreached::explain(&self.target.url, error))
    }

    /// The error that an answer is.
    pub(crate) fn refused(&self, status: StatusCode, body: &str) -> anyhow::Error {
        match problem(body) {
            Some(problem) => anyhow!("{status}: {problem}"),
            None => anyhow!("{status} from {}", self.target.url),
        }
    }

    /// The server that is asked.
    pub(crate) fn url(&self) -> &str {
        &self.target.url
    }

    /// GETs a path, and answers its body.
    ///
    /// # Errors
    /// As [`send`](Self::send); and when the answer breaks off.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.send(self.request(Method::GET, path)).await?;
        answer.text().await.with_context(|| format!("the answer of {} broke off", self.target.url))
    }
}

/// What a problem document says, with the place and the help of each diagnostic.
fn problem(body: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(body).ok()?;
    let mut text = problem["detail"].as_str()?.to_owned();
    for diagnostic in problem["diagnostics"].as_array().into_iter().flatten() {
        let field = |name: &str| diagnostic[name].as_str().unwrap_or_default();
        text += &format!("\n  {}:{}: {}", diagnostic["line"], diagnostic["column"], field("message"));
        if !field("path").is_empty() {
            text += &format!(" (at {})", field("path"));
        }
        if !field("help").is_empty() {
            text += &format!("; {}", field("help"));
        }
    }
    Some(text)
}

/// Runs something that waits for a server.
///
/// # Errors
/// What it returns.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let token = "db_secret".parse().ok();
        let target = Target { url: "http://localhost:8080".to_owned(), token, client_cert: None };
        assert!(!format!("{target:?}").contains("secret"));
    }

    #[test]
    fn problems_are_told() {
        let body = r#"{"detail": "two mistakes", "diagnostics": [{"line": 3, "column": 7, "message": "no", "help": "write `off`"}]}"#;
        assert_eq!(problem(body).as_deref(), Some("two mistakes\n  3:7: no; write `off`"));
        assert_eq!(problem("<html>"), None);
    }
}
