//! Calendars: open now? closes when? opens when?

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;

use super::NoQuery;
use crate::answer;
use crate::problem::Problem;

/// Whether a calendar is open, when it closes, when it opens, and until when its holidays are known.
#[utoipa::path(
    tag = "hours",
    params(("key" = String, Path, description = "The calendar")),
    responses(
        (status = 200, description = "The calendar now", body = ref("#/components/schemas/HoursStatus")),
        (status = 404, description = "There is no such calendar"),
    ),
)]
#[get("/api/v1/hours/{key}/status")]
pub(crate) async fn status(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok(&control.hours_status(&key)?))
}
