//! The stream that tells clients to ask for all flags again. It says that something changed, never what.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use daybreak_control::Control;
use daybreak_control::tokens::TokenStream;
use daybreak_model::wire::Position;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::visible::{Version, Versions, flags_position};
use crate::caller::Caller;
use crate::limits::{EVENT_STREAMS_MAX, EVENTS_APART, EVENTS_HEARTBEAT, EVENTS_SPREAD_MAX};
use crate::metrics::{Counted, StreamEnd};
use crate::problem::{Code, Problem};
use crate::rates::Rates;
use crate::stream::{BUFFERING, Closing, LAST_EVENT_ID, count};
use crate::telemetry::Telemetry;

/// The path, which clients learn from the answer to a bulk evaluation.
pub(crate) const PATH: &str = "/ofrep/v1/events";
/// Seconds after which a page that nobody looks at gives its stream up; what it missed it gets when somebody does.
const INACTIVITY: u32 = 120;
/// Shows that a stream lives. Clients ignore comments.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// Where a client may listen, as the answer to a bulk evaluation says. The origin is the one the client asked: the server
/// does not know by which name it is reached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventStream {
    r#type: &'static str,
    endpoint: Endpoint,
    inactivity_delay_sec: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    request_uri: String,
}

impl EventStream {
    /// For somebody who has been answered with this version.
    pub(super) fn new(version: Version, ticket: Option<&str>) -> Self {
        let ticket = ticket.map(|ticket| format!("&ticket={ticket}")).unwrap_or_default();
        let request_uri = format!("{PATH}?since={version}{ticket}");
        Self { r#type: "sse", endpoint: Endpoint { request_uri }, inactivity_delay_sec: INACTIVITY }
    }
}

/// What stands in the URL besides the ticket, which is looked at before any handler.
#[derive(Debug, Deserialize)]
pub(crate) struct Since {
    since: Option<String>,
}

/// The places for streams, which are open until the server stops.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    closing: Closing,
}

impl Places {
    /// All are free.
    #[must_use]
    pub fn new(closing: Closing) -> Self {
        Self { free: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)), closing }
    }

    fn take(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let detail =
                format!("{EVENT_STREAMS_MAX} streams of events are open already; poll /ofrep/v1/evaluate/flags");
            Problem::new(Code::TooManyStreams, detail).header(RETRY_AFTER, "10")
        })
    }
}

/// Tells when to evaluate all flags again. The URL stands in the answer to that, with a ticket where tokens are asked for.
#[utoipa::path(
    tag = "OFREP",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event"),
        ("since" = Option<String>, Query, description = "What the client was answered with before it listened"),
        ("ticket" = Option<String>, Query, description = "Takes the place of a token, for an hour or two"),
    ),
    responses(
        (status = 200, description = "Server-sent events: `message`, whose data says `refetchEvaluation`",
         body = ref("#/components/schemas/OfrepEvents"), content_type = "text/event-stream"),
        (status = 429, description = "Too many streams with this token"),
        (status = 503, description = "Too many streams"),
    ),
)]
#[get("/ofrep/v1/events")]
pub(crate) async fn events(
    control: web::Data<Control>,
    versions: web::Data<Versions>,
    places: web::Data<Places>,
    (rates, telemetry): (web::Data<Rates>, web::Data<Telemetry>),
    caller: Caller,
    request: HttpRequest,
    since: web::Query<Since>,
) -> Result<HttpResponse, Problem> {
    let counted = count(&caller, &rates)?;
    let place = places.take()?;
    let listener = Listener {
        moved: control.moved(),
        closing: places.closing.subscribe(),
        ended: caller.ends(&control),
        control: control.get_ref().clone(),
        versions: versions.get_ref().clone(),
        sees_all: caller.sees_all_flags(),
        last: last_event_id(&request).or_else(|| since.into_inner().since),
        greeted: false,
        quiet_until: Instant::now(),
        tells_at: None,
        rates: rates.into_inner(),
        token: counted,
        counted: telemetry.metrics().ofrep_streams.open(),
        _place: place,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-cache, no-transform"))
        .insert_header((BUFFERING, "no"))
        .streaming(listener.frames()))
}

