//! Whether the server lives, and whether what it serves is fresh.

use actix_web::{HttpResponse, get, web};
use daybreak_control::{Control, Health, Right};
use serde::Serialize;

use crate::answer;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

#[derive(Serialize)]
struct Readiness<'a> {
    environment: &'a str,
    /// Streams open now.
    streams: usize,
    #[serde(flatten)]
    health: Health,
}

/// What strangers are told.
#[derive(Serialize)]
struct Ready {
    ready: bool,
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

/// What is served is fresh; red while it is stale, or while the server stops. Where tokens are asked for, who may not
/// read is told no more than that.
#[utoipa::path(
    tag = "server",
    responses(
        (status = 200, description = "It is", body = ref("#/components/schemas/Readiness")),
        (status = 503, description = "The reasons"),
    ),
)]
#[get("/readyz")]
pub(crate) async fn ready(control: web::Data<Control>, caller: Caller) -> Result<HttpResponse, Problem> {
    let health = control.health();
    if !caller.may(Right::Read) {
        let why = "what is served is stale, or the server stops; who may read is told more";
        return if health.ready {
            Ok(answer::ok(&Ready { ready: true }))
        } else {
            Err(Problem::new(Code::NotReady, why))
        };
    }
    if !health.ready {
        return Err(Problem::new(Code::NotReady, health.problems.join("; ")).with("reasons", health.problems));
    }
    let environment = &control.options().environment;
    Ok(answer::ok(&Readiness { environment, streams: control.open_streams(), health }))
}
