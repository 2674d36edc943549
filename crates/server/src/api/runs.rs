//! Runs: what is being broken, and what was.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use daybreak_control::{Control, EVENTS_PAGE_MAX, EventFilter, EventOrder};
use daybreak_model::RunId;
use serde::Serialize;
use serde_json::json;

use super::reason::{Said, StopQuery};
use super::{Because, NoQuery};
use crate::answer;
use crate::caller::Caller;
use crate::offload::Offload;
use crate::problem::{Code, Problem};
use crate::report::html;
use crate::telemetry::facts;

/// The page says so too, for when it is a file.
const POLICY: (&str, &str) =
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

#[derive(Serialize)]
struct Runs<T> {
    runs: T,
}

/// All runs, the latest first.
#[utoipa::path(
    tag = "runs",
    responses((status = 200, description = "Also those that ended lately", body = ref("#/components/schemas/Runs"))),
)]
#[get("/api/v1/runs")]
pub(crate) async fn list(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    offload: web::Data<Offload>,
) -> Result<HttpResponse, Problem> {
    offload.ok(move || Runs { runs: control.runs() }).await
}

/// One run.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "16 hexadecimal digits")),
    responses(
        (status = 200, description = "The run", body = ref("#/components/schemas/Run")),
        (status = 404, description = "There is no such run"),
    ),
)]
#[get("/api/v1/runs/{id}")]
pub(crate) async fn read(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.run(identified(&id)?)?))
}

/// The report of a run: one page to attach to a ticket, with plots.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "16 hexadecimal digits")),
    responses(
        (status = 200, description = "It needs no network and runs no script", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such run"),
    ),
)]
#[get("/api/v1/runs/{id}/report")]
pub(crate) async fn report(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = identified(&id)?;
    let run = json!(control.run(id)?);
    let filter =
        EventFilter { subject: Some(format!("runs/{id}")), order: EventOrder::OldestFirst, ..EventFilter::default() };
    let events = control.events(filter, EVENTS_PAGE_MAX).await?.events;
    let events: Vec<_> = events.iter().map(|event| json!(event)).collect();
    let page = html(&run, &events, control.state().environment());
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").insert_header(POLICY).body(page))
}

/// Stop one run. Where it has ended, nothing changes. It acts before it reads the body; a body that is no
/// `{"reason": "…"}` is a reason as it is.
#[utoipa::path(
    tag = "runs",
    params(("id" = String, Path, description = "16 hexadecimal digits"), StopQuery),
    request_body(content = Because, description = "Optional"),
    responses(
        (status = 200, description = "What was stopped", body = ref("#/components/schemas/Stopped")),
        (status = 404, description = "There is no such run"),
    ),
)]
#[post("/api/v1/runs/{id}/stop")]
pub(crate) async fn stop(
    control: web::Data<Control>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let id = identified(&id)?;
    let mut said = Said::default();
    let answer = control.stop_run_first(id, caller.actor(None), said.hear(&request, body)).await?;
    facts::note(|facts| facts.subjects = vec![format!("runs/{id}")]);
    Ok(said.of_stop(&control, answer).await)
}

fn identified(id: &str) -> Result<RunId, Problem> {
    let missing = |_| Problem::new(Code::NotFound, format!("there is no run `{id}`; an id has 16 hexadecimal digits"));
    id.parse().map_err(missing)
}
