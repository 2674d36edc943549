//! All flags at once, for clients whose context seldom changes.

use std::cell::RefCell;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, post, web};
use daybreak_control::{Asked, Control, State, Tally};
use daybreak_model::limits::CONTEXT_BYTES_MAX;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use xxhash_rust::xxh3::Xxh3;

use super::evaluation::Evaluation;
use super::events::EventStream;
use super::fresh;
use super::request::{EvaluationRequest, context};
use super::visible::{Version, Versions};
use crate::answer;
use crate::bodies::Limited;
use crate::caller::Caller;
use crate::etag::{Tags, quoted};
use crate::limits::INLINE_FLAGS_MAX;
use crate::offload::Offload;
use crate::problem::Problem;

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
    versions: web::Data<Versions>,
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
        let tally = RefCell::new(control.tally(&state, Asked::All));
        answer::line(&Bulk {
            flags: Flags { state: &state, context: &context, sees_all, tally },
            event_streams: [EventStream::new(version, ticket.as_deref())],
        })
    };
    let text = if few { evaluate() } else { offload.compute(evaluate).await? };
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, quoted(&tag))).insert_header((CACHE_CONTROL, "private, no-cache"));
    Ok(response.content_type("application/json").body(text))
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bulk<'a> {
    flags: Flags<'a>,
    event_streams: [EventStream; 1],
}

struct Flags<'a> {
    state: &'a State,
    context: &'a daybreak_model::Context,
    sees_all: bool,
    tally: RefCell<Tally<'a>>,
}

impl Serialize for Flags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(None)?;
        let (snapshot, environment) = (self.state.snapshot(), self.state.environment());
        for flag in snapshot.flags().filter(|flag| self.sees_all || flag.client) {
            let detail = snapshot.evaluate_at(flag.index, self.context);
            self.tally.borrow_mut().count(&detail);
            let (key, tells) = (flag.key.as_str(), self.sees_all);
            items.serialize_element(&Evaluation { key, detail: &detail, environment, tells })?;
        }
        items.end()
    }
}
