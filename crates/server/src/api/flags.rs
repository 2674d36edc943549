//! Flags: turn them on and off, and ask why they answer as they do.

use actix_web::{HttpRequest, HttpResponse, post, web};
use daybreak_control::Control;
use daybreak_engine::{Explanation, ValueRef};
use daybreak_model::limits::CONTEXT_BYTES_MAX;
use daybreak_model::{Context, ErrorCode, Kind, Reason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::resources::{self, Done};
use super::{Because, ChangeQuery, NoQuery};
use crate::answer;
use crate::bodies::Limited;
use crate::body::{self, Command, Options};
use crate::caller::Caller;
use crate::problem::{Code, Problem};

/// Turn a flag on: its rules answer. Where it is on, nothing changes.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag"), ChangeQuery),
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "What changed", body = ref("#/components/schemas/ChangedFlag"))),
)]
#[post("/api/v1/flags/{key}/enable")]
pub(crate) async fn enable(
    control: web::Data<Control>,
    caller: Caller,
    request: HttpRequest,
    key: web::Path<String>,
    query: web::Query<ChangeQuery>,
    because: Command<Because>,
) -> Result<HttpResponse, Problem> {
    let asked = resources::asked(&control, &request, Kind::Flag, &key)?;
    let (actor, wait) = query.into_inner().asks(&caller, because.0.reason)?;
    let done = Done::new(control.enable(Kind::Flag, &key, asked, actor).await?, wait);
    Ok(Done { enabled: Some(true), ..done }.answer(&control, Kind::Flag, &key).await)
}

/// Turn a flag off: it serves `off`, with reason DISABLED. Where it is off, nothing changes.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag"), ChangeQuery),
    request_body(content = Because, description = "Optional"),
    responses((status = 200, description = "What changed", body = ref("#/components/schemas/ChangedFlag"))),
)]
#[post("/api/v1/flags/{key}/disable")]
pub(crate) async fn disable(
    control: web::Data<Control>,
    caller: Caller,
    request: HttpRequest,
    key: web::Path<String>,
    query: web::Query<ChangeQuery>,
    because: Command<Because>,
) -> Result<HttpResponse, Problem> {
    let asked = resources::asked(&control, &request, Kind::Flag, &key)?;
    let (actor, wait) = query.into_inner().asks(&caller, because.0.reason)?;
    let done = Done::new(control.disable(Kind::Flag, &key, asked, actor).await?, wait);
    Ok(Done { enabled: Some(false), ..done }.answer(&control, Kind::Flag, &key).await)
}

/// Whom to evaluate a flag for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateRequest {
    /// The evaluation context; empty unless said.
    #[schema(value_type = Object, example = json!({"targetingKey": "user-7", "country": "DE"}))]
    context: Option<serde_json::Value>,
}

impl Options for EvaluateRequest {
    const EXAMPLE: &'static str = r#"{"context": {"country": "DE"}}"#;
}

/// What a flag answers, and why.
#[derive(Debug, Serialize)]
struct EvaluateAnswer<'a> {
    /// The flag.
    flag: &'a str,
    /// What it serves.
    value: Option<ValueRef<'a>>,
    /// The name of what it serves.
    variant: Option<&'a str>,
    /// Why.
    reason: Reason,
    /// The rule that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// The prerequisite that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    prerequisite: Option<&'a str>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<EvaluateError>,
    /// The revision that last changed the flag.
    revision: u64,
    /// Rule by rule: what it made of the context, and why it did not match.
    trace: Option<Explanation>,
}

#[derive(Debug, Serialize)]
struct EvaluateError {
    code: ErrorCode,
    message: String,
}

/// Evaluate a flag, with the trace: rule by rule, and why not.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag")),
    request_body(content = EvaluateRequest, description = "Optional"),
    responses(
        (status = 200, description = "What it answers, and why", body = ref("#/components/schemas/Evaluated")),
        (status = 404, description = "There is no such flag"),
    ),
)]
#[post("/api/v1/flags/{key}/evaluate")]
pub(crate) async fn evaluate(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    key: web::Path<String>,
    body: Limited<CONTEXT_BYTES_MAX>,
) -> Result<HttpResponse, Problem> {
    let request: EvaluateRequest = body::options(body.0)?;
    let context = request.context.as_ref().map_or_else(|| Ok(Context::default()), Context::from_json);
    let context = context.map_err(|error| Problem::new(Code::InvalidContext, error.to_string()))?;
    let state = control.state();
    let detail = state.snapshot().evaluate(&key, &context);
    if detail.error() == Some(ErrorCode::FlagNotFound) {
        return Err(state.not_found(Kind::Flag, &key).into());
    }
    Ok(answer::ok(&EvaluateAnswer {
        flag: &key,
        value: detail.value(),
        variant: detail.variant().map(|variant| variant.as_str()),
        reason: detail.reason(),
        rule: detail.rule().map(|rule| rule.as_str()),
        prerequisite: detail.prerequisite().map(|flag| flag.as_str()),
        error: detail.error().map(|code| EvaluateError { code, message: detail.message().unwrap_or_default() }),
        revision: detail.revision(),
        trace: state.snapshot().explain(&key, &context),
    }))
}
