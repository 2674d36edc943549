//! The life of flags: how often each variant was served, and which flags can be removed.

use actix_web::{HttpResponse, get, web};
use daybreak_control::{Control, STALE_AFTER_DEFAULT};
use daybreak_model::Millis;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer;
use crate::offload::Offload;
use crate::problem::{Code, Problem};

/// When a flag is of no use.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct LifeQuery {
    /// How long nobody asked for it, or it served always the same: `30d` unless said.
    after: Option<String>,
}

impl LifeQuery {
    fn after(self) -> Result<Millis, Problem> {
        let Some(text) = self.after else { return Ok(STALE_AFTER_DEFAULT) };
        let refused = |error| Problem::new(Code::BadRequest, format!("`after`: {error}"));
        text.parse().map_err(refused)
    }
}

/// The life of a flag: created, first and last evaluated, how often each variant was served, and why it can be removed.
#[utoipa::path(
    tag = "flags",
    params(("key" = String, Path, description = "The flag"), LifeQuery),
    responses(
        (status = 200, description = "As far as it is known", body = ref("#/components/schemas/FlagLife")),
        (status = 404, description = "There is no such flag"),
    ),
)]
#[get("/api/v1/flags/{key}/life")]
pub(crate) async fn life(
    control: web::Data<Control>,
    query: web::Query<LifeQuery>,
    key: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let after = query.into_inner().after()?;
    Ok(answer::ok(&control.life(&key, after).await?))
}

/// Flags that can be removed, each with why; and flags that are asked for and are not there.
#[utoipa::path(
    tag = "flags",
    params(LifeQuery),
    responses((status = 200, description = "By key", body = ref("#/components/schemas/StaleFlags"))),
)]
#[get("/api/v1/stale-flags")]
pub(crate) async fn stale(
    control: web::Data<Control>,
    query: web::Query<LifeQuery>,
    offload: web::Data<Offload>,
) -> Result<HttpResponse, Problem> {
    let after = query.into_inner().after()?;
    offload.ok(move || control.stale_flags(after)).await
}
