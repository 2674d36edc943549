//! On-calls: how often they were paged, and what a further page would do.

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;

use super::NoQuery;
use crate::answer;
use crate::problem::Problem;

/// How an on-call stands: what counts, when it ages out, what a further page would do, and which pages and incidents it was.
#[utoipa::path(
    tag = "on_call",
    params(("key" = String, Path, description = "The on-call SLO")),
    responses(
        (status = 200, description = "The on-call now", body = ref("#/components/schemas/OnCallStatus")),
        (status = 404, description = "There is no such on-call"),
    ),
)]
#[get("/api/v1/on-call/{key}/status")]
pub(crate) async fn status(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.on_call_status(&key)?))
}
