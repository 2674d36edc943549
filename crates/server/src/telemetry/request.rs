//! What every request passes first and every answer last: how long it took, its span, and the event of a change.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Instant;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::{Error, HttpMessage};
use futures_util::FutureExt as _;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::TraceContextExt;

use super::change::Question;
use super::facts::{self, Facts};
use super::span::RequestSpan;
use super::{Telemetry, change, span};
use crate::caller::Caller;
use crate::metrics::http::Answered;
use crate::problem::{Code, Problem};
use crate::roles::{self, Row};

/// What is said of a request that panicked.
const PANICKED: &str = "answering this failed within the server; its log tells where";

/// Tells of a request. The time is that until the head of the answer is written: a stream's is not told when it ends, since a span
/// of hours says nothing while it lasts, and nothing of use when it is over. Of one that panics it is told, too. What is behind it
/// learns which route is asked for; none where there is no such route.
///
/// # Errors
/// Those of what is behind it; and [`Code::Internal`] where that panics.
pub(crate) async fn observe<B, F>(
    telemetry: &Telemetry,
    request: ServiceRequest,
    next: impl FnOnce(ServiceRequest, Option<&'static Row>) -> F,
) -> Result<ServiceResponse<B>, Error>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    let begun = Instant::now();
    let method = request.method().clone();
    // HEAD is answered as GET is.
    let asks = if method == Method::HEAD { Method::GET } else { method.clone() };
    let row = roles::find(asks.as_str(), request.match_info().unprocessed());
    let span = if telemetry.traces { RequestSpan::begin(&request, row) } else { None };
    let change = row.is_some_and(Row::changes).then(|| {
        let caller = span.as_ref().map_or_else(|| span::caller(request.headers()), RequestSpan::context);
        (Question::from(&request), caller.span().span_context().clone())
    });

    // It stays where it is: handed on, each that it is handed to would have room for all of it.
    let call = pin!(AssertUnwindSafe(next(request, row)).catch_unwind());
    // So are those two: what most requests have no use for has a place of its own where it is used.
    let (answer, facts) = match (change.is_some(), &span) {
        (false, None) => (call.await, Facts::default()),
        (true, None) => facts::gather(call).boxed_local().await,
        (false, Some(span)) => (call.with_context(span.context()).boxed_local().await, Facts::default()),
        (true, Some(span)) => facts::gather(call).with_context(span.context()).boxed_local().await,
    };

    let took = begun.elapsed();
    let answer = answer.unwrap_or_else(|_| Err(Problem::new(Code::Internal, PANICKED).into()));
    let status = answer.as_ref().map_or_else(|error| error.as_response_error().status_code(), ServiceResponse::status);
    let exemplar = span.as_ref().and_then(RequestSpan::exemplar);
    telemetry.metrics.http.answered(&Answered { method: &method, row, status, took }, exemplar);
    if !facts.dry_run {
        telemetry.metrics.events.refused(&facts.refusals);
    }
    if let Some((question, context)) = change {
        if let Some(run) = facts.run.filter(|_| context.is_valid()) {
            telemetry.remember_start(run, context.clone());
        }
        let outcome = change::tell(&question, status, row, &facts, took, &context);
        telemetry.metrics.changed(outcome, context.is_sampled().then(|| context.trace_id()));
    }
    if let Some(span) = span {
        let extensions = answer.as_ref().ok().map(|answer| answer.request().extensions());
        let caller = extensions.as_ref().and_then(|extensions| extensions.get::<Caller>());
        span.end(status, caller.or(facts.caller.as_ref()), &facts);
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::middleware::{Next, from_fn};
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;
    use crate::metrics::Form;
    use crate::telemetry::testing;

    #[actix_web::test]
    async fn what_panics_is_answered_and_told() {
        let (control, telemetry) = testing::open().await;
        let metrics = Arc::clone(telemetry.metrics());
        let panics = async || -> HttpResponse { panic!("as a test has it") };
        let observed = move |request, next: Next<_>| {
            let telemetry = telemetry.clone();
            async move { observe(&telemetry, request, |request, _| next.call(request)).await }
        };
        let app = App::new().wrap(from_fn(observed));
        let app = app.default_service(web::to(panics));
        let service = init_service(app).await;
        let request = TestRequest::post().uri("/api/v1/flags/feature/enable").to_request();
        let error = try_call_service(&service, request).await.map(|answer| answer.status()).unwrap_err();
        assert_eq!(error.as_response_error().status_code(), 500, "{error}");
        let text = metrics.write(&control, None, Form::Prometheus).unwrap();
        let request = "http_server_request_duration_seconds_count{http_request_method=\"POST\",\
                       http_route=\"/api/v1/flags/{key}/enable\",http_response_status_code=\"500\"} 1\n";
        assert!(text.contains(request), "{text}");
        assert!(text.contains("daybreak_changes_total{outcome=\"failed\"} 1\n"), "{text}");
    }
}
