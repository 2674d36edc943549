//! What a resource was, and going back to it.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use daybreak_control::Control;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::resources::{self, Done, ResourcePath};
use super::{ChangeQuery, events};
use crate::body::{Command, Options};
use crate::caller::Caller;
use crate::offload::Offload;
use crate::problem::Problem;

/// Which part of the history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only events with a number below this one: the `next` of the page before.
    before: Option<u64>,
    /// How many at most: 100 unless said, 1,000 at most.
    limit: Option<usize>,
}

/// What happened to a resource, the latest first: what it was, what it became, by whom and why.
#[utoipa::path(
    params(("key" = String, Path, description = "The key"), HistoryQuery),
    responses(
        (status = 200, description = "Events", body = ref("#/components/schemas/Events")),
        (status = 404, description = "Nothing is known of it"),
    ),
)]
#[get("/{key}/history")]
pub(crate) async fn history(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    path: ResourcePath,
    query: web::Query<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    let limit = events::page(query.limit)?;
    let page = control.history(resources::kind(&word)?, &key, query.before, limit).await?;
    offload.ok(move || page).await
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Revert {
    /// The revision right after which it was as it is to be; before its last change unless said.
    revision: Option<u64>,
    /// Why, for the audit log.
    reason: Option<String>,
}

impl Options for Revert {
    const EXAMPLE: &'static str = r#"{"revision": 7}"#;
}

/// Make a resource what it was.
#[utoipa::path(
    params(
        ("key" = String, Path, description = "The key"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change this revision only"),
    ),
    request_body(content = Revert, description = "Optional"),
    responses(
        (status = 200, description = "What changed, and what it is now", body = ref("#/components/schemas/ChangedResource"), headers(("ETag" = String))),
        (status = 404, description = "The history does not reach back that far"),
        (status = 412, description = "The precondition does not hold"),
        (status = 422, description = "What it was is not valid any more"),
    ),
)]
#[post("/{key}/revert")]
pub(crate) async fn revert(
    control: web::Data<Control>,
    caller: Caller,
    request: HttpRequest,
    path: ResourcePath,
    query: web::Query<ChangeQuery>,
    revert: Command<Revert>,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    let kind = resources::kind(&word)?;
    let asked = resources::asked(&control, &request, kind, &key)?;
    let Command(Revert { revision, reason }) = revert;
    let (actor, wait) = query.into_inner().asks(&caller, reason)?;
    let done = control.revert(kind, &key, revision, asked, actor).await?;
    Ok(Done::new(done, wait).answer(&control, kind, &key).await)
}
