//! One wide event of each change that somebody asks for over the API, in the log: who, what, why, and what came of it.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};
use opentelemetry::trace::SpanContext;

use super::facts::Facts;
use super::span::cut;
use crate::caller::Caller;
use crate::roles::Row;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It was made, or nothing was left to do.
    Done,
    /// It was only tried.
    Tried,
    /// The caller may not, or asked for what cannot be.
    Refused,
    /// The server could not.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Tried, Self::Refused, Self::Failed];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Tried => "tried",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn of(status: StatusCode, facts: &Facts) -> Self {
        match status {
            status if status.is_server_error() => Self::Failed,
            status if status.is_client_error() => Self::Refused,
            _ if facts.dry_run => Self::Tried,
            _ => Self::Done,
        }
    }
}

/// How a change was asked for.
#[derive(Debug)]
pub(super) struct Question {
    method: Method,
    path: String,
    address: Option<IpAddr>,
}

impl From<&ServiceRequest> for Question {
    fn from(request: &ServiceRequest) -> Self {
        let address = request.peer_addr().map(|peer| peer.ip());
        Self { method: request.method().clone(), path: cut(request.path()), address }
    }
}

/// Tells of a change; what came of it. Whoever was not let in is counted, but fills no log: that could be anybody, at any rate.
/// So could whoever was refused on a route that is public.
pub(super) fn tell(
    question: &Question,
    status: StatusCode,
    row: Option<&'static Row>,
    facts: &Facts,
    took: Duration,
    trace: &SpanContext,
) -> Outcome {
    let outcome = Outcome::of(status, facts);
    let Some(caller) = facts.caller.as_ref().filter(|caller| is_told_of(caller, outcome)) else { return outcome };
    let token = caller.token();
    let words = |words: Vec<String>| (!words.is_empty()).then(|| words.join(" "));
    let texts = |ids: &[daybreak_model::RunId]| words(ids.iter().map(ToString::to_string).collect());
    tracing::info!(
        target: "daybreak::change",
        outcome = outcome.as_str(),
        method = question.method.as_str(),
        route = row.map(Row::route),
        path = question.path,
        status = status.as_u16(),
        subjects = words(facts.subjects.clone()),
        actor = token.map(|token| token.name()),
        token = token.map(|token| tracing::field::display(token.id())),
        role = token.map(|token| tracing::field::display(token.role())),
        address = question.address.map(tracing::field::display),
        reason = facts.reason.as_deref(),
        override_reason = facts.override_reason.as_deref(),
        position = facts.position.map(tracing::field::display),
        changed = facts.changed,
        run = facts.run.map(tracing::field::display),
        ended = texts(&facts.ended),
        problem = facts.problem.map(|code| code.as_str()),
        refusals = words(facts.refusals.iter().map(|code| code.as_str().to_owned()).collect()),
        duration_ms = f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1_000.0,
        trace_id = trace.is_valid().then(|| tracing::field::display(trace.trace_id())),
        "asked for a change",
    );
    outcome
}

/// Whether a line tells of what this one asked for.
const fn is_told_of(caller: &Caller, outcome: Outcome) -> bool {
    !matches!(caller, Caller::Anonymous) || matches!(outcome, Outcome::Done)
}
