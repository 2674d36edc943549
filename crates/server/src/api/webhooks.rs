//! Webhooks: what became of them, and a test of one.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, post, web};
use daybreak_control::{Control, WebhookStatus};
use serde::Serialize;

use super::{Because, NoQuery};
use crate::answer;
use crate::body::Command;
use crate::caller::Caller;
use crate::problem::Problem;

#[derive(Serialize)]
struct Webhooks {
    webhooks: BTreeMap<String, WebhookStatus>,
}

/// The webhooks by name, and what became of them since the server started. Of their URLs only the host is shown.
#[utoipa::path(
    tag = "events",
    responses((status = 200, description = "By name", body = ref("#/components/schemas/Webhooks"))),
)]
#[get("/api/v1/webhooks")]
pub(crate) async fn list(control: web::Data<Control>, _query: web::Query<NoQuery>) -> HttpResponse {
    answer::ok(&Webhooks { webhooks: control.webhooks() })
}

/// Tell a webhook of an event that is a test, once, now.
#[utoipa::path(
    tag = "events",
    params(("name" = String, Path, description = "The webhook")),
    request_body(content = Because, description = "Optional"),
    responses(
        (status = 200, description = "Whether it arrived, and why not", body = ref("#/components/schemas/WebhookTest")),
        (status = 404, description = "There is no such webhook"),
    ),
)]
#[post("/api/v1/webhooks/{name}/test")]
pub(crate) async fn test(
    control: web::Data<Control>,
    caller: Caller,
    name: web::Path<String>,
    _query: web::Query<NoQuery>,
    because: Command<Because>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.test_webhook(&name, caller.actor(because.0.reason)).await?))
}
