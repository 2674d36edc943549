//! Errors as problem details (RFC 9457): what is wrong, where, and what to do instead.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, TraceId};
use serde::Serialize;
use serde_json::Value as Json;

use crate::answer;
use crate::telemetry::facts;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $status:ident, $code:literal, $title:literal;)*) => {
        /// Every kind of problem: a stable word, its status, and a title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word that programs compare.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The title that people read; the same for every problem of this code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    BadRequest => BAD_REQUEST, "bad_request", "The request cannot be read";
    /// A document has faults; `diagnostics` lists them all.
    Invalid => UNPROCESSABLE_ENTITY, "invalid", "The document has faults, and nothing changed";
    /// What was to be restored is no backup, or not whole.
    BadBackup => UNPROCESSABLE_ENTITY, "bad_backup", "The backup is not whole, and nothing changed";
    /// An evaluation context is malformed.
    InvalidContext => BAD_REQUEST, "invalid_context", "The evaluation context is malformed";
    /// A page of another origin could have sent the request.
    ForeignOrigin => FORBIDDEN, "foreign_origin", "A page of another origin could have sent this";
    /// No token, or none that is valid.
    Unauthorized => UNAUTHORIZED, "unauthorized", "This needs a token";
    /// What was sent is not signed, or by another secret.
    BadSignature => UNAUTHORIZED, "bad_signature", "This is not signed by a known secret";
    /// The token's role may not.
    Forbidden => FORBIDDEN, "forbidden", "The token's role may not do this";
    /// Asked too often.
    RateLimited => TOO_MANY_REQUESTS, "rate_limited", "This was asked too often";
    /// Another backup is being taken.
    BackupUnderWay => TOO_MANY_REQUESTS, "backup_under_way", "Another backup is being taken";
    /// There is no such path.
    NoRoute => NOT_FOUND, "no_route", "There is no such path";
    /// There is no such thing.
    NotFound => NOT_FOUND, "not_found", "There is no such thing";
    /// The history does not have what was asked for.
    NotInHistory => NOT_FOUND, "not_in_history", "The history does not have this";
    /// The path exists, the method does not.
    MethodNotAllowed => METHOD_NOT_ALLOWED, "method_not_allowed", "The path does not know this method";
    /// `If-Match` or `If-None-Match` does not hold.
    PreconditionFailed => PRECONDITION_FAILED, "precondition_failed", "The resource is not as expected";
    /// Others name the resource; `users` lists them.
    InUse => CONFLICT, "in_use", "Others name the resource";
    /// Another token has the name.
    NameTaken => CONFLICT, "name_taken", "The name is taken";
    /// Nobody could administrate.
    NoAdmin => CONFLICT, "no_admin", "No admin's token would be left";
    /// As many as there may be.
    TooMany => CONFLICT, "too_many", "There are too many already";
    /// A run may not start; `reasons` lists every reason.
    NotAdmitted => CONFLICT, "not_admitted", "The run may not start";
    /// Changes are frozen, since people were paged too often; `on_calls` says whose budget is spent.
    Frozen => CONFLICT, "frozen", "Changes are frozen";
    /// A stop overtook the start.
    StoppedMeanwhile => CONFLICT, "stopped_meanwhile", "It was stopped before it began";
    /// The client has seen another environment.
    OtherEnvironment => CONFLICT, "other_environment", "The client belongs to another environment";
    /// Nobody has said by which secret a sender can be known.
    NoSecret => CONFLICT, "no_secret", "No secret is known by which this could be checked";
    /// Somebody else changed the store meanwhile.
    Conflict => CONFLICT, "conflict", "Somebody else made a change meanwhile";
    /// The body is larger than its route takes.
    TooLarge => PAYLOAD_TOO_LARGE, "too_large", "The body is too large";
    /// A fault of the server.
    Internal => INTERNAL_SERVER_ERROR, "internal", "The server failed";
    /// A report that could not be counted: its client gets no lease.
    NotCounted => SERVICE_UNAVAILABLE, "not_counted", "The report could not be counted";
    /// As many streams are open as the server serves.
    TooManyStreams => SERVICE_UNAVAILABLE, "too_many_streams", "Too many streams are open";
    /// As much waits as the server lets wait.
    Overloaded => SERVICE_UNAVAILABLE, "overloaded", "The server has too much to do";
    /// The store cannot keep the change; nothing changed.
    StoreFailed => SERVICE_UNAVAILABLE, "store_failed", "The store failed, and nothing changed";
    /// The disk failed in the middle of it: perhaps the change is there after a restart, perhaps not.
    OutcomeUnknown => SERVICE_UNAVAILABLE, "outcome_unknown", "It is not known whether the change lasts";
    /// Stopped, but the stop could not be stored.
    StoppedNotRecorded => SERVICE_UNAVAILABLE, "stopped_not_recorded", "Stopped, not recorded";
    /// A page counts, but could not be stored.
    PageNotRecorded => SERVICE_UNAVAILABLE, "page_not_recorded", "Counted, but a restart would forget it";
    /// The secret by which a sender could be known cannot be read any more.
    SecretUnreadable => SERVICE_UNAVAILABLE, "secret_unreadable", "The secret cannot be read by which this could be checked";
    /// A token is refused, but that could not be stored.
    RevokedNotRecorded => SERVICE_UNAVAILABLE, "revoked_not_recorded", "Revoked, but a restart would forget it";
    /// Halted in memory, but the halt could not be stored.
    HaltedNotDurable => SERVICE_UNAVAILABLE, "halted_not_durable", "Halted, but a restart would forget it";
    /// What is served is stale.
    NotReady => SERVICE_UNAVAILABLE, "not_ready", "What is served is stale";
    /// The server is ending.
    ShuttingDown => SERVICE_UNAVAILABLE, "shutting_down", "The server is shutting down";
}

/// One problem, ready to be answered.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    detail: String,
    members: serde_json::Map<String, Json>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of this code; `detail` says what is wrong here and what to do instead.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts { code, detail: detail.into(), members: serde_json::Map::new(), headers: Vec::new() }))
    }

    /// The same problem with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.members.insert(name.to_owned(), value);
        }
        self
    }

    /// The same problem with one more response header; a value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// The same problem in OFREP's words as well.
    #[must_use]
    pub fn for_openfeature(self) -> Self {
        let detail = self.0.detail.clone();
        self.with("errorCode", daybreak_model::ErrorCode::General).with("errorDetails", detail)
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.title(), self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        facts::note(|facts| facts.problem = Some(self.0.code));
        let trace = Context::current().span().span_context().trace_id();
        let mut response = HttpResponse::build(self.status_code());
        for header in &self.0.headers {
            response.append_header(header.clone());
        }
        let body = Details {
            r#type: format!("urn:daybreak:problem:{}", self.0.code.as_str()),
            title: self.0.code.title(),
            status: self.0.code.status().as_u16(),
            code: self.0.code.as_str(),
            detail: &self.0.detail,
            trace_id: (trace != TraceId::INVALID).then(|| trace.to_string()),
            members: &self.0.members,
        };
        response.content_type(MEDIA_TYPE).body(answer::pretty(&body))
    }
}

#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(flatten)]
    members: &'a serde_json::Map<String, Json>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_an_error_of_its_own() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        }
    }
}
