//! Error budgets: what is left, how fast it burns.

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;

use super::NoQuery;
use crate::answer;
use crate::problem::Problem;

/// Where the error budget of an SLO stands: what is left, how fast it burns, when it will be gone, and how it burned over
/// the window.
#[utoipa::path(
    tag = "slos",
    params(("key" = String, Path, description = "The SLO")),
    responses(
        (status = 200, description = "The budget now", body = ref("#/components/schemas/Budget")),
        (status = 404, description = "There is no such SLO"),
    ),
)]
#[get("/api/v1/slos/{key}/status")]
pub(crate) async fn status(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.budget(&key)?))
}
