//! What comes compressed, from servers that pack well and from others.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daybreak_model::wire::ClientState;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::fake::{Connection, Fake, eventually};
use super::{LONG, Pace, SNAPSHOT, STREAM, change, client, client_with_flags, event, f, otherwise, position, quick};

const BEGINS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";

/// Sends a text packed, so that it can be read at once.
fn send(packer: &mut GzEncoder<Vec<u8>>, connection: &mut Connection, text: &str) {
    packer.write_all(text.as_bytes()).unwrap();
    packer.flush().unwrap();
    connection.send_bytes(&std::mem::take(packer.get_mut()));
}

fn packer() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::default())
}

fn snapshot(revision: u64, value: &str) -> String {
    super::snapshot(revision, "test", value)
}

#[test]
fn a_stream_that_is_packed_is_followed_message_by_message() {
    let seen = Arc::new(AtomicBool::new(false));
    let first = Arc::clone(&seen);
    let fake = Fake::start(move |request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            assert_eq!(request.header("accept-encoding"), Some("gzip"));
            let mut packer = packer();
            connection.send(BEGINS);
            send(&mut packer, &mut connection, &event("snapshot", &snapshot(5, "on")));
            eventually("the snapshot is there", || first.load(Ordering::SeqCst));
            send(&mut packer, &mut connection, &change(6, "off"));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, Pace { poll_after: LONG, ..quick() });
    eventually("the snapshot", || f(&client) == Some(true) && client.status().state == ClientState::Streaming);
    seen.store(true, Ordering::SeqCst);
    eventually("the change", || f(&client) == Some(false));
    assert_eq!(client.status().position.unwrap().to_string(), position(6));
    assert_eq!(fake.count(STREAM), 1);
}

#[test]
fn a_poll_is_unpacked() {
    let fake = Fake::start(|request, mut connection| match request.path.as_str() {
        SNAPSHOT => {
            assert_eq!(request.header("accept-encoding"), Some("gzip"));
            let mut packer = packer();
            packer.write_all(snapshot(5, "on").as_bytes()).unwrap();
            let body = packer.finish().unwrap();
            connection.send(&format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            ));
            connection.send_bytes(&body);
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, quick());
    eventually("flags", || f(&client) == Some(true) && client.status().state == ClientState::Polling);
}

/// The client hangs up, keeps its flags, and comes back.
#[track_caller]
fn check_left(what: &'static str, text: &'static str) {
    let fake = Fake::start(move |request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            // Far more than may be taken, in few bytes.
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            let piece = text.repeat(1024 * 1024 / text.len());
            (0..32).for_each(|_| packer.write_all(piece.as_bytes()).unwrap());
            connection.send(BEGINS);
            connection.send_bytes(&packer.finish().unwrap());
            connection.hold();
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "off")));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client_with_flags(&fake, Pace { poll_after: LONG, poll_after_loss: LONG, ..quick() });
    eventually(what, || f(&client) == Some(false));
}

#[test]
fn invariant_6_a_bomb_is_left() {
    check_left("one event", "data: 0000000000000000\n");
    check_left("many events", "data: 0\n\n");
    check_left("a comment", ":");
    check_left("nothing of a stream", "0");
}

#[test]
fn what_says_that_it_is_packed_and_is_not_is_left() {
    let fake = Fake::start(|request, mut connection| match (request.path.as_str(), request.number) {
        (STREAM, 0) => {
            connection.send(BEGINS);
            connection.send(&event("snapshot", &snapshot(7, "on")));
            connection.hold();
        }
        (STREAM, 1) => {
            connection.send(&BEGINS.replace("gzip", "br"));
            connection.send(&event("snapshot", &snapshot(7, "on")));
            connection.hold();
        }
        (STREAM, _) => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "off")));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let client = client_with_flags(&fake, Pace { poll_after: LONG, poll_after_loss: LONG, ..quick() });
    eventually("the next but one", || f(&client) == Some(false));
}
