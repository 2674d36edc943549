//! The SDKs' side: the stream, the snapshot that is polled where no stream gets through, and reports.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderName, RETRY_AFTER, VARY};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use daybreak_control::tokens::TokenStream;
use daybreak_control::{Control, Packing, Subscription};
use daybreak_model::limits::REPORT_BYTES_MAX;
use daybreak_model::wire::{Position, Report};
use futures_util::Stream;
use tokio::sync::watch;

use crate::answer;
use crate::bodies::{Limited, REPORTS};
use crate::caller::Caller;
use crate::encoding::{self, GZIP};
use crate::etag::{Tags, quoted};
use crate::limits::{HEARTBEAT, STREAMS_MAX};
use crate::metrics::{Counted, StreamEnd};
use crate::offload::Offload;
use crate::pieces::Pieces;
use crate::problem::{Code, Problem};
use crate::rates::Rates;
use crate::telemetry::Telemetry;

pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx passes a response on at once only where this says `no`.
pub(crate) const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether the streams of this server are to end.
#[derive(Clone, Debug)]
pub struct Closing(watch::Sender<bool>);

impl Default for Closing {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Closing {
    /// Ends every stream once it has written what is on its way.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Tells when.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// The stream of changes: a snapshot, or what was missed since `Last-Event-ID`, and then every change.
#[utoipa::path(
    tag = "SDK",
    params(("Last-Event-ID" = Option<String>, Header, description = "The position of the last event")),
    responses(
        (status = 200, description = "Server-sent events: snapshot, change, runs, heartbeat, goodbye",
         body = ref("#/components/schemas/EventStream"), content_type = "text/event-stream"),
        (status = 429, description = "Too many streams with this token"),
        (status = 503, description = "Too many streams"),
    ),
)]
#[get("/api/v1/stream")]
pub(crate) async fn stream(
    control: web::Data<Control>,
    closing: web::Data<Closing>,
    rates: web::Data<Rates>,
    telemetry: web::Data<Telemetry>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let counted = count(&caller, &rates)?;
    if control.open_streams() >= STREAMS_MAX {
        let detail = format!("{STREAMS_MAX} streams are open already; connect elsewhere, or poll /api/v1/snapshot");
        return Err(Problem::new(Code::TooManyStreams, detail).header(RETRY_AFTER, "10"));
    }
    let packing = encoding::accepted(request.headers());
    let subscription = control.subscribe_packed(last_event_id(&request), packing).await;
    let open = (counted, telemetry.metrics().streams.open());
    let mut response = HttpResponse::Ok();
    if packing == Packing::Gzip {
        response.insert_header((CONTENT_ENCODING, GZIP));
    }
    Ok(response
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-cache, no-transform"))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header((BUFFERING, "no"))
        .streaming(frames(subscription, control.heartbeat(), closing.subscribe(), caller.ends(&control), open)))
}

/// Counts one more stream of a token.
///
/// # Errors
/// When as many are open with it as may be.
pub(crate) fn count(caller: &Caller, rates: &Rates) -> Result<Option<TokenStream>, Problem> {
    let Some(token) = caller.token() else { return Ok(None) };
    let max = rates.streams_per_token();
    token.open_stream(max).map(Some).ok_or_else(|| {
        let detail = format!("{max} streams are open with this token already; use another, or poll");
        Problem::new(Code::RateLimited, detail).header(RETRY_AFTER, "10")
    })
}

/// Where the client stood. What is no position asks for everything, as its absence does.
fn last_event_id(request: &HttpRequest) -> Option<Position> {
    request.headers().get(LAST_EVENT_ID)?.to_str().ok()?.trim().parse().ok()
}

/// The frames of one stream, until the server stops, the client is let in no longer, or it lags behind. A silent stream shows by
/// heartbeats that it lives.
fn frames(
    subscription: Subscription,
    heartbeat: Bytes,
    closing: watch::Receiver<bool>,
    ended: watch::Receiver<bool>,
    (token, counted): (Option<TokenStream>, Counted),
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let Subscription { backlog, live, packing, open } = subscription;
    let mut pieces = Pieces::default();
    pieces.extend(backlog);
    let state = (pieces, live, closing, ended, heartbeat, counted, (open, token));
    futures_util::stream::unfold(state, move |mut state| async move {
        let (pieces, live, closing, ended, heartbeat, counted, _) = &mut state;
        let end = |counted: &mut Counted, end| {
            counted.end = end;
            None
        };
        if !*ended.borrow()
            && let Some(piece) = pieces.next()
        {
            return Some((Ok(piece), state));
        }
        let frame = tokio::select! {
            biased;
            // The token was revoked or expired, or tokens are asked for now: what comes then is not for them.
            _ = ended.wait_for(|ended| *ended) => return end(counted, StreamEnd::ShutOut),
            // An error says that the client lags behind: it is dropped, and connects again.
            frame = live.next() => match frame {
                Ok(frame) => frame,
                Err(_) => return end(counted, StreamEnd::Lagged),
            },
            _ = closing.wait_for(|closing| *closing) => return end(counted, StreamEnd::Stopping),
            () = tokio::time::sleep(HEARTBEAT) => heartbeat.clone(),
        };
        pieces.pack(packing, frame);
        pieces.next().map(|piece| (Ok(piece), state))
    })
}

/// All flags and segments, for clients that poll.
#[utoipa::path(
    tag = "SDK",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer")),
    responses(
        (status = 200, description = "A snapshot", body = ref("#/components/schemas/Snapshot"), headers(("ETag" = String))),
        (status = 304, description = "Nothing has changed"),
    ),
)]
#[get("/api/v1/snapshot")]
pub(crate) async fn snapshot(
    control: web::Data<Control>,
    offload: web::Data<Offload>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = control.state();
    let tag = state.position().to_string();
    if Tags::if_none_match(request.headers()).is_ok_and(|tags| tags.contains(&tag)) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, quoted(&tag))).finish());
    }
    let own = Arc::clone(&state);
    let line = offload.compute(move || own.wire_snapshot()).await?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((VARY, "Accept-Encoding"))
        .content_type("application/json");
    // Other bytes of the same may not have the same strong tag.
    Ok(match encoding::accepted(request.headers()) {
        Packing::Plain => response.insert_header((ETAG, quoted(&tag))).body(line),
        Packing::Gzip => response
            .insert_header((ETAG, format!("W/{}", quoted(&tag))))
            .insert_header((CONTENT_ENCODING, GZIP))
            .body(state.packed().await.whole().clone()),
    })
}

/// What a client tells, answered with the runs that it may act on.
#[utoipa::path(
    tag = "SDK",
    request_body(content = ref("#/components/schemas/Report"), description = "A report"),
    responses((status = 200, description = "The lease and the next interval", body = ref("#/components/schemas/Reply"))),
)]
#[post("/api/v1/reports")]
pub(crate) async fn report(
    control: web::Data<Control>,
    body: Limited<REPORT_BYTES_MAX, REPORTS>,
) -> Result<HttpResponse, Problem> {
    let report: Report = serde_json::from_slice(&body.0)
        .map_err(|error| Problem::new(Code::BadRequest, format!("the body is no report: {error}")))?;
    Ok(answer::compact(&mut HttpResponse::Ok(), &control.report(&report)?))
}
