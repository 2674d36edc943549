//! Where resources come from, and how what is served differs from the files.

use actix_web::{HttpResponse, get, web};
use daybreak_control::Control;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::resources::{self, ResourcePath};
use super::{NoQuery, switch};
use crate::answer;
use crate::offload::Offload;
use crate::problem::Problem;

/// Which resources.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct OriginsQuery {
    /// Only those that are not as their file says.
    #[param(default = false)]
    #[serde(deserialize_with = "switch")]
    differs: bool,
}

/// List where every resource comes from, a file or the API, and how it differs from its file.
#[utoipa::path(
    tag = "documents",
    params(OriginsQuery),
    responses((status = 200, description = "By kind and key", body = ref("#/components/schemas/Origins"))),
)]
#[get("/api/v1/origins")]
pub(crate) async fn list(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    query: web::Query<OriginsQuery>,
) -> Result<HttpResponse, Problem> {
    let work = control.clone();
    let list = move || {
        let mut origins = work.origins();
        origins.retain(|origin| origin.differs || !query.differs);
        json!({ "origins": origins })
    };
    offload.ok(list).await
}

/// Tell where a resource comes from, a file or the API, and how it differs from its file.
#[utoipa::path(
    params(("key" = String, Path, description = "The key")),
    responses(
        (status = 200, description = "Its origin", body = ref("#/components/schemas/Origin")),
        (status = 404, description = "Neither the server nor the files have it"),
    ),
)]
#[get("/{key}/origin")]
pub(crate) async fn read(
    control: web::Data<Control>,
    _query: web::Query<NoQuery>,
    path: ResourcePath,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    Ok(answer::ok(&control.origin(resources::kind(&word)?, &key)?))
}
