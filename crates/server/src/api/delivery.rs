//! How changes come to clients.

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;

use super::NoQuery;
use crate::offload::Offload;
use crate::problem::Problem;

/// How long changes took to reach clients since the server's start, and how many clients stand how.
#[utoipa::path(
    tag = "clients",
    responses((status = 200, description = "By the stream, and by polling", body = ref("#/components/schemas/Delivery"))),
)]
#[get("/api/v1/delivery")]
pub(crate) async fn delivery(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    offload: web::Data<Offload>,
) -> Result<HttpResponse, Problem> {
    offload.ok(move || control.delivery()).await
}
