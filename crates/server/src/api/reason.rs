//! The reason of a command that acts first. It is read once the deed is done, briefly, and nothing that is wrong with
//! it speaks against the deed: that is a warning.

use actix_web::web::{Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use daybreak_control::{Control, Reached, Stopped};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Because, Wait};
use crate::answer;
use crate::body;
use crate::limits::{COMMAND_BYTES_MAX, REASON_LENGTH_MAX, REASON_WAIT};
use crate::telemetry::facts;

/// An answer with what its request had wrong.
#[derive(Serialize)]
pub(super) struct Warned<T> {
    #[serde(flatten)]
    pub(super) answer: T,
    /// What was not understood, and did not matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<String>,
}

/// What a start or a stop did, and how far it has come where that was asked for.
#[derive(Serialize)]
pub(super) struct WithReached<T> {
    #[serde(flatten)]
    pub(super) done: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reached: Option<Reached>,
}

/// How to halt.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct HaltQuery {
    /// Why, for the audit log.
    reason: Option<String>,
    /// Answer once every live client has confirmed, or after this time, 30 s at most: `2s`. Unless said, 300 ms.
    wait: Option<String>,
}

/// How to stop, which is read as [`HaltQuery`] is; or to lift the halt.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct StopQuery {
    /// Why, for the audit log.
    pub(super) reason: Option<String>,
    /// Answer once every live client has heard of it, or after this time, 30 s at most: `2s`. It has acted before.
    pub(super) wait: Option<String>,
}

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) reason: Option<String>,
    pub(super) wait: Wait,
    pub(super) warnings: Vec<String>,
}

impl Said {
    /// Reads what a request says: its reason, if it has one. The deed comes before.
    pub(super) async fn hear(&mut self, request: &HttpRequest, body: Payload) -> Option<String> {
        *self = read(request.query_string(), body).await;
        self.reason.take()
    }

    /// The answer to a stop, with what its request had wrong.
    pub(super) async fn of_stop(self, control: &Control, done: Stopped) -> HttpResponse {
        facts::note(|facts| facts.acted(done.position, done.changed, &done.ended));
        let reached = self.wait.reached(control, done.position).await;
        answer::ok(&Warned { answer: WithReached { done, reached }, warnings: self.warnings })
    }

    /// Notes what was not understood.
    pub(super) fn warn(&mut self, warning: &str) {
        self.warnings.push(format!("it is done; but {warning}"));
    }
}

/// Reads a reason out of a body, or else out of a query: `{"reason": "…"}`, and any other text as it is.
async fn read(query: &str, mut body: Payload) -> Said {
    let mut said = Said::default();
    match Query::<HaltQuery>::from_query(query).map(Query::into_inner) {
        Ok(HaltQuery { reason, wait }) => {
            said.reason = reason;
            match Wait::read(wait.as_deref()) {
                Ok(wait) => said.wait = wait,
                Err(problem) => said.warn(&problem.to_string()),
            }
        }
        Err(error) => said.warn(&format!("the query is not understood: {error}")),
    }
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() <= COMMAND_BYTES_MAX
            && let Some(chunk) = body.next().await
        {
            bytes.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
        }
        Ok::<_, String>(())
    };
    match tokio::time::timeout(REASON_WAIT, reading).await {
        Ok(Ok(())) if bytes.len() <= COMMAND_BYTES_MAX => {}
        Ok(Ok(())) => said.warn(&format!("the body has more than {COMMAND_BYTES_MAX} bytes, and the rest is not read")),
        Ok(Err(error)) => said.warn(&format!("the body could not be read to its end: {error}")),
        Err(_) => said.warn(&format!("the body did not come within {} ms", REASON_WAIT.as_millis())),
    }
    understand(&mut said, &String::from_utf8_lossy(&bytes));
    facts::note(|facts| facts.reason.clone_from(&said.reason));
    said
}

fn understand(said: &mut Said, body: &str) {
    let text = body.trim();
    if !text.is_empty() {
        said.reason = match body::read::<Because>(text) {
            Ok(because) => because.reason.or(said.reason.take()),
            Err(_) => {
                said.warn("the body is not `{\"reason\": \"…\"}`; its text is taken as the reason");
                Some(text.to_owned())
            }
        };
    }
    let end = |reason: &String| reason.char_indices().nth(REASON_LENGTH_MAX).map(|(end, _)| end);
    if let Some(reason) = said.reason.as_mut()
        && let Some(end) = end(reason)
    {
        reason.truncate(end);
        said.warn(&format!("the reason is cut to {REASON_LENGTH_MAX} characters"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_3_whatever_is_said_is_a_reason() {
        let long = "é".repeat(REASON_LENGTH_MAX + 1);
        let cases = [
            ("", None, 0),
            ("  \n", None, 0),
            (r#"{"reason": "gateway on fire"}"#, Some("gateway on fire"), 0),
            ("reason: gateway on fire", Some("gateway on fire"), 0),
            ("{}", None, 0),
            ("gateway on fire", Some("gateway on fire"), 1),
            ("reason=gateway", Some("reason=gateway"), 1),
            (r#"{"reson": "typo"}"#, Some(r#"{"reson": "typo"}"#), 1),
            ("[1, 2", Some("[1, 2"), 1),
            (&long, Some(&long[..2 * REASON_LENGTH_MAX]), 2),
        ];
        for (body, reason, warnings) in cases {
            let mut said = Said::default();
            understand(&mut said, body);
            assert_eq!((said.reason.as_deref(), said.warnings.len()), (reason, warnings), "{body}: {said:?}");
        }
        let mut said = Said { reason: Some("of the query".to_owned()), ..Said::default() };
        understand(&mut said, "{}");
        assert_eq!(said.reason.as_deref(), Some("of the query"));
    }
}
