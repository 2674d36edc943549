//! Many resources at once: apply documents, export them.

use actix_web::http::header::{ACCEPT, ETAG};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use daybreak_control::{ApplyOptions, Control};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{somebody, switch};
use crate::answer;
use crate::body::Document;
use crate::etag::quoted;
use crate::offload::Offload;
use crate::problem::Problem;

/// How to apply.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ApplyQuery {
    /// Tell what would change, and change nothing.
    #[param(default = false)]
    #[serde(deserialize_with = "switch")]
    dry_run: bool,
    /// Remove what the document does not name.
    #[param(default = false)]
    #[serde(deserialize_with = "switch")]
    prune: bool,
    /// Why, for the audit log.
    reason: Option<String>,
}

/// Apply a document of many resources as one revision: all or nothing.
#[utoipa::path(
    tag = "documents",
    params(ApplyQuery),
    request_body(content = ref("#/components/schemas/Document"), description = "A document, JSON or YAML"),
    responses(
        (status = 200, description = "What changed, or with `dry_run` what would", body = ref("#/components/schemas/Changed")),
        (status = 409, description = "Something that others name would go"),
        (status = 422, description = "Every fault of the document, with its line and column"),
    ),
)]
#[post("/api/v1/apply")]
pub(crate) async fn apply(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    query: web::Query<ApplyQuery>,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let ApplyQuery { dry_run, prune, reason } = query.into_inner();
    let (work, source) = (control.clone(), document.source.clone());
    let options = ApplyOptions { dry_run, prune };
    let apply = async move { work.apply(vec![source], options, somebody(reason)).await };
    let done = offload.run(apply).await?.map_err(|refusal| document.refused(refusal))?;
    Ok(answer::ok(&done))
}

/// The forms of a document.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Yaml,
    Json,
}

/// How to export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ExportQuery {
    /// `yaml`, which is written unless said, or `json`.
    #[param(inline)]
    format: Option<Format>,
}

/// Export everything as one document, which `apply` takes back.
#[utoipa::path(
    tag = "documents",
    params(ExportQuery),
    responses((status = 200, description = "A document", headers(("ETag" = String)),
               content((String = "application/yaml"), (ref("#/components/schemas/Document") = "application/json")))),
)]
#[get("/api/v1/export")]
pub(crate) async fn export(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    request: HttpRequest,
    query: web::Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let accepts_json = || {
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        accept.contains("json") && !accept.contains("yaml")
    };
    let state = control.state();
    let json = match query.format {
        Some(Format::Json) => true,
        Some(Format::Yaml) => false,
        None => accepts_json(),
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, quoted(state.position())));
    response.content_type(if json { "application/json" } else { "application/yaml" });
    let export = move || match json {
        true => answer::pretty(&daybreak_document::encode(state.resources())),
        false => daybreak_document::to_yaml(state.resources()).into_bytes(),
    };
    Ok(response.body(offload.compute(export).await?))
}
