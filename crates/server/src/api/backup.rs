//! Backups: everything out, while changes go on; and everything back.

use std::io::{self, BufReader, Read};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpResponse, get, post, web};
use daybreak_control::{Control, Restored};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::IntoParams;

use super::NoQuery;
use crate::answer;
use crate::caller::Caller;
use crate::limits::BODY_TIMEOUT;
use crate::problem::Problem;

/// Pieces of a body that may wait for the disk.
const PIECES: usize = 4;

/// Take a backup of everything at this moment: lines of JSON with a checksum. It is as secret as the data folder.
#[utoipa::path(
    tag = "server",
    responses((status = 200, description = "The backup", content_type = "application/jsonl", body = String)),
)]
#[get("/api/v1/backup")]
pub(crate) async fn take(control: web::Data<Control>, _: web::Query<NoQuery>) -> Result<HttpResponse, Problem> {
    let backup = control.backup().await?;
    // Whoever has but a part sees that its last line is missing.
    let pieces = backup.map(|piece| piece.map(Bytes::from).map_err(io::Error::other));
    Ok(HttpResponse::Ok()
        .content_type("application/jsonl")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"daybreak-backup.jsonl\""))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(pieces))
}

/// How to restore.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct RestoreQuery {
    /// Why, for the audit log.
    reason: Option<String>,
}

/// What is being restored.
#[derive(Serialize)]
struct Restoring {
    #[serde(flatten)]
    restored: Restored,
    /// The server starts anew now, and stands at `position` then.
    restarting: bool,
}

/// Put a backup in the place of everything. Every run ends, and the server starts anew within a second or so, under a new
/// store id; the store that was is kept in the data folder. A halt that holds stays.
#[utoipa::path(
    tag = "server",
    params(RestoreQuery),
    request_body(content = String, content_type = "application/jsonl", description = "A backup"),
    responses(
        (status = 200, description = "It takes effect now", body = ref("#/components/schemas/Restoring")),
        (status = 422, description = "It is no backup, or not whole"),
    ),
)]
#[post("/api/v1/restore")]
pub(crate) async fn restore(
    control: web::Data<Control>,
    caller: Caller,
    query: web::Query<RestoreQuery>,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let actor = caller.actor(query.into_inner().reason);
    let (pieces, received) = mpsc::channel(PIECES);
    let backup = Box::new(BufReader::new(Pieces { received, piece: Bytes::new() }));
    let ((), restored) = tokio::join!(receive(body, pieces), control.restore(backup, actor));
    Ok(answer::ok(&Restoring { restored: restored?, restarting: true }))
}

/// Hands a body on until its end, an error, or until nobody takes it any more.
async fn receive(mut body: Payload, pieces: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let piece = match tokio::time::timeout(BODY_TIMEOUT, body.next()).await {
            Ok(None) => return,
            Ok(Some(piece)) => piece.map_err(io::Error::other),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        };
        let failed = piece.is_err();
        if pieces.send(piece).await.is_err() || failed {
            return;
        }
    }
}

/// A body as it is read where reading may block.
struct Pieces {
    received: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.received.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let taken = self.piece.split_to(self.piece.len().min(into.len()));
        into.iter_mut().zip(&taken).for_each(|(to, from)| *to = *from);
        Ok(taken.len())
    }
}
