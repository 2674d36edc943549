//! One flag.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use daybreak_control::{Asked, Control};
use daybreak_model::ErrorCode;
use daybreak_model::limits::CONTEXT_BYTES_MAX;

use super::evaluation::Evaluation;
use super::phrases::Written;
use super::request::{EvaluationRequest, Failure, context};
use crate::bodies::Limited;
use crate::caller::Caller;

/// Bytes that most answers fit into.
const ITEM_BYTES: usize = 384;

/// Evaluates one flag; with the role `evaluate` one that is marked `client: true`.
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
    written: web::Data<Written>,
    caller: Caller,
    key: web::Path<String>,
    body: Limited<CONTEXT_BYTES_MAX>,
) -> HttpResponse {
    let context = match context(&body.0) {
        Ok(context) => context,
        Err(failure) => return failure.of(&key).respond(),
    };
    let state = control.state();
    let tells = caller.sees_all_flags();
    let flag = state.resources().flags.get(key.as_str());
    if !tells && !flag.is_some_and(|flag| flag.client) {
        if flag.is_none() {
            control.asked_in_vain(&key);
        }
        let (error_code, error_details) = (ErrorCode::FlagNotFound, ErrorCode::FlagNotFound.to_string());
        return Failure { key: Some(key.into_inner()), error_code, error_details }.respond();
    }
    let detail = state.snapshot().evaluate(&key, &context);
    control.tally(&state, Asked::Flag).count(&detail);
    let evaluation = Evaluation { key: &key, detail: &detail, environment: state.environment(), tells };
    let status = match evaluation.error() {
        None => StatusCode::OK,
        Some(ErrorCode::FlagNotFound) => {
            control.asked_in_vain(&key);
            StatusCode::NOT_FOUND
        }
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let mut text = Vec::with_capacity(ITEM_BYTES);
    written.of(&state).write(&evaluation, &mut text);
    text.push(b'\n');
    HttpResponse::build(status).content_type("application/json").body(text)
}
