//! One flag.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use daybreak_control::Control;
use daybreak_model::ErrorCode;
use daybreak_model::limits::CONTEXT_BYTES_MAX;

use super::evaluation::Evaluation;
use super::request::{EvaluationRequest, context};
use crate::answer;
use crate::limits::Limited;

/// Evaluates one flag.
#[utoipa::path(
    tag = "OFREP",
    params(("key" = String, Path, description = "The flag")),
    request_body = EvaluationRequest,
    responses(
        (status = 200, description = "What it serves", body = ref("#/components/schemas/OfrepSuccess")),
        (status = 400, description = "PARSE_ERROR, TARGETING_KEY_MISSING, INVALID_CONTEXT or GENERAL",
         body = ref("#/components/schemas/OfrepFailure")),
        (status = 404, description = "FLAG_NOT_FOUND", body = ref("#/components/schemas/OfrepFailure")),
    ),
)]
#[post("/ofrep/v1/evaluate/flags/{key:.*}")]
pub(crate) async fn evaluate_flag(
    control: web::Data<Control>,
    key: web::Path<String>,
    body: Limited<CONTEXT_BYTES_MAX>,
) -> HttpResponse {
    let context = match context(&body.0) {
        Ok(context) => context,
        Err(failure) => return failure.of(&key).respond(),
    };
    let state = control.state();
    let detail = state.snapshot().evaluate(&key, &context);
    let evaluation = Evaluation { key: &key, detail: &detail };
    let status = match evaluation.error() {
        None => StatusCode::OK,
        Some(ErrorCode::FlagNotFound) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    answer::compact(&mut HttpResponse::build(status), &evaluation)
}
