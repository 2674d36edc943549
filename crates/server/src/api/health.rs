//! Whether the server lives, and whether what it serves is fresh.

use actix_web::{HttpResponse, get, web};
use daybreak_control::{Control, Health};
use serde::Serialize;

use crate::answer;
use crate::problem::{Code, Problem};

#[derive(Serialize)]
struct Readiness<'a> {
    environment: &'a str,
    /// Streams open now.
    streams: usize,
    #[serde(flatten)]
    health: Health,
}

/// The process lives.
#[utoipa::path(
    tag = "server",
    responses((status = 200, description = "It does", body = ref("#/components/schemas/Liveness"))),
)]
#[get("/healthz")]
pub(crate) async fn live() -> HttpResponse {
    answer::ok(&serde_json::json!({ "status": "live" }))
}

/// What is served is fresh; red while it is stale, or while the server stops.
#[utoipa::path(
    tag = "server",
    responses(
        (status = 200, description = "It is", body = ref("#/components/schemas/Readiness")),
        (status = 503, description = "The reasons"),
    ),
)]
#[get("/readyz")]
pub(crate) async fn ready(control: web::Data<Control>) -> Result<HttpResponse, Problem> {
    let health = control.health();
    if !health.ready {
        return Err(Problem::new(Code::NotReady, health.problems.join("; ")).with("reasons", health.problems));
    }
    let environment = &control.options().environment;
    Ok(answer::ok(&Readiness { environment, streams: control.open_streams(), health }))
}
