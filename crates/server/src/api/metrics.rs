//! What is counted and measured, for Prometheus.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use actix_web::{HttpRequest, HttpResponse, get, web};
use daybreak_control::{Control, EventFilter};

use super::NoQuery;
use crate::metrics::Form;
use crate::offload::Offload;
use crate::problem::{Code, Problem};
use crate::telemetry::Telemetry;

/// What the server counts and measures, for Prometheus: OpenMetrics where `Accept` prefers it, or else Prometheus's text.
#[utoipa::path(
    tag = "server",
    responses((status = 200, description = "Metrics",
               content((String = "application/openmetrics-text"), (String = "text/plain")))),
)]
#[get("/metrics")]
pub(crate) async fn metrics(
    control: web::Data<Control>,
    telemetry: web::Data<Telemetry>,
    offload: web::Data<Offload>,
    request: HttpRequest,
    _query: web::Query<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let accepts = request.headers().get_all(ACCEPT).filter_map(|accept| accept.to_str().ok());
    let form = Form::accepted(&accepts.collect::<Vec<_>>().join(","));
    // A store that fails is told of by other numbers, which are asked for just then.
    let latest = control.events(EventFilter::default(), 1).await.ok();
    let latest = latest.map(|page| page.events.first().map_or(0, |event| event.id));
    let (metrics, control) = (telemetry.metrics().clone(), control.clone());
    let text = offload.compute(move || metrics.write(&control, latest, form)).await?;
    let text = text.map_err(|error| Problem::new(Code::Internal, format!("the metrics cannot be written: {error}")))?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, form.media_type())).insert_header((VARY, "Accept"));
    Ok(response.insert_header((CACHE_CONTROL, "no-store")).body(text))
}
