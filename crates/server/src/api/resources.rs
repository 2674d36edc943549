//! Resources of every kind: list, read, put, patch, delete.
//!
//! The paths are written once, for all kinds; the API's description writes them out for each.

use std::fmt::Display;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, put, web};
use daybreak_control::{Changed, Control, Precondition, Reached, Resource, State};
use daybreak_model::Kind;
use daybreak_model::wire::Position;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;

use super::{Because, ChangeQuery, NoQuery, Wait, switch};
use crate::answer;
use crate::body::{Command, Document};
use crate::caller::Caller;
use crate::etag::{Tags, precondition, quoted};
use crate::offload::Offload;
use crate::problem::{Code, Problem};
use crate::telemetry::facts;

pub(super) type ResourcePath = web::Path<(String, String)>;

/// What a change of one resource did, and what the resource is now.
#[derive(Serialize)]
pub(super) struct ChangedOne {
    /// Whether it is enabled, where that was the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
    #[serde(flatten)]
    pub(super) changed: Changed,
    /// How far it has come, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reached: Option<Reached>,
    /// What the resource is now; absent where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<Resource>,
}

/// The kind that a path names. The route lets no other word in.
pub(super) fn kind(word: &str) -> Result<Kind, Problem> {
    let known = Kind::ALL.into_iter().find(|kind| kind.path() == word);
    known.ok_or_else(|| Problem::new(Code::NoRoute, format!("there are no `{word}`")))
}

/// What the request's headers ask of a resource.
pub(super) fn asked(control: &Control, request: &HttpRequest, kind: Kind, key: &str) -> Result<Precondition, Problem> {
    let state = control.state();
    let store = state.position().store;
    precondition(request.headers(), state.revision(kind, key).map(|revision| Position { store, revision }))
}

/// A change that was made, and how to answer it.
pub(super) struct Done {
    pub(super) changed: Changed,
    /// Whether the resource is new: then the answer is 201.
    pub(super) new: bool,
    /// Whether it is enabled, where that was the question.
    pub(super) enabled: Option<bool>,
    pub(super) wait: Wait,
}

impl Done {
    /// A change of a resource that was there before.
    pub(super) fn new(changed: Changed, wait: Wait) -> Self {
        Self { changed, new: false, enabled: None, wait }
    }

    /// The answer, with what the resource is now.
    pub(super) async fn answer(self, control: &Control, kind: Kind, key: &str) -> HttpResponse {
        let Self { changed, new, enabled, wait } = self;
        facts::note(|facts| facts.changed(&changed));
        // Before others can change it while we wait.
        let state = control.state();
        let resource = state.told(kind, key);
        let reached = wait.reached(control, changed.position).await;
        let mut response = HttpResponse::build(if new { StatusCode::CREATED } else { StatusCode::OK });
        if let Some(resource) = &resource {
            response.insert_header((ETAG, quoted(tag(&state, resource))));
        }
        answer::finish(&mut response, &ChangedOne { enabled, changed, reached, resource })
    }
}

/// The tag of a resource.
fn tag(state: &State, resource: &Resource) -> Position {
    Position { store: state.position().store, revision: resource.revision }
}

/// Whether the client already has what this tag stands for.
fn has(request: &HttpRequest, tag: impl Display) -> Result<Option<HttpResponse>, Problem> {
    let tag = tag.to_string();
    let known = Tags::if_none_match(request.headers())?.contains(&tag);
    Ok(known.then(|| HttpResponse::NotModified().insert_header((ETAG, quoted(tag))).finish()))
}

fn tagged(tag: impl Display, text: Vec<u8>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, quoted(tag))).insert_header((CACHE_CONTROL, "no-cache"));
    response.content_type("application/json").body(text)
}

/// Which of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ListQuery {
    /// Only flags that have expired; of flags alone.
    #[param(default = false)]
    #[serde(deserialize_with = "switch")]
    expired: bool,
}

/// List every resource by key, in the form of documents.
#[utoipa::path(
    params(ListQuery, ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer")),
    responses(
        (status = 200, description = "A document", body = ref("#/components/schemas/ResourceList"), headers(("ETag" = String))),
        (status = 304, description = "Nothing has changed"),
    ),
)]
#[get("")]
pub(crate) async fn list(
    control: web::Data<Control>,
    query: web::Query<ListQuery>,
    offload: web::Data<Offload>,
    request: HttpRequest,
    word: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (kind, state) = (kind(&word)?, control.state());
    if query.expired {
        if kind != Kind::Flag {
            return Err(Problem::new(Code::BadRequest, "`expired` is asked of flags; nothing else expires"));
        }
        // A day may end without a change, so no tag stands for it.
        return offload.ok(move || section(kind, control.expired_flags())).await;
    }
    // What is listed may be of any revision, so the tag names the store, as a position does.
    let tag = state.position();
    if let Some(answer) = has(&request, tag)? {
        return Ok(answer);
    }
    let list = move || answer::pretty(&section(kind, state.list(kind)));
    Ok(tagged(tag, offload.compute(list).await?))
}

/// Resources of a kind, as a document of them alone.
fn section(kind: Kind, resources: Vec<Resource>) -> serde_json::Value {
    let resources = resources.into_iter().map(|resource| (resource.key.to_string(), resource.document));
    json!({ kind.section(): resources.collect::<serde_json::Map<_, _>>() })
}

