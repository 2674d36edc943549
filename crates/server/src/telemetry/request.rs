//! What every request passes first and every answer last: how long it took, its span, and the event of a change.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
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

/// The route that a request asks for; none where there is no such route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(pub(crate) Option<&'static Row>);

/// Tells of a request. The time is that until the head of the answer is written: a stream's is not told when it ends, since a span
/// of hours says nothing while it lasts, and nothing of use when it is over. Of one that panics it is told, too.
///
/// # Errors
/// Those of what is behind it; and [`Code::Internal`] where that panics.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let Some(telemetry) = request.app_data::<web::Data<Telemetry>>().cloned() else { return next.call(request).await };
    let begun = Instant::now();
    let method = request.method().clone();
    // HEAD is answered as GET is.
    let asks = if method == Method::HEAD { Method::GET } else { method.clone() };
    let row = roles::find(asks.as_str(), request.match_info().unprocessed());
    request.extensions_mut().insert(Asked(row));
    let span = if telemetry.traces { RequestSpan::begin(&request, row) } else { None };
    let change = row.is_some_and(Row::changes).then(|| {
        let caller = span.as_ref().map_or_else(|| span::caller(request.headers()), RequestSpan::context);
        (Question::from(&request), caller.span().span_context().clone())
    });

    let call = AssertUnwindSafe(next.call(request)).catch_unwind();
    let changes = change.is_some();
    let call = async move { if changes { facts::gather(call).await } else { (call.await, Facts::default()) } };
    let (answer, facts) = match &span {
        Some(span) => call.with_context(span.context()).await,
        None => call.await,
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

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse};

    use super::*;
    use crate::metrics::Form;
    use crate::telemetry::testing;

    #[actix_web::test]
    async fn what_panics_is_answered_and_told() {
        let (control, telemetry) = testing::open().await;
        let metrics = Arc::clone(telemetry.metrics());
        let panics = async || -> HttpResponse { panic!("as a test has it") };
        let app = App::new().app_data(web::Data::new(telemetry)).wrap(from_fn(observe));
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
