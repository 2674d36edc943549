//! The audit log: who changed what, when, why. Read by pages, followed, or taken away whole.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use daybreak_control::{Control, EVENTS_PAGE_MAX, EventFilter, EventOrder, Follower, RecordedEvent, Refusal};
use futures_util::Stream;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::{IntoParams, ToSchema};

use super::switch;
use crate::caller::Caller;
use crate::limits::{FOLLOWERS_MAX, HEARTBEAT};
use crate::offload::Offload;
use crate::problem::{Code, Problem};
use crate::stream::{BUFFERING, Closing, LAST_EVENT_ID};

/// Events on a page unless said.
const PAGE: usize = 100;

/// The forms in which events are written.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A page.
    Json,
    /// All that match, the oldest first, one on each line.
    Jsonl,
}

/// Which events. Everything that is given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct EventsQuery {
    /// Only those of this subject, or of what is below it: `flags`, `flags/layout`, `runs/00c0ffee00c0ffee`.
    subject: Option<String>,
    /// Only those of this kind, or below it: `run` has `run.started` and `run.ended`.
    kind: Option<String>,
    /// Only those of this actor.
    actor: Option<String>,
    /// Only those at this time or later, in RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Only those before this time, in RFC 3339.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// Only those with a number below this one: the `next` of the page before.
    before: Option<u64>,
    /// Only those with a number above this one.
    after: Option<u64>,
    /// How many on a page at most: 100 unless said, 1,000 at most.
    limit: Option<usize>,
    /// Answer with server-sent events as they happen: those after `after`, or else from now on.
    #[param(default = false)]
    #[serde(deserialize_with = "switch")]
    follow: bool,
    /// `json`, which is a page, or `jsonl`: all that match, the oldest first.
    #[param(inline)]
    format: Option<Format>,
}

/// Places for those who follow the log.
#[derive(Clone, Debug)]
pub struct Followers(Arc<Semaphore>);

impl Default for Followers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FOLLOWERS_MAX)))
    }
}

/// How a request wants them.
enum Wanted {
    Page,
    Lines,
    Follow,
}

/// Events, the latest first. With `follow`, or `Accept: text/event-stream`, each as it happens, its number as the event's id;
/// with `format=jsonl`, or `Accept: application/x-ndjson`, all of them.
#[utoipa::path(
    tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "The last event that a follower has")),
    responses((status = 200, description = "A page of them, or all as lines, or a stream", content(
        (ref("#/components/schemas/Events") = "application/json"),
        (String = "application/x-ndjson"),
        (ref("#/components/schemas/EventStream") = "text/event-stream"),
    ))),
)]
#[get("/api/v1/events")]
pub(crate) async fn list(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    closing: web::Data<Closing>,
    followers: web::Data<Followers>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<EventsQuery>,
) -> Result<HttpResponse, Problem> {
    let wanted = wanted(&request, &query);
    let EventsQuery { subject, kind, actor, since, until, before, after, limit, .. } = query.into_inner();
    let limit = page(limit)?;
    let filter = EventFilter { subject, kind, actor, since, until, before, after, order: EventOrder::LatestFirst };
    match wanted {
        Wanted::Page => {
            let page = control.events(filter, limit).await?;
            offload.ok(move || page).await
        }
        Wanted::Lines => Ok(HttpResponse::Ok()
            .content_type("application/x-ndjson")
            .insert_header((CACHE_CONTROL, "no-store"))
            .streaming(lines(control.get_ref().clone(), filter, caller.ends(&control)))),
        Wanted::Follow => {
            let place = Arc::clone(&followers.0).try_acquire_owned().map_err(|_| too_many())?;
            let after = last_event_id(&request)?.or(filter.after);
            let follower = control.follow(EventFilter { after, ..filter }).await?;
            Ok(HttpResponse::Ok()
                .content_type("text/event-stream")
                .insert_header((CACHE_CONTROL, "no-cache, no-transform"))
                .insert_header((BUFFERING, "no"))
                .streaming(frames(follower, place, closing.subscribe(), caller.ends(&control))))
        }
    }
}

fn wanted(request: &HttpRequest, query: &EventsQuery) -> Wanted {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match query.format {
        _ if query.follow => Wanted::Follow,
        Some(Format::Json) => Wanted::Page,
        Some(Format::Jsonl) => Wanted::Lines,
        None if accept.contains("text/event-stream") => Wanted::Follow,
        None if accept.contains("ndjson") || accept.contains("jsonl") => Wanted::Lines,
        None => Wanted::Page,
    }
}

fn too_many() -> Problem {
    let detail = format!("{FOLLOWERS_MAX} followers are there already; read pages, or come again later");
    Problem::new(Code::TooManyStreams, detail).header(RETRY_AFTER, "10")
}

fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(value) = request.headers().get(LAST_EVENT_ID) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let detail = "`Last-Event-ID` is the number of an event; leave it out to begin now";
    id.map(Some).ok_or_else(|| Problem::new(Code::BadRequest, detail))
}

/// Why lines break off, so that nobody takes the part for the whole.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the token was revoked or has expired")]
    LetInNoLonger,
}

/// Every event that matches, the oldest first, read page by page as the client takes them, until they are let in no longer.
fn lines(
    control: Control,
    filter: EventFilter,
    ended: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    let filter = EventFilter { order: EventOrder::OldestFirst, ..filter };
    futures_util::stream::unfold(Some(filter), move |filter| {
        let (control, mut ended) = (control.clone(), ended.clone());
        async move {
            let filter = filter?;
            let read = tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => Err(BrokenOff::LetInNoLonger),
                read = control.events(filter.clone(), EVENTS_PAGE_MAX) => read.map_err(BrokenOff::from),
            };
            let page = match read {
                Ok(page) => page,
                Err(why) => return Some((Err(why), None)),
            };
            let text = page.events.iter().map(line).collect::<String>();
            let next = page.next.map(|next| EventFilter { after: Some(next), ..filter });
            Some((Ok(Bytes::from(text)), next))
        }
    })
}

fn line(recorded: &RecordedEvent) -> String {
    // Every event has a JSON form.
    serde_json::to_string(recorded).unwrap_or_default() + "\n"
}

fn frame(recorded: &RecordedEvent) -> String {
    format!("event: {}\nid: {}\ndata: {}\n", recorded.event.kind, recorded.id, line(recorded))
}

/// The frames of one follower, until the server stops, or they are let in no longer. A silent stream shows by comments that it lives.
fn frames(
    follower: Follower,
    place: OwnedSemaphorePermit,
    closing: watch::Receiver<bool>,
    ended: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::unfold((follower, closing, ended, place), |mut state| async move {
        let (follower, closing, ended, _) = &mut state;
        let text = tokio::select! {
            biased;
            // Their token was revoked or expired.
            _ = ended.wait_for(|ended| *ended) => return None,
            _ = closing.wait_for(|closing| *closing) => return None,
            next = follower.next() => next.ok()?.iter().map(frame).collect(),
            () = tokio::time::sleep(HEARTBEAT) => ":\n\n".to_owned(),
        };
        Some((Ok(Bytes::from(text)), state))
    })
}

/// How many events a page has.
pub(super) fn page(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=EVENTS_PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::BadRequest, format!("`limit` is from 1 to {EVENTS_PAGE_MAX}, not {limit}")))
}
