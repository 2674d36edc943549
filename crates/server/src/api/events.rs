//! The audit log: who changed what, when, why.

use actix_web::{HttpResponse, get, web};
use daybreak_control::{Control, EVENTS_PAGE_MAX, EventFilter};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::offload::Offload;
use crate::problem::{Code, Problem};

/// Events on a page unless said.
const PAGE: usize = 100;
/// Which events. Everything that is given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct EventsQuery {
    /// Only those of this subject, or of what is below it: `flags`, `flags/layout`, `runs/00c0ffee00c0ffee`.
    pub subject: Option<String>,
    /// Only those of this kind, or below it: `run` has `run.started` and `run.ended`.
    pub kind: Option<String>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only those at this time or later, in RFC 3339.
    #[param(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Only those before this time, in RFC 3339.
    #[param(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Only those with a number below this one: the `next` of the page before.
    pub before: Option<u64>,
    /// Only those with a number above this one.
    pub after: Option<u64>,
    /// How many at most: 100 unless said, 1,000 at most.
    pub limit: Option<usize>,
}

/// Events, the latest first.
#[utoipa::path(
    tag = "events",
    params(EventsQuery),
    responses((status = 200, description = "A page of them", body = ref("#/components/schemas/Events"))),
)]
#[get("/api/v1/events")]
pub(crate) async fn list(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    query: web::Query<EventsQuery>,
) -> Result<HttpResponse, Problem> {
    let EventsQuery { subject, kind, actor, since, until, before, after, limit } = query.into_inner();
    let limit = page(limit)?;
    let filter = EventFilter { subject, kind, actor, since, until, before, after };
    let page = control.events(filter, limit).await?;
    offload.ok(move || page).await
}

/// How many events a page has.
pub(super) fn page(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=EVENTS_PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::BadRequest, format!("`limit` is from 1 to {EVENTS_PAGE_MAX}, not {limit}")))
}
