//! The big red button.

use actix_web::{HttpRequest, HttpResponse, delete, get, put, web};
use daybreak_control::{Control, HaltView, Lifted};
use serde::Serialize;

use super::reason::{HaltQuery, Said, StopQuery, Warned, WithReached};
use super::{Because, NoQuery, Wait};
use crate::answer;
use crate::body::Command;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::telemetry::facts;

/// What events call it.
const HALT: &str = "halt";

#[derive(Serialize)]
struct LiftAnswer {
    halted: bool,
    #[serde(flatten)]
    lifted: Lifted,
}

/// Stop every run now, and block new ones until the halt is lifted. It acts before it reads the body; a body that is
/// no `{"reason": "…"}` is a reason as it is.
#[utoipa::path(
    tag = "halt",
    params(HaltQuery),
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "Everything is halted", body = ref("#/components/schemas/Halt"))),
)]
#[put("/api/v1/halt")]
pub(crate) async fn halt(
    control: web::Data<Control>,
    caller: Caller,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut said = Said::default();
    let why = said.hear(&request, body);
    let HaltView { changed, ended, position, .. } = control.halt_first(caller.actor(None), why).await?;
    facts::note(|facts| {
        facts.subjects = vec![HALT.to_owned()];
        facts.acted(position, changed.unwrap_or_default(), &ended);
    });
    let halt = said.wait.confirmed(&control).await;
    Ok(answer::ok(&Warned { answer: HaltView { changed, ended, ..halt }, warnings: said.warnings }))
}

/// Whether everything is halted, since when and why, and how many clients confirmed.
#[utoipa::path(
    tag = "halt",
    responses((status = 200, description = "Whether it is", body = ref("#/components/schemas/Halt"))),
)]
#[get("/api/v1/halt")]
pub(crate) async fn read(control: web::Data<Control>, _query: web::Query<NoQuery>) -> HttpResponse {
    answer::ok(&control.halt_view())
}

/// Allow runs again. Runs that the halt ended stay ended.
#[utoipa::path(
    tag = "halt",
    params(StopQuery),
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "The halt is lifted", body = ref("#/components/schemas/Lifted"))),
)]
#[delete("/api/v1/halt")]
pub(crate) async fn lift(
    control: web::Data<Control>,
    caller: Caller,
    query: web::Query<StopQuery>,
    because: Command<Because>,
) -> Result<HttpResponse, Problem> {
    let StopQuery { reason, wait } = query.into_inner();
    let wait = Wait::read(wait.as_deref())?;
    let lifted = control.lift(caller.actor(because.0.reason.or(reason))).await?;
    facts::note(|facts| {
        facts.subjects = vec![HALT.to_owned()];
        facts.acted(lifted.position, lifted.changed, &[]);
    });
    let reached = wait.reached(&control, lifted.position).await;
    let done = LiftAnswer { halted: control.halt_view().halted, lifted };
    Ok(answer::ok(&WithReached { done, reached }))
}
