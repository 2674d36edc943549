//! A server that does nothing but what actix-web does: benchmarks have it do the same as Daybreak, beside it.
//!
//! `bare SNAPSHOT [PATH=FILE…]` answers a POST to a path with what stands in the file; each `GET /api/v1/stream` begins with
//! what stands in the file SNAPSHOT, and goes on with each body of a `POST /broadcast`. It has one worker, and prints
//! `listening on http://ADDRESS`.

use std::convert::Infallible;
use std::path::Path;

use actix_web::web::{Bytes, Data, Payload};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use daybreak_tests::measure::raise_file_limit;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::sync::broadcast;

/// Frames that wait for a slow stream.
const WAITING_MAX: usize = 64;
/// As Daybreak has it.
const CONNECTIONS_MAX: usize = 16_384;
const BACKLOG: u32 = 4_096;

/// What all streams share.
#[derive(Clone, Debug)]
struct Streams {
    snapshot: Bytes,
    live: broadcast::Sender<Bytes>,
}

fn main() -> Result<()> {
    raise_file_limit()?;
    let mut arguments = std::env::args().skip(1);
    let read = |file: &str| std::fs::read(Path::new(file)).map(Bytes::from).with_context(|| file.to_owned());
    let snapshot = read(&arguments.next().context("a file with a snapshot comes first")?)?;
    let answers = arguments.map(|argument| {
        let (path, file) = argument.split_once('=').with_context(|| format!("PATH=FILE, and not {argument}"))?;
        Ok((path.to_owned(), read(file)?))
    });
    let answers = answers.collect::<Result<Vec<_>>>()?;
    let streams = Data::new(Streams { snapshot, live: broadcast::Sender::new(WAITING_MAX) });
    let server = HttpServer::new(move || {
        let mut app = App::new()
            .app_data(streams.clone())
            .route("/api/v1/stream", web::get().to(stream))
            .route("/broadcast", web::post().to(broadcast));
        for (path, answer) in answers.clone() {
            app = app.route(&path, web::post().to(move |body: Payload| echo(body, answer.clone())));
        }
        app
    });
    let server = server.workers(1).max_connections(CONNECTIONS_MAX).backlog(BACKLOG).tcp_nodelay(true);
    let server = server.bind(("127.0.0.1", 0))?;
    let address = server.addrs().first().copied().context("it listens somewhere")?;
    println!("listening on http://{address}");
    Ok(actix_web::rt::System::new().block_on(server.run())?)
}

/// Reads what was sent, and answers.
async fn echo(mut body: Payload, answer: Bytes) -> HttpResponse {
    while let Some(chunk) = body.next().await {
        if chunk.is_err() {
            return HttpResponse::BadRequest().finish();
        }
    }
    HttpResponse::Ok().content_type("application/json").body(answer)
}

async fn stream(streams: Data<Streams>) -> HttpResponse {
    let first = Some(streams.snapshot.clone());
    let frames = unfold((first, streams.live.subscribe()), |(first, mut live)| async move {
        let frame = match first {
            Some(first) => first,
            None => live.recv().await.ok()?,
        };
        Some((Ok::<_, Infallible>(frame), (None, live)))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(frames)
}

async fn broadcast(streams: Data<Streams>, frame: Bytes) -> HttpResponse {
    // Nobody may listen.
    let _ = streams.live.send(frame);
    HttpResponse::NoContent().finish()
}