/// Read a resource, in the form of documents: what was read can be sent back.
#[utoipa::path(
    params(
        ("key" = String, Path, description = "The key"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer"),
    ),
    responses(
        (status = 200, description = "A document", body = ref("#/components/schemas/Resource"), headers(("ETag" = String))),
        (status = 304, description = "It has not changed"),
        (status = 404, description = "There is no such resource"),
    ),
)]
#[get("/{key}")]
pub(crate) async fn read(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    _query: web::Query<NoQuery>,
    request: HttpRequest,
    path: ResourcePath,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    let kind = kind(&word)?;
    let state = control.state();
    if state.is_long(kind, &key) {
        return read_long(request, state, offload, kind, key).await;
    }
    let resource = state.resource(kind, &key).ok_or_else(|| state.not_found(kind, &key))?;
    let tag = tag(&state, &resource);
    match has(&request, tag)? {
        Some(answer) => Ok(answer),
        None => Ok(tagged(tag, answer::pretty(&resource.document))),
    }
}

/// The same of a resource that takes a while to write out.
async fn read_long(
    request: HttpRequest,
    state: Arc<State>,
    offload: web::Data<Offload>,
    kind: Kind,
    key: String,
) -> Result<HttpResponse, Problem> {
    let revision = state.revision(kind, &key).ok_or_else(|| state.not_found(kind, &key))?;
    let tag = Position { store: state.position().store, revision };
    if let Some(answer) = has(&request, tag)? {
        return Ok(answer);
    }
    let text = move || state.resource(kind, &key).map(|resource| answer::pretty(&resource.document));
    Ok(tagged(tag, offload.compute(text).await?.unwrap_or_default()))
}

/// Create or replace a resource.
#[utoipa::path(
    params(
        ("key" = String, Path, description = "The key"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Replace this revision only"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: create, never replace"),
    ),
    request_body(content = ref("#/components/schemas/Resource"), description = "JSON or YAML"),
    responses(
        (status = 200, description = "What changed, and what it is now", body = ref("#/components/schemas/ChangedResource"), headers(("ETag" = String))),
        (status = 201, description = "It is new", body = ref("#/components/schemas/ChangedResource"), headers(("ETag" = String))),
        (status = 412, description = "The precondition does not hold"),
        (status = 422, description = "Every fault of the document, with its line and column"),
    ),
)]
#[put("/{key}")]
pub(crate) async fn put(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    caller: Caller,
    request: HttpRequest,
    path: ResourcePath,
    query: web::Query<ChangeQuery>,
    mut document: Document,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    let kind = kind(&word)?;
    let asked = asked(&control, &request, kind, &key)?;
    let new = control.state().revision(kind, &key).is_none();
    let (actor, wait) = query.into_inner().asks(&caller, None)?;
    let (work, source, subject) = (control.clone(), document.source.clone(), key.clone());
    let place = document.place();
    let put = async move {
        let _place = place;
        work.put(kind, &subject, source, asked, actor).await
    };
    let done = offload.run(put).await?.map_err(|refusal| document.refused(refusal))?;
    let done = Done { new: new && done.changed, ..Done::new(done, wait) };
    Ok(done.answer(&control, kind, &key).await)
}

/// Change fields of a resource: a JSON merge patch, with rules addressed by name.
#[utoipa::path(
    params(
        ("key" = String, Path, description = "The key"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change this revision only"),
    ),
    request_body(content = ref("#/components/schemas/ResourcePatch"), description = "JSON or YAML",
                 example = json!({"rules": {"eu-pro": {"percentage": "50%"}}})),
    responses(
        (status = 200, description = "What changed, and what it is now", body = ref("#/components/schemas/ChangedResource"), headers(("ETag" = String))),
        (status = 404, description = "There is no such resource"),
        (status = 412, description = "The precondition does not hold"),
        (status = 422, description = "Every fault of the patch, with its line and column"),
    ),
)]
#[patch("/{key}")]
pub(crate) async fn patch(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    caller: Caller,
    request: HttpRequest,
    path: ResourcePath,
    query: web::Query<ChangeQuery>,
    mut document: Document,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    let kind = kind(&word)?;
    let asked = asked(&control, &request, kind, &key)?;
    let (actor, wait) = query.into_inner().asks(&caller, None)?;
    let (work, source, subject) = (control.clone(), document.source.clone(), key.clone());
    let place = document.place();
    let patch = async move {
        let _place = place;
        work.patch(kind, &subject, source, asked, actor).await
    };
    let done = offload.run(patch).await?.map_err(|refusal| document.refused(refusal))?;
    Ok(Done::new(done, wait).answer(&control, kind, &key).await)
}

/// Delete a resource. A run of a deleted fault ends.
#[utoipa::path(
    params(
        ("key" = String, Path, description = "The key"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Delete this revision only"),
    ),
    request_body(content = Because, description = "Optional"),
    responses(
        (status = 200, description = "What changed", body = ref("#/components/schemas/ChangedResource")),
        (status = 404, description = "There is no such resource"),
        (status = 409, description = "Others name it: their list"),
        (status = 412, description = "The precondition does not hold"),
    ),
)]
#[delete("/{key}")]
pub(crate) async fn remove(
    control: web::Data<Control>,
    caller: Caller,
    request: HttpRequest,
    path: ResourcePath,
    query: web::Query<ChangeQuery>,
    because: Command<Because>,
) -> Result<HttpResponse, Problem> {
    let (word, key) = path.into_inner();
    let kind = kind(&word)?;
    let asked = asked(&control, &request, kind, &key)?;
    let (actor, wait) = query.into_inner().asks(&caller, because.0.reason)?;
    let done = control.delete(kind, &key, asked, actor).await?;
    Ok(Done::new(done, wait).answer(&control, kind, &key).await)
}