fn last_event_id(request: &HttpRequest) -> Option<String> {
    let id = request.headers().get(LAST_EVENT_ID)?.to_str().ok()?.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// One stream.
struct Listener {
    control: Control,
    versions: Versions,
    sees_all: bool,
    moved: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    ended: watch::Receiver<bool>,
    /// The version that the client has, or was told of; what is no version of ours equals none.
    last: Option<String>,
    greeted: bool,
    quiet_until: Instant,
    /// When the change that was noticed is told of.
    tells_at: Option<Instant>,
    rates: Arc<Rates>,
    token: Option<TokenStream>,
    counted: Counted,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn frames(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures_util::stream::unfold(self, |mut listener| async move {
            let frame = listener.next().await?;
            Some((Ok(frame), listener))
        })
    }

    /// The next frame; none where the server stops, or the client is let in no longer.
    async fn next(&mut self) -> Option<Bytes> {
        let heartbeat_at = Instant::now() + EVENTS_HEARTBEAT;
        loop {
            self.moved.mark_unchanged();
            let state = self.control.state();
            let version = self.versions.of(&state, self.sees_all).to_string();
            let last = self.last.get_or_insert_with(|| version.clone());
            if *last != version {
                let tells_at = self.tells_at.unwrap_or_else(|| self.quiet_until.max(Instant::now() + self.spread()));
                if tells_at > Instant::now() {
                    self.tells_at = Some(tells_at);
                    // What comes meanwhile is told of with it.
                    while !self.wait_until(tells_at).await? {}
                    continue;
                }
                // Changes that come quickly one after the other are told of together: clients wait for a pause
                // before they ask, and must not wait for ever.
                self.quiet_until = Instant::now() + self.apart();
                self.tells_at = None;
                self.greeted = true;
                let event = event(&version, flags_position(&state));
                self.last = Some(version);
                return Some(event);
            }
            self.tells_at = None;
            if !self.greeted {
                self.greeted = true;
                // No event, but what a client that loses the connection says when it comes back.
                return Some(Bytes::from(format!("id: {version}\n\n")));
            }
            if self.wait_until(heartbeat_at).await? {
                return Some(HEARTBEAT);
            }
        }
    }

    /// For how long a change is kept back. Whoever is told asks at once, and those that share a token share its rate: many of
    /// them are told one by one, at random.
    fn spread(&self) -> Duration {
        let open = self.token.as_ref().map_or(0, TokenStream::open);
        if self.rates.bursts(open) {
            return Duration::ZERO;
        }
        self.rates.pace(open).min(EVENTS_SPREAD_MAX).mul_f64(rand::random())
    }

    /// How far events are apart, so that all of them that come one after the other fit into the rate, too.
    fn apart(&self) -> Duration {
        let open = self.token.as_ref().map_or(0, TokenStream::open);
        self.rates.pace(open).clamp(EVENTS_APART, EVENTS_SPREAD_MAX)
    }

    /// Waits until this moment, or, where it is still to come, until the server stands elsewhere; whether the moment has
    /// come. None where the stream is to end.
    async fn wait_until(&mut self, moment: Instant) -> Option<bool> {
        tokio::select! {
            biased;
            // The token was revoked or expired, or tokens are asked for now: what comes then is not for them.
            _ = self.ended.wait_for(|ended| *ended) => {
                self.counted.end = StreamEnd::ShutOut;
                None
            }
            _ = self.closing.wait_for(|closing| *closing) => {
                self.counted.end = StreamEnd::Stopping;
                None
            }
            () = tokio::time::sleep_until(moment) => Some(true),
            moved = self.moved.changed() => moved.ok().map(|()| false),
        }
    }
}

/// The data of an event.
#[derive(Serialize)]
struct Refetch {
    r#type: &'static str,
    /// Sent back as `flagConfigEtag`, so that the answer is not older.
    etag: Position,
}

fn event(id: &impl Display, etag: Position) -> Bytes {
    // Neither of its parts lacks a JSON form.
    let data = serde_json::to_string(&Refetch { r#type: "refetchEvaluation", etag }).unwrap_or_default();
    Bytes::from(format!("id: {id}\nevent: message\ndata: {data}\n\n"))
}
