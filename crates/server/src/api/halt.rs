//! The big red button.

use actix_web::{HttpResponse, delete, get, put, web};
use daybreak_control::{Control, HaltView, Lifted};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Because, Wait, somebody};
use crate::answer;
use crate::body::Command;
use crate::problem::Problem;

/// How to halt.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct HaltQuery {
    /// Answer once every live client has confirmed, or after this time, 30 s at most: `2s`.
    wait: Option<String>,
}

#[derive(Serialize)]
struct LiftAnswer {
    halted: bool,
    #[serde(flatten)]
    lifted: Lifted,
}

/// Stop every run now, and block new ones until the halt is lifted.
#[utoipa::path(
    tag = "halt",
    params(HaltQuery),
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "Everything is halted", body = ref("#/components/schemas/Halt"))),
)]
#[put("/api/v1/halt")]
pub(crate) async fn halt(
    control: web::Data<Control>,
    query: web::Query<HaltQuery>,
    because: Command<Because>,
) -> Result<HttpResponse, Problem> {
    // Nothing about waiting keeps anybody from halting: what is no length of time is not waited for.
    let wait = Wait::read(query.wait.as_deref()).unwrap_or_default();
    let HaltView { changed, ended, .. } = control.halt(somebody(because.0.reason)).await?;
    let halt = wait.confirmed(&control).await;
    Ok(answer::ok(&HaltView { changed, ended, ..halt }))
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
