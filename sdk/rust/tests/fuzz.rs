//! No bytes that a stream could bring make its reader panic, or depend on how they are cut into pieces; and no event of
//! it makes the reading of a message panic.
//!
//! `cargo test` runs it for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

use std::time::Duration;

use daybreak_model::wire::Message;

// It is the client's own: no part of what the crate shows.
#[path = "../src/worker/events.rs"]
mod events;

use events::{Event, Reader, Unreadable};

/// The longest event here, in bytes.
const LIMIT: usize = 1_000;

/// What means something in a stream.
const FRAGMENTS: [&[u8]; 24] = [
    b"event: snapshot\n",
    b"event: change\n",
    b"event: runs\n",
    b"event: heartbeat\n",
    b"event: goodbye\n",
    b"id: 00c0ffee00c0ffee:42\n",
    b"data: ",
    b"data:",
    b"data",
    b"{\"position\":\"00c0ffee00c0ffee:42\",\"environment\":\"test\",\"flags\":{},\"segments\":{}}",
    b"{\"position\":\"00c0ffee00c0ffee:43\",\"flags\":{\"a\":null}}",
    b"{\"started\":[],\"ended\":[],\"halted\":true}",
    b"\n\n",
    b"\n",
    b"\r",
    b"\r\n",
    b": comment\n",
    b"retry: 9\n",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b"\xff",
    b"{",
    b"}",
    b"\"",
];

/// The input as a stream: as it stands after a space, else bytes below 128 stand for themselves, and the others for a
/// fragment.
fn stream(bytes: &[u8]) -> Vec<u8> {
    if let Some((b' ', rest)) = bytes.split_first() {
        return rest.to_vec();
    }
    let mut stream = Vec::new();
    for byte in bytes {
        match byte {
            0..128 => stream.push(*byte),
            _ => stream.extend_from_slice(FRAGMENTS[usize::from(*byte) % FRAGMENTS.len()]),
        }
    }
    stream
}

fn read<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> (Vec<Event>, Result<(), Unreadable>) {
    let (mut reader, mut events) = (Reader::new(LIMIT), Vec::new());
    for piece in pieces {
        if let Err(why) = reader.read(piece, &mut events) {
            return (events, Err(why));
        }
        assert!(reader.under_way() <= LIMIT);
    }
    (events, Ok(()))
}

#[test]
fn frames_of_a_stream() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
        let stream = stream(bytes);
        let whole = read(std::iter::once(stream.as_slice()));
        for size in [1, 2, 7] {
            assert_eq!(read(stream.chunks(size)), whole, "in pieces of {size}");
        }
        for event in whole.0 {
            assert!(event.name.len() + event.data.len() <= LIMIT);
            if let Ok(Some(message)) = Message::read(&event.name, &event.data) {
                let data = message.data().unwrap_or_else(|why| panic!("{why}: {message:?}"));
                let again = Message::read(&event.name, &data).ok().flatten().and_then(|again| again.data().ok());
                assert_eq!(again, Some(data), "{event:?}");
            }
        }
    });
}
