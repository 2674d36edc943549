//! All flags at once, for clients whose context seldom changes.

use std::cell::RefCell;

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, post, web};
use daybreak_control::{Control, Tally};
use daybreak_model::limits::CONTEXT_BYTES_MAX;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use super::evaluation::Evaluation;
use super::request::{EvaluationRequest, context};
use crate::answer;
use crate::caller::Caller;
use crate::etag::{Tags, quoted};
use crate::limits::{INLINE_FLAGS_MAX, Limited};
use crate::offload::Offload;
use crate::problem::Problem;

/// Evaluates all flags; with the role `evaluate` those that are marked `client: true`.
#[utoipa::path(
    tag = "OFREP",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer")),
    request_body = EvaluationRequest,
    responses(
        (status = 200, description = "An item for every flag", headers(("ETag" = String)),
         body = ref("#/components/schemas/OfrepBulk")),
        (status = 304, description = "Neither flags nor context have changed"),
        (status = 400, description = "PARSE_ERROR or INVALID_CONTEXT", body = ref("#/components/schemas/OfrepFailure")),
    ),
)]
#[post("/ofrep/v1/evaluate/flags")]
pub(crate) async fn evaluate_flags(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    caller: Caller,
    request: HttpRequest,
    body: Limited<CONTEXT_BYTES_MAX>,
) -> Result<HttpResponse, Problem> {
    let state = control.state();
    // The context as sent: one written otherwise costs an answer, never a wrong 304.
    let (sees_all, visible) = (caller.sees_all_flags(), if caller.sees_all_flags() { "" } else { "-client" });
    let tag = format!("{}-{}-{:032x}{visible}", state.position().store, state.flags_revision(), xxh3_128(&body.0));
    if Tags::if_none_match(request.headers()).is_ok_and(|tags| tags.contains(&tag)) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, quoted(&tag))).finish());
    }
    let context = match context(&body.0) {
        Ok(context) => context,
        Err(failure) => return Ok(failure.respond()),
    };
    let few = state.resources().flags.len() <= INLINE_FLAGS_MAX;
    let evaluate = move || {
        let tally = RefCell::new(control.tally(&state));
        answer::line(&Bulk { flags: Flags { snapshot: state.snapshot(), context: &context, sees_all, tally } })
    };
    let text = if few { evaluate() } else { offload.compute(evaluate).await? };
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, quoted(&tag))).insert_header((CACHE_CONTROL, "private, no-cache"));
    Ok(response.content_type("application/json").body(text))
}

#[derive(Serialize)]
struct Bulk<'a> {
    flags: Flags<'a>,
}

struct Flags<'a> {
    snapshot: &'a daybreak_engine::Snapshot,
    context: &'a daybreak_model::Context,
    sees_all: bool,
    tally: RefCell<Tally<'a>>,
}

impl Serialize for Flags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(None)?;
        for flag in self.snapshot.flags().filter(|flag| self.sees_all || flag.client) {
            let detail = self.snapshot.evaluate_at(flag.index, self.context);
            self.tally.borrow_mut().count(&detail);
            items.serialize_element(&Evaluation { key: flag.key.as_str(), detail: &detail, tells: self.sees_all })?;
        }
        items.end()
    }
}
