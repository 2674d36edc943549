//! The span of a request, by OpenTelemetry's conventions for HTTP servers.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::http::{Method, StatusCode, Version};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value, global};

use super::SCOPE;
use super::facts::Facts;
use crate::caller::Caller;
use crate::door;
use crate::roles::Row;

/// Bytes of what a caller writes that a span keeps.
const TEXT_MAX: usize = 500;
/// What is asked for every few seconds, and would bury everything else.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// The methods that have a name of their own.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// The name of a method; one word for all that are none.
pub(crate) fn known(method: &Method) -> &'static str {
    METHODS.iter().find(|known| **known == method.as_str()).copied().unwrap_or("_OTHER")
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct RequestSpan(Context);

/// The headers of a request, to find the caller's trace in.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// The trace that a caller says it is part of.
pub(super) fn caller(headers: &HeaderMap) -> Context {
    global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &Headers(headers)))
}

impl RequestSpan {
    /// Begins one, in the caller's trace where it names one; none for what only asks whether the server lives.
    pub(super) fn begin(request: &ServiceRequest, row: Option<&'static Row>) -> Option<Self> {
        if PROBES.contains(&request.path()) {
            return None;
        }
        let parent = caller(request.headers());
        let tracer = global::tracer(SCOPE);
        let method = known(request.method());
        let name = row.map_or_else(|| method.to_owned(), |row| format!("{method} {}", row.route()));
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(asked(request, row));
        let span = tracer.build_with_context(builder, &parent);
        Some(Self(parent.with_span(span)))
    }

    /// To do the work in.
    pub(super) fn context(&self) -> Context {
        self.0.clone()
    }

    /// What leads from a metric to here; none where nobody keeps the span.
    pub(super) fn exemplar(&self) -> Option<SpanContext> {
        let span = self.0.span();
        let context = span.span_context();
        context.is_sampled().then(|| context.clone())
    }

    /// Ends it with its answer.
    pub(super) fn end(self, status: StatusCode, caller: Option<&Caller>, facts: &Facts) {
        let span = self.0.span();
        if !span.is_recording() {
            return;
        }
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            // A refusal is the caller's; only the server's own failures are errors of its span.
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        if let Some(token) = caller.and_then(Caller::token) {
            span.set_attribute(KeyValue::new("daybreak.token.name", token.name().to_owned()));
            span.set_attribute(KeyValue::new("daybreak.token.role", token.role().to_string()));
        }
        span.set_attributes(done(facts));
        span.end();
    }
}

/// What is known of a request before it is answered. Its query is left out: it may hold what people wrote, or a ticket.
fn asked(request: &ServiceRequest, row: Option<&'static Row>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("http.request.method", known(request.method())),
        KeyValue::new("url.path", cut(request.path())),
        KeyValue::new("url.scheme", if door::is_secure(request) { "https" } else { "http" }),
        KeyValue::new("network.protocol.version", version(request.version())),
    ];
    if known(request.method()) == "_OTHER" {
        attributes.push(KeyValue::new("http.request.method_original", cut(request.method().as_str())));
    }
    attributes.extend(row.map(|row| KeyValue::new("http.route", row.route())));
    if let Some(peer) = request.peer_addr() {
        attributes.push(KeyValue::new("client.address", peer.ip().to_string()));
        attributes.push(KeyValue::new("network.peer.address", peer.ip().to_string()));
        attributes.push(KeyValue::new("network.peer.port", i64::from(peer.port())));
    }
    let local = door::local_address(request);
    attributes.push(KeyValue::new("server.address", local.ip().to_string()));
    attributes.push(KeyValue::new("server.port", i64::from(local.port())));
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    attributes.extend(agent.map(|agent| KeyValue::new("user_agent.original", cut(agent))));
    attributes
}

/// What a change did.
fn done(facts: &Facts) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    let mut say = |name: &'static str, value: Option<Value>| {
        attributes.extend(value.map(|value| KeyValue::new(name, value)));
    };
    say("daybreak.reason", facts.reason.as_deref().map(|reason| cut(reason).into()));
    say("daybreak.override", facts.override_reason.as_deref().map(|reason| cut(reason).into()));
    say("daybreak.subjects", texts(facts.subjects.iter()));
    say("daybreak.position", facts.position.map(|position| position.to_string().into()));
    say("daybreak.changed", facts.changed.map(Value::from));
    say("daybreak.dry_run", facts.dry_run.then_some(Value::from(true)));
    say("daybreak.run.id", facts.run.map(|run| run.to_string().into()));
    say("daybreak.runs.ended", texts(facts.ended.iter()));
    say("daybreak.problem", facts.problem.map(|code| code.as_str().into()));
    say("daybreak.refusals", texts(facts.refusals.iter()));
    let keys = |kind: &str| {
        let keys = facts.subjects.iter().filter_map(move |subject| subject.strip_prefix(kind));
        // A key stands alone, so that it can be searched by.
        (facts.subjects.len() == 1).then(|| keys.map(str::to_owned).next()).flatten()
    };
    say("feature_flag.key", keys("flags/").map(Value::from));
    say("daybreak.fault.key", keys("faults/").map(Value::from));
    attributes
}

/// A list of words; none where it is empty.
pub(super) fn texts<T: ToString>(words: impl Iterator<Item = T>) -> Option<Value> {
    let words: Vec<StringValue> = words.map(|word| word.to_string().into()).collect();
    (!words.is_empty()).then_some(Value::Array(Array::String(words)))
}

/// The beginning of what a caller wrote.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
