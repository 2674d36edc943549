//! What every request passes first and every answer last: how long it took, its span, and the event of a change.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use opentelemetry::context::FutureExt;
use opentelemetry::trace::TraceContextExt;

use super::facts::{self, Facts};
use super::span::RequestSpan;
use super::{Telemetry, change, span};
use crate::metrics::http::Answered;
use crate::roles::{self, Row};

/// The route that a request asks for; none where there is no such route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(pub(crate) Option<&'static Row>);

/// Tells of a request. The time is that until the head of the answer is written: a stream's is not told when it ends, since a span
/// of hours says nothing while it lasts, and nothing of use when it is over.
///
/// # Errors
/// Those of what is behind it.
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
    let changes = row.is_some_and(Row::changes);
    let caller = changes.then(|| span.as_ref().map_or_else(|| span::caller(request.headers()), RequestSpan::context));

    let call = next.call(request);
    let call = async move { if changes { facts::gather(call).await } else { (call.await, Facts::default()) } };
    let (answer, facts) = match &span {
        Some(span) => call.with_context(span.context()).await,
        None => call.await,
    };

    let took = begun.elapsed();
    let answer = answer.inspect_err(|_| telemetry.metrics.http.failed(&method, row, took))?;
    let status = answer.status();
    let exemplar = span.as_ref().and_then(RequestSpan::exemplar);
    telemetry.metrics.http.answered(&Answered { method: &method, row, status, took }, exemplar);
    if !facts.dry_run {
        telemetry.metrics.events.refused(&facts.refusals);
    }
    if let Some(context) = caller {
        let context = context.span().span_context().clone();
        if let Some(run) = facts.run.filter(|_| context.is_valid()) {
            telemetry.remember_start(run, context.clone());
        }
        let outcome = change::tell(&answer, row, &facts, took, &context);
        telemetry.metrics.changed(outcome, context.is_sampled().then(|| context.trace_id()));
    }
    if let Some(span) = span {
        span.end(&answer, &facts);
    }
    Ok(answer)
}
