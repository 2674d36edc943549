//! Faults: start and stop, and when Daybreak starts one by itself.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use daybreak_control::{Control, StartRequest};
use daybreak_model::Kind;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::reason::{Said, StopQuery, WithReached};
use super::{Because, NoQuery, Wait, resources, switch};
use crate::answer;
use crate::body::{Command, Options};
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::telemetry::facts;

/// What a start asks for; all of it optional.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Start {
    /// How long; at most, and unless said, the fault's `max_duration`.
    #[schema(example = "10m")]
    duration: Option<String>,
    /// The share of eligible requests; at most, and unless said, the fault's.
    #[schema(example = "1%")]
    percentage: Option<String>,
    /// What is believed to hold while it runs.
    #[schema(example = "checkout falls back to the queue")]
    hypothesis: Option<String>,
    /// Waives what can be waived, for this reason.
    r#override: Option<String>,
    /// Draw and count, but strike nothing.
    shadow: bool,
    /// Why, for the audit log.
    reason: Option<String>,
}

impl Options for Start {
    const EXAMPLE: &'static str = r#"{"duration": "10m", "percentage": "1%"}"#;
}

/// How to start.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct StartQuery {
    /// Tell what would happen, and start nothing.
    #[serde(deserialize_with = "switch")]
    dry_run: bool,
    /// Why, for the audit log.
    reason: Option<String>,
    /// Answer once every live client has heard of the run, or after this time, 30 s at most: `2s`.
    wait: Option<String>,
}

/// Start a run.
#[utoipa::path(
    tag = "faults",
    params(
        ("key" = String, Path, description = "The fault"),
        StartQuery,
        ("If-Match" = Option<String>, Header, description = "Start this revision of the fault only"),
    ),
    request_body(content = Start, description = "Optional"),
    responses(
        (status = 201, description = "The run", body = ref("#/components/schemas/Started"), headers(("Location" = String))),
        (status = 200, description = "With `dry_run`: what would run", body = ref("#/components/schemas/Started")),
        (status = 409, description = "Every reason that stands against it"),
        (status = 412, description = "The precondition does not hold"),
    ),
)]
#[post("/api/v1/faults/{key}/start")]
pub(crate) async fn start(
    control: web::Data<Control>,
    caller: Caller,
    headers: HttpRequest,
    key: web::Path<String>,
    query: web::Query<StartQuery>,
    start: Command<Start>,
) -> Result<HttpResponse, Problem> {
    let (Command(start), StartQuery { dry_run, reason, wait }) = (start, query.into_inner());
    let wait = Wait::read(wait.as_deref())?;
    facts::note(|facts| {
        facts.subjects = vec![format!("{}/{key}", Kind::Fault.path())];
        facts.dry_run = dry_run;
        facts.override_reason.clone_from(&start.r#override);
    });
    let request = StartRequest {
        duration: field("duration", start.duration)?,
        percentage: field("percentage", start.percentage)?,
        hypothesis: start.hypothesis,
        override_reason: start.r#override,
        may_override: caller.may_override(),
        shadow: start.shadow,
        dry_run,
        only_if: resources::asked(&control, &headers, Kind::Fault, &key)?,
    };
    let started = control.start(&key, request, caller.actor(start.reason.or(reason))).await?;
    if dry_run {
        return Ok(answer::ok(&started));
    }
    facts::note(|facts| {
        facts.acted(started.position, true, &[]);
        facts.run = Some(started.run.id);
    });
    let reached = wait.reached(&control, started.position).await;
    let mut response = HttpResponse::build(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/api/v1/runs/{}", started.run.id)));
    Ok(answer::finish(&mut response, &WithReached { done: started, reached }))
}

/// Stop the runs of a fault. Where none is active, nothing changes. It acts before it reads the body; a body that is no
/// `{"reason": "…"}` is a reason as it is.
#[utoipa::path(
    tag = "faults",
    params(("key" = String, Path, description = "The fault"), StopQuery),
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "What was stopped", body = ref("#/components/schemas/Stopped"))),
)]
#[post("/api/v1/faults/{key}/stop")]
pub(crate) async fn stop(
    control: web::Data<Control>,
    caller: Caller,
    key: web::Path<String>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut said = Said::default();
    let answer = control.stop_first(&key, caller.actor(None), said.hear(&request, body)).await?;
    facts::note(|facts| facts.subjects = vec![format!("{}/{key}", Kind::Fault.path())]);
    Ok(said.of_stop(&control, answer).await)
}

/// When Daybreak starts the fault by itself, and what became of the last time.
#[utoipa::path(
    tag = "faults",
    params(("key" = String, Path, description = "The fault")),
    responses(
        (status = 200, description = "The next start, and the last", body = ref("#/components/schemas/Schedule")),
        (status = 404, description = "There is no such fault"),
    ),
)]
#[get("/api/v1/faults/{key}/schedule")]
pub(crate) async fn schedule(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.schedule(&key)?))
}

/// Reads a quantity that is written as in documents, with its unit.
fn field<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: Option<String>) -> Result<Option<T>, Problem> {
    let parsed = text.map(|text| text.parse().map_err(|error| format!("`{name}`: {error}")));
    parsed.transpose().map_err(|detail| Problem::new(Code::BadRequest, detail))
}
