//! The shop's traces, by OpenTelemetry, where its variables name a collector: a span for each request and for each call, and
//! what Daybreak tells them of flags and faults.

use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use anyhow::Context as _;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// What the spans come from.
const SCOPE: &str = "shop";
/// How long the end of the process waits for spans to leave.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// Variables that name a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// What is to be flushed in the end; nothing where no collector is named.
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sets up the traces of a service.
    pub(crate) fn start(service: &'static str) -> anyhow::Result<Self> {
        if !ENDPOINTS.iter().any(|variable| std::env::var_os(variable).is_some_and(|set| !set.is_empty())) {
            return Ok(Self(None));
        }
        let exporter = SpanExporter::builder().with_http().build().context("no traces can be sent")?;
        let resource = Resource::builder().with_service_name(service).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(provider.clone());
        Ok(Self(Some(provider)))
    }

    /// A client whose flags and faults are told to the traces, where there are any.
    pub(crate) fn tell(&self, builder: daybreak_sdk::Builder) -> daybreak_sdk::Builder {
        #[cfg(feature = "opentelemetry")]
        if self.0.is_some() {
            return builder.telemetry(daybreak_sdk::Telemetry::opentelemetry());
        }
        builder
    }

    /// Sends what is left.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_WAIT)
        {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

fn tracer() -> global::BoxedTracer {
    global::tracer_provider().tracer(SCOPE)
}

/// A span around a request, in its caller's trace. It is outside of Daybreak's middleware, which tells it of the draw.
pub(crate) async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let route = request.match_pattern();
    let name =
        route.as_deref().map_or_else(|| request.method().to_string(), |route| format!("{} {route}", request.method()));
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(&Received(request.headers())));
    let attributes =
        [Some(("http.request.method", request.method().to_string())), route.map(|route| ("http.route", route))];
    let attributes = attributes.into_iter().flatten().map(|(name, value)| KeyValue::new(name, value));
    let span = tracer().span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
    let context = caller.with_span(span.start_with_context(&tracer(), &caller));
    let answer = next.call(request).with_context(context.clone()).await;
    let status = answer.as_ref().map_or_else(|error| error.as_response_error().status_code(), ServiceResponse::status);
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
        span.set_status(Status::error(""));
    }
    span.end();
    answer
}

/// Sends a request within a span of its own, and the trace along with it.
pub(crate) async fn call(request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let attributes = [("http.request.method", request.method().to_string()), ("url.full", request.url().to_string())];
    let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
    let span =
        tracer().span_builder(request.method().to_string()).with_kind(SpanKind::Client).with_attributes(attributes);
    let context = Context::current_with_span(span.start(&tracer()));
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Sent(request.headers_mut())));
    let answer = client.execute(request).with_context(context.clone()).await;
    let span = context.span();
    let failure = match &answer {
        Ok(answer) => {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(answer.status().as_u16())));
            let status = answer.status();
            (status.is_client_error() || status.is_server_error()).then(|| status.as_str().to_owned())
        }
        Err(_) => Some("_OTHER".to_owned()),
    };
    if let Some(failure) = failure {
        span.set_attribute(KeyValue::new("error.type", failure));
        span.set_status(Status::error(""));
    }
    span.end();
    answer
}

/// The order is taken, and its payment follows: what a request's trace is told of the fall-back.
pub(crate) fn fell_back(why: &str) {
    Context::map_current(|context| {
        let why = KeyValue::new("shop.payment.failure", why.to_owned());
        context.span().add_event("payment queued", vec![why]);
    });
}

struct Received<'h>(&'h HeaderMap);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

struct Sent<'h>(&'h mut reqwest::header::HeaderMap);

impl Injector for Sent<'_> {
    fn set(&mut self, key: &str, value: String) {
        let (name, value) = (reqwest::header::HeaderName::try_from(key), reqwest::header::HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            self.0.insert(name, value);
        }
    }
}
