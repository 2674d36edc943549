//! Sending one event once.

use std::time::Duration;

use daybreak_store::RecordedEvent;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::config::Webhook;
use super::template::outgoing;
use crate::Control;

/// How long a receiver may take for its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why an event has not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Without the URL, which may be a secret.
    pub(super) why: String,
    /// How long the receiver asks to wait.
    pub(super) asked_to_wait: Option<Duration>,
    pub(super) how: How,
}

/// What a failure says of the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It may be better soon.
    Passing,
    /// The receiver refused the event, and would likely do so again.
    Refused,
    /// The receiver wants no more events.
    Gone,
}

impl How {
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::GONE => Self::Gone,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Self::Passing,
            _ if status.is_client_error() => Self::Refused,
            _ => Self::Passing,
        }
    }
}

/// The client of all webhooks.
pub(super) fn client() -> Result<Client, String> {
    let builder = Client::builder().timeout(DEADLINE).redirect(Policy::none());
    let builder = builder.user_agent(concat!("daybreak/", env!("CARGO_PKG_VERSION")));
    builder.build().map_err(|error| error.to_string())
}

/// Sends one event once.
pub(super) async fn send(
    control: &Control,
    client: &Client,
    hook: &Webhook,
    event: &RecordedEvent,
    id: &str,
) -> Result<(), Failed> {
    let outgoing = outgoing(hook, event, id, &control.options().environment, control.inner.clock.now());
    let url =
        format!("{}{}", hook.url.0.trim_end_matches(if outgoing.path.is_empty() { '\0' } else { '/' }), outgoing.path);
    let mut request = client.post(url).header("content-type", "application/json").body(outgoing.body);
    for (name, value) in outgoing.headers {
        request = request.header(name, value);
    }
    let unanswered = |why: String| Failed { why, asked_to_wait: None, how: How::Passing };
    let answer = request.send().await.map_err(|error| unanswered(cause(&error.without_url())))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let asked_to_wait = asked.map(Duration::from_secs);
    Err(Failed { why: format!("it answered {status}"), asked_to_wait, how: How::of(status) })
}

/// The innermost cause: what the system said.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() { format!("it did not answer within {} s", DEADLINE.as_secs()) } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_of_the_next_try() {
        let cases = [
            (400, How::Refused),
            (401, How::Refused),
            (404, How::Refused),
            (408, How::Passing),
            (410, How::Gone),
            (425, How::Passing),
            (429, How::Passing),
            (302, How::Passing),
            (500, How::Passing),
            (503, How::Passing),
        ];
        for (status, expected) in cases {
            assert_eq!(How::of(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }
}
