//! The body of a request: an evaluation context.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use daybreak_model::{Context, ErrorCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plain::{PlainContext, PlainRequest};
use crate::answer;
use crate::body::Mapping;

/// Why a whole request failed, rather than one flag.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The flag that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What went wrong, in OpenFeature's words.
    pub error_code: ErrorCode,
    /// The same for people.
    pub error_details: String,
}

/// An evaluation request.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EvaluationRequest {
    /// The evaluation context: `targetingKey` and any other attributes.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"targetingKey": "user-7", "country": "DE"}))]
    context: Option<serde_json::Value>,
}

/// Reads the context of a request. An absent one is empty.
///
/// # Errors
/// With `PARSE_ERROR` where the body is no JSON, and `INVALID_CONTEXT` where the context is malformed.
pub(super) fn context(body: &[u8]) -> Result<Context, Failure> {
    // As a text it is looked at once; as bytes, each text in it would be.
    let plain = std::str::from_utf8(body).ok().and_then(|body| serde_json::from_str(body).ok());
    if let Some(Mapping(PlainRequest { context })) = plain {
        return Ok(context.map(|PlainContext(context)| context).unwrap_or_default());
    }
    if body.is_empty() {
        return Ok(Context::default());
    }
    let failure = |error_code, error_details| Failure { key: None, error_code, error_details };
    let Mapping(request): Mapping<EvaluationRequest> = serde_json::from_slice(body).map_err(|error| {
        failure(ErrorCode::ParseError, format!("the body is not the JSON `{{\"context\": {{…}}}}`: {error}"))
    })?;
    let Some(context) = request.context else { return Ok(Context::default()) };
    Context::from_json(&context).map_err(|error| failure(ErrorCode::InvalidContext, error.to_string()))
}

impl Failure {
    /// The failure of the one flag asked for.
    pub(super) fn of(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// As an answer, with the status that OFREP gives the code.
    pub(super) fn respond(&self) -> HttpResponse {
        let status = match self.error_code {
            ErrorCode::FlagNotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        answer::compact(&mut HttpResponse::build(status), self)
    }
}
