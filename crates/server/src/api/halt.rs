//! The big red button.

use actix_web::{HttpResponse, delete, get, put, web};
use daybreak_control::{Control, Lifted};
use serde::Serialize;

use super::{Because, somebody};
use crate::answer;
use crate::body::Command;
use crate::problem::Problem;

#[derive(Serialize)]
struct LiftAnswer {
    halted: bool,
    #[serde(flatten)]
    lifted: Lifted,
}

/// Stop every run now, and block new ones until the halt is lifted.
#[utoipa::path(
    tag = "halt",
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "Everything is halted", body = ref("#/components/schemas/Halt"))),
)]
#[put("/api/v1/halt")]
pub(crate) async fn halt(control: web::Data<Control>, because: Command<Because>) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.halt(somebody(because.0.reason)).await?))
}

/// Whether everything is halted, since when and why, and how many clients confirmed.
#[utoipa::path(
    tag = "halt",
    responses((status = 200, description = "Whether it is", body = ref("#/components/schemas/Halt"))),
)]
#[get("/api/v1/halt")]
pub(crate) async fn read(control: web::Data<Control>) -> HttpResponse {
    answer::ok(&control.halt_view())
}

/// Allow runs again. Runs that the halt ended stay ended.
#[utoipa::path(
    tag = "halt",
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "The halt is lifted", body = ref("#/components/schemas/Lifted"))),
)]
#[delete("/api/v1/halt")]
pub(crate) async fn lift(control: web::Data<Control>, because: Command<Because>) -> Result<HttpResponse, Problem> {
    let lifted = control.lift(somebody(because.0.reason)).await?;
    Ok(answer::ok(&LiftAnswer { halted: control.halt_view().halted, lifted }))
}
