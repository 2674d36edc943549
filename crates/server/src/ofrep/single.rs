//! One flag.

use std::borrow::Cow;

use actix_web::dev::{AppService, HttpServiceFactory, ResourceDef};
use actix_web::guard::{self, Guard};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use daybreak_control::Control;
use daybreak_model::ErrorCode;
use daybreak_model::limits::CONTEXT_BYTES_MAX;
use percent_encoding::percent_decode_str;

use super::bulk;
use super::evaluation::Evaluation;
use super::phrases::Written;
use super::request::{EvaluationRequest, Failure, context};
use crate::answer;
use crate::bodies::Limited;
use crate::caller::Caller;

/// Bytes that most answers fit into.
const ITEM_BYTES: usize = 384;

/// Evaluates one flag; with the role `evaluate` one that is marked `client: true`.
#[utoipa::path(
    post,
    path = "/ofrep/v1/evaluate/flags/{key}",
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
async fn evaluate_flag(
    control: web::Data<Control>,
    written: web::Data<Written>,
    caller: Caller,
    request: HttpRequest,
    body: Limited<CONTEXT_BYTES_MAX>,
) -> HttpResponse {
    let key = key(request.match_info().unprocessed());
    let context = match context(&body.0) {
        Ok(context) => context,
        Err(failure) => return failure.of(&key).respond(),
    };
    let state = control.state();
    let tells = caller.sees_all_flags();
    let flag = state.resources().flags.get(&*key);
    if !tells && !flag.is_some_and(|flag| flag.client) {
        if flag.is_none() {
            control.asked_in_vain(&key);
        }
        let (error_code, error_details) = (ErrorCode::FlagNotFound, ErrorCode::FlagNotFound.to_string());
        return Failure { key: Some(key.into_owned()), error_code, error_details }.respond();
    }
    let detail = state.snapshot().evaluate(&key, &context);
    control.tally_one(&state, &detail);
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
    HttpResponse::build(status).insert_header(answer::json()).body(text)
}

/// The route of one flag: its operation, and what serves it. Its key is all that follows, slashes too. With `{key:.*}` every
/// request would be matched against a regular expression.
pub(crate) use __path_evaluate_flag as OneFlag;

impl HttpServiceFactory for OneFlag {
    fn register(self, config: &mut AppService) {
        // The framework's own guard notes which methods there are, for an answer that is given before a request comes here.
        let guards: Vec<Box<dyn Guard>> = vec![Box::new(guard::fn_guard(|asked| asked.head().method == Method::POST))];
        config.register_service(ResourceDef::prefix(bulk::PATH), Some(guards), web::to(evaluate_flag), None);
    }
}

/// The key in what follows the path of all flags. There is a slash in front of it; a few characters are still escaped, which no flag's
/// key has.
fn key(rest: &str) -> Cow<'_, str> {
    percent_decode_str(rest.strip_prefix('/').unwrap_or(rest)).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_clients_send_them() {
        let cases = [
            ("/flag-7", "flag-7"),
            ("/", ""),
            ("/a/b", "a/b"),
            ("//a", "/a"),
            ("/a%2Fb", "a/b"),
            ("/a%2fb%25", "a/b%"),
            ("/a%2", "a%2"),
            ("/a%zz", "a%zz"),
            ("/a+b", "a+b"),
            ("/%ff", "\u{fffd}"),
        ];
        for (rest, expected) in cases {
            assert_eq!(key(rest), expected, "{rest}");
        }
    }
}
