//! The streams that tell clients to ask again: `eventStreams` of a bulk evaluation (ADR-0008). A server may have none.

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::report::{Report, skip};
use crate::single::of;
use crate::sse::{Event, Events};
use crate::target::{FLAGS, Target};

const STREAM: &str = "openapi.yaml · schemas · eventStream";
const CONNECT: &str = "ADR-0008 · Response Schema";
const FORMAT: &str = "ADR-0008 · SSE Event Format";
const METADATA: &str = "ADR-0008 · Transporting SSE metadata to the bulk endpoint";
const RECONNECT: &str = "ADR-0008 · Reconnection and replay behavior";

pub(crate) async fn run(target: &Target, report: &mut Report) {
    report.must(STREAM, "each stream has a type, and one of `url` and `endpoint`", well_formed(target).await);
    report.should(STREAM, "a stream's URL does not hold the token: URLs are logged", no_token(target).await);
    report.must(CONNECT, "it opens by its URL alone, as in a browser", opens(target).await);
    report.must(FORMAT, "a switched flag is told of: `refetchEvaluation`", told(target).await.map(drop));
    report.should(FORMAT, "the event has an id, and is called `message`", enveloped(target).await);
    report.must(METADATA, "whoever asks again then is not answered with what was before", fresh(target).await);
    report.should(RECONNECT, "what was missed is told of, after `Last-Event-ID`", replayed(target).await);
}

async fn streams(target: &Target) -> Result<Vec<Json>> {
    let bulk = target.bulk(&of("ada"), &[]).await?.expect(200)?.json()?;
    match bulk.get("eventStreams") {
        None => skip("the server has no `eventStreams`, which are optional"),
        Some(streams) => Ok(streams.as_array().with_context(|| format!("no array: {streams}"))?.clone()),
    }
}

async fn well_formed(target: &Target) -> Result<()> {
    for stream in streams(target).await? {
        ensure!(stream["type"].is_string(), "`type` is missing: {stream}");
        let (url, endpoint) = (stream.get("url"), stream.get("endpoint"));
        ensure!(url.is_some() != endpoint.is_some(), "it has both or neither: {stream}");
        if let Some(endpoint) = endpoint {
            let path = endpoint["requestUri"].as_str();
            ensure!(path.is_some_and(|path| path.starts_with('/')), "`requestUri` is no path: {stream}");
            let origin = endpoint.get("origin").map(|origin| origin.as_str().unwrap_or_default());
            ensure!(origin.is_none_or(|origin| Url::parse(origin).is_ok()), "`origin` is none: {stream}");
        }
        let delay = stream.get("inactivityDelaySec");
        let whole = delay.is_none_or(|delay| delay.as_u64().is_some_and(|delay| delay >= 1));
        ensure!(whole, "`inactivityDelaySec` is a whole number from 1: {stream}");
    }
    Ok(())
}

/// Where the first stream of server-sent events is.
async fn url(target: &Target) -> Result<Url> {
    let streams = streams(target).await?;
    let Some(stream) = streams.iter().find(|stream| stream["type"] == json!("sse")) else {
        return skip("none of the streams is one of server-sent events");
    };
    match stream["url"].as_str() {
        Some(url) => Ok(Url::parse(url)?),
        None => {
            let endpoint = &stream["endpoint"];
            target.resolve(endpoint["origin"].as_str(), endpoint["requestUri"].as_str().unwrap_or_default())
        }
    }
}

async fn no_token(target: &Target) -> Result<()> {
    let Some(token) = &target.options().token else { return skip("give it a --token") };
    let url = url(target).await?;
    ensure!(!url.as_str().contains(token.as_str()), "it does");
    Ok(())
}

async fn opens(target: &Target) -> Result<()> {
    Events::of(target.open(url(target).await?, &[]).await?).map(drop)
}

/// Listens, and switches the flag off: what came, and the data of it. It is on again in the end.
async fn told(target: &Target) -> Result<(Event, Json)> {
    let url = url(target).await?;
    target.settle(true).await?;
    let mut events = Events::of(target.open(url, &[]).await?)?;
    target.switch(false).await?;
    let event = refetch(target, &mut events).await;
    target.settle(true).await?;
    event
}

/// The next event that says so. Others are to be ignored.
async fn refetch(target: &Target, events: &mut Events) -> Result<(Event, Json)> {
    loop {
        let event = events.next(target.patience()).await?;
        let data: Json = serde_json::from_str(&event.data).with_context(|| format!("no JSON: {event:?}"))?;
        if data["type"] != json!("refetchEvaluation") {
            continue;
        }
        ensure!(data.get("etag").is_none_or(Json::is_string), "`etag` is no string: {data}");
        let modified = data.get("lastModified");
        ensure!(modified.is_none_or(|at| at.is_string() || at.is_u64()), "`lastModified` is no time: {data}");
        return Ok((event, data));
    }
}

async fn enveloped(target: &Target) -> Result<()> {
    let (event, _) = told(target).await?;
    ensure!(!event.id.is_empty(), "it has no id: {event:?}");
    ensure!(["", "message"].contains(&event.name.as_str()), "it is called `{}`", event.name);
    Ok(())
}

/// As a client that is told does: it asks at once, with what it was told and the tag it had.
async fn fresh(target: &Target) -> Result<()> {
    let url = url(target).await?;
    target.settle(true).await?;
    let mut events = Events::of(target.open(url, &[]).await?)?;
    for on in [false, true, false, true] {
        let before = target.bulk(&of("ada"), &[]).await?.expect(200)?;
        let tag = before.header("etag").unwrap_or("\"none\"").to_owned();
        target.switch(on).await?;
        let (_, data) = refetch(target, &mut events).await?;
        let mut query = Serializer::new(String::new());
        for (name, field) in [("flagConfigEtag", "etag"), ("flagConfigLastModified", "lastModified")] {
            match &data[field] {
                Json::String(text) => drop(query.append_pair(name, text)),
                Json::Number(number) => drop(query.append_pair(name, &number.to_string())),
                _ => {}
            }
        }
        let path = format!("{FLAGS}?{}", query.finish());
        let bulk = target.post(&path, &of("ada").to_string(), &[("if-none-match", &tag)]).await?.expect(200)?.json()?;
        let mut flags = bulk["flags"].as_array().into_iter().flatten();
        let switched = flags.find(|item| item["key"] == json!("ofrep-switched"));
        let stale = format!("{on} was told of, and the answer is still {switched:?}");
        ensure!(switched.is_some_and(|item| item["value"] == json!(on)), "{stale}");
    }
    Ok(())
}

/// The event told that the flag was switched off; it is on again, and the URL says no less than what is served now. So it is for
/// the id alone that the server knows what was missed.
async fn replayed(target: &Target) -> Result<()> {
    let (event, _) = told(target).await?;
    if event.id.is_empty() {
        return skip("its events have no ids");
    }
    let url = url(target).await?;
    let mut events = Events::of(target.open(url, &[("last-event-id", &event.id)]).await?)?;
    refetch(target, &mut events).await.context("after a reconnection").map(drop)
}
