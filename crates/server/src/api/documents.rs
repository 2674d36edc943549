//! Many resources at once: apply documents, export them.

use actix_web::http::header::{ACCEPT, ETAG};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use daybreak_control::{Actor, ApplyOptions, Changed, Control, Reached, Refusal};
use daybreak_model::wire::Position;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Wait, switch};
use crate::answer;
use crate::body::Document;
use crate::caller::Caller;
use crate::etag::{Tags, quoted};
use crate::offload::Offload;
use crate::problem::{Code, Problem};
use crate::telemetry::facts;

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
    /// Why a freeze of changes is overridden; an admin's alone.
    r#override: Option<String>,
    /// Answer once every client that follows the stream has the change, or after this time, 30 s at most: `2s`.
    wait: Option<String>,
}

/// What was applied.
#[derive(Serialize)]
pub(super) struct Applied {
    #[serde(flatten)]
    pub(super) changed: Changed,
    /// How far it has come, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reached: Option<Reached>,
}

/// Apply a document of many resources as one revision: all or nothing.
#[utoipa::path(
    tag = "documents",
    params(
        ApplyQuery,
        ("If-Match" = Option<String>, Header, description = "Only at this position: the `ETag` of an export"),
    ),
    request_body(content = ref("#/components/schemas/Document"), description = "A document, JSON or YAML"),
    responses(
        (status = 200, description = "What changed, or with `dry_run` what would", body = ref("#/components/schemas/Changed")),
        (status = 409, description = "Something that others name would go"),
        (status = 412, description = "The server does not stand there any more"),
        (status = 422, description = "Every fault of the document, with its line and column"),
    ),
)]
#[post("/api/v1/apply")]
pub(crate) async fn apply(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<ApplyQuery>,
    mut document: Document,
) -> Result<HttpResponse, Problem> {
    let ApplyQuery { dry_run, prune, reason, r#override, wait } = query.into_inner();
    // What changes nothing reaches nobody.
    let wait = Wait::read(wait.as_deref())?.unless(dry_run);
    let actor = Actor { waits: wait.is_asked(), ..caller.actor(reason).overriding(r#override) };
    let (work, source) = (control.clone(), document.source.clone());
    let options = ApplyOptions { dry_run, prune, only_at: only_at(&control, &request)? };
    let place = document.place();
    let apply = async move {
        let _place = place;
        work.apply(vec![source], options, actor).await
    };
    let changed = offload.run(apply).await?.map_err(|refusal| match refusal {
        Refusal::Conflict { at } if options.only_at.is_some() => elsewhere(at),
        refusal => document.refused(refusal),
    })?;
    facts::note(|facts| facts.changed(&changed));
    let reached = wait.reached(&control, changed.position).await;
    Ok(answer::ok(&Applied { changed, reached }))
}

/// The revision at which alone a request wants its document applied.
fn only_at(control: &Control, request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let at = control.position();
    match Tags::if_match(request.headers())? {
        Tags::Absent | Tags::Any => Ok(None),
        tags if tags.contains(&at.to_string()) => Ok(Some(at.revision)),
        Tags::OneOf(_) => Err(elsewhere(at)),
    }
}

fn elsewhere(at: Position) -> Problem {
    let detail = format!("the server stands at {at}, which is not the position expected; export, and apply anew");
    Problem::new(Code::PreconditionFailed, detail).header(ETAG, &quoted(at))
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
               content((ref("#/components/schemas/Document") = "application/yaml"),
                       (ref("#/components/schemas/Document") = "application/json")))),
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
