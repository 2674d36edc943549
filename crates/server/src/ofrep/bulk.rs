//! All flags at once, for clients whose context seldom changes.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, post, web};
use daybreak_control::{Control, State};
use daybreak_model::Context;
use daybreak_model::limits::CONTEXT_BYTES_MAX;
use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use super::evaluation::Evaluation;
use super::events::EventStream;
use super::fresh;
use super::phrases::{Phrases, Written, put};
use super::request::{EvaluationRequest, context};
use super::visible::{Version, Versions};
use crate::answer;
use crate::bodies::Limited;
use crate::caller::Caller;
use crate::etag::{Tags, quoted};
use crate::limits::INLINE_FLAGS_MAX;
use crate::offload::Offload;
use crate::problem::Problem;

/// The path of all flags; behind it is that of each.
pub(super) const PATH: &str = "/ofrep/v1/evaluate/flags";

/// What an event said, sent back by the client that it makes ask again. Clients may add parameters of their own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    flag_config_etag: Option<String>,
}

/// Evaluates all flags; with the role `evaluate` those that are marked `client: true`.
#[utoipa::path(
    tag = "OFREP",
    params(
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer"),
        ("flagConfigEtag" = Option<String>, Query,
         description = "The `etag` of the event that made the client ask: the answer is not older than that"),
        ("flagConfigLastModified" = Option<String>, Query, description = "Not needed: events of this server have none"),
    ),
    request_body = EvaluationRequest,
    responses(
        (status = 200, description = "An item for every flag", headers(("ETag" = String)),
         body = ref("#/components/schemas/OfrepBulk")),
        (status = 304, description = "Neither flags nor context have changed"),
        (status = 400, description = "PARSE_ERROR or INVALID_CONTEXT", body = ref("#/components/schemas/OfrepFailure")),
        (status = 503, description = "The server does not have yet what an event has told of"),
    ),
)]
#[post("/ofrep/v1/evaluate/flags")]
pub(crate) async fn evaluate_flags(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    (versions, written): (web::Data<Versions>, web::Data<Written>),
    caller: Caller,
    request: HttpRequest,
    told: web::Query<Told>,
    body: Limited<CONTEXT_BYTES_MAX>,
) -> Result<HttpResponse, Problem> {
    let state = fresh::state(&control, told.flag_config_etag.as_deref()).await?;
    let sees_all = caller.sees_all_flags();
    let version = versions.of(&state, sees_all);
    let ticket = caller.token().map(|token| control.ticket(token));
    let tag = tag(version, &body.0, ticket.as_deref());
    if Tags::if_none_match(request.headers()).is_ok_and(|tags| tags.contains(&tag)) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, quoted(&tag))).finish());
    }
    let context = match context(&body.0) {
        Ok(context) => context,
        Err(failure) => return Ok(failure.respond()),
    };
    let few = state.resources().flags.len() <= INLINE_FLAGS_MAX;
    let evaluate = move || {
        let events = EventStream::new(version, ticket.as_deref());
        bulk(&control, &state, &written.of(&state), &context, sees_all, &events)
    };
    let text = if few { evaluate() } else { offload.compute(evaluate).await? };
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, quoted(&tag))).insert_header((CACHE_CONTROL, "private, no-cache"));
    Ok(response.insert_header(answer::json()).body(text))
}

/// Covers the flags with their rules and metadata, and the environment, both by the version; the context as sent, as one
/// written otherwise costs an answer, never a wrong 304; and the ticket: a client that is told that nothing has changed
/// stays with the one it has, so that must be one that still opens.
fn tag(version: Version, body: &[u8], ticket: Option<&str>) -> String {
    let mut hash = Xxh3::new();
    hash.update(ticket.unwrap_or_default().as_bytes());
    hash.update(&[0]);
    hash.update(body);
    format!("{version}-{:032x}", hash.digest128())
}

/// All items, and where to listen for changes: written straight into the answer, which no flag has a part of its own in.
fn bulk(
    control: &Control,
    state: &Arc<State>,
    phrases: &Phrases,
    context: &Context,
    sees_all: bool,
    events: &EventStream,
) -> Vec<u8> {
    let (snapshot, environment) = (state.snapshot(), state.environment());
    let mut tally = control.tally(state);
    let mut text = Vec::with_capacity(phrases.bulk_bytes());
    text.extend_from_slice(b"{\"flags\":[");
    let mut first = true;
    for flag in snapshot.flags().filter(|flag| sees_all || flag.client) {
        let detail = snapshot.evaluate_at(flag.index, context);
        tally.count(&detail);
        if !std::mem::take(&mut first) {
            text.push(b',');
        }
        phrases.write(&Evaluation { key: flag.key.as_str(), detail: &detail, environment, tells: sees_all }, &mut text);
    }
    text.extend_from_slice(b"],\"eventStreams\":[");
    put(events, &mut text);
    text.extend_from_slice(b"]}\n");
    phrases.wrote_bulk(text.len());
    text
}
