//! Tokens: make, list, revoke.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpResponse, delete, get, post, web};
use daybreak_control::Control;
use daybreak_control::tokens::{NewToken, Role, TokenId, TokenView};
use daybreak_model::Millis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{NoQuery, switch};
use crate::answer;
use crate::body::{Command, Options};
use crate::caller::Caller;
use crate::problem::{Code, Problem};

/// Nobody between keeps what these routes answer.
const NO_STORE: &str = "no-store";

/// The token to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CreateToken {
    /// Its name, of a key's form.
    #[schema(required, example = "checkout-eu")]
    name: String,
    /// What it may do: `evaluate`, `pager`, `sdk`, `viewer`, `operator` or `admin`.
    #[schema(required, example = "sdk")]
    role: String,
    /// How long it lives; for ever unless said.
    #[schema(example = "90d")]
    expires: Option<String>,
    /// Why, for the audit log.
    reason: Option<String>,
}

impl Options for CreateToken {
    const EXAMPLE: &'static str = r#"{"name": "checkout-eu", "role": "sdk"}"#;
}

/// How to revoke.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct RevokeQuery {
    /// The last admin's, too.
    #[serde(deserialize_with = "switch")]
    force: bool,
    /// Why, for the audit log.
    reason: Option<String>,
}

#[derive(Serialize)]
struct Created<'a> {
    /// The token itself. It is shown this once.
    secret: &'a str,
    #[serde(flatten)]
    token: TokenView,
}

#[derive(Serialize)]
struct Tokens {
    tokens: Vec<TokenView>,
}

/// Make a token. Its secret is in the answer, and is never shown again. From the first one on everybody is asked for a
/// token; so the first is an admin's.
#[utoipa::path(
    tag = "tokens",
    request_body(content = CreateToken),
    responses(
        (status = 201, description = "The token, with its secret", body = ref("#/components/schemas/CreatedToken"), headers(("Location" = String))),
        (status = 409, description = "The name is taken, or nobody could administrate"),
    ),
)]
#[post("/api/v1/tokens")]
pub(crate) async fn create(
    control: web::Data<Control>,
    caller: Caller,
    _query: web::Query<NoQuery>,
    token: Command<CreateToken>,
) -> Result<HttpResponse, Problem> {
    let Command(CreateToken { name, role, expires, reason }) = token;
    let wrong = |field: &str, why: String| Problem::new(Code::BadRequest, format!("`{field}`: {why}"));
    let role: Role = role.parse().map_err(|why| wrong("role", format!("{why}")))?;
    let expires = expires.map(|text| text.parse::<Millis>()).transpose();
    let expires = expires.map_err(|why| wrong("expires", format!("{why}")))?;
    let (token, secret) = control.create_token(NewToken { name, role, expires }, caller.actor(reason)).await?;
    let mut response = HttpResponse::build(StatusCode::CREATED);
    response.insert_header((LOCATION, format!("/api/v1/tokens/{}", token.id))).insert_header((CACHE_CONTROL, NO_STORE));
    Ok(answer::finish(&mut response, &Created { secret: secret.reveal(), token }))
}

/// All tokens, with their last use; never their secrets.
#[utoipa::path(
    tag = "tokens",
    responses((status = 200, description = "The oldest first", body = ref("#/components/schemas/Tokens"))),
)]
#[get("/api/v1/tokens")]
pub(crate) async fn list(control: web::Data<Control>, _query: web::Query<NoQuery>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, NO_STORE));
    answer::finish(&mut response, &Tokens { tokens: control.tokens() })
}

/// Revoke a token, now: it is refused, and its streams end.
#[utoipa::path(
    tag = "tokens",
    params(("id" = String, Path, description = "The token's id"), RevokeQuery),
    responses(
        (status = 200, description = "The token that was", body = ref("#/components/schemas/Token")),
        (status = 404, description = "There is no such token"),
        (status = 409, description = "It is the last admin's"),
    ),
)]
#[delete("/api/v1/tokens/{id}")]
pub(crate) async fn revoke(
    control: web::Data<Control>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<RevokeQuery>,
) -> Result<HttpResponse, Problem> {
    let RevokeQuery { force, reason } = query.into_inner();
    let id: TokenId = id.parse().map_err(|_| {
        Problem::new(Code::NotFound, "a token's id has 12 characters of 0-9 and a-f; `GET /api/v1/tokens` lists them")
    })?;
    Ok(answer::ok(&control.revoke_token(id, force, caller.actor(reason)).await?))
}
