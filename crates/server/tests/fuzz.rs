//! No header makes the server panic before it has answered; and what an entity tag says, a tag of ours says too.
//!
//! `cargo test` runs it for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ORIGIN};
use actix_web::test::TestRequest;
use daybreak_control::clock::ManualClock;
use daybreak_control::tokens::{NewToken, Role};
use daybreak_control::{Actor, Control, Options};
use daybreak_model::wire::{Position, StoreId};
use daybreak_server::etag::{Tags, precondition, quoted};
use daybreak_server::{access, credentials};
use daybreak_store::{MemoryOptions, MemoryStore};

/// Headers that are read by hand, each with values that mean something in it.
const HEADERS: [(HeaderName, &[&str]); 5] = [
    (
        IF_MATCH,
        &["*", "W/", "\"0000000000000007:42\"", "\"", ",", "W/\"0000000000000007:18446744073709551616\"", " ", "42"],
    ),
    (IF_NONE_MATCH, &["*", "W/\"7\"", "\"\"", ",", "\"a b\"", "w/\"7\""]),
    (HOST, &["localhost", ":8080", "127.0.0.1", "[::1]", "[", "127.1", "localhost.", "@", "\u{ff0e}"]),
    (ORIGIN, &["http://", "null", "localhost", ":8080", "https://", "/", "127.0.0.1", "[::1]"]),
    (HeaderName::from_static("sec-fetch-site"), &["same-origin", "cross-site", "none", ","]),
];

/// The input as lines of headers: the first byte of each line chooses the header; of the others, those below 128 stand
/// for themselves, and the rest for one of its values.
fn request(bytes: &[u8]) -> TestRequest {
    bytes.split(|byte| *byte == b'\n').take(6).fold(TestRequest::default(), |request, line| {
        let Some((&first, rest)) = line.split_first() else { return request };
        let (name, values) = &HEADERS[usize::from(first) % HEADERS.len()];
        let mut value = Vec::new();
        for byte in rest {
            match byte {
                0..128 => value.push(*byte),
                _ => value.extend_from_slice(values[usize::from(*byte) % values.len()].as_bytes()),
            }
        }
        match HeaderValue::from_bytes(&value) {
            Ok(value) => request.append_header((name.clone(), value)),
            Err(_) => request,
        }
    })
}

#[test]
fn headers_that_are_read_by_hand() {
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
        let request = request(bytes).to_srv_request();
        let _ = access::check(request.head(), false, false);
        for current in [None, Some(0), Some(42), Some(u64::MAX)]
            .map(|revision| Some(Position { store: StoreId::new(7), revision: revision? }))
        {
            let _ = precondition(request.headers(), current);
        }
        for tags in [Tags::if_match(request.headers()), Tags::if_none_match(request.headers())] {
            let Ok(Tags::OneOf(tags)) = tags else { continue };
            for tag in &tags {
                let again = TestRequest::default().insert_header((IF_MATCH, quoted(tag))).to_srv_request();
                // A star in quotes is a tag like any other.
                assert_eq!(Tags::if_match(again.headers()).ok(), Some(Tags::OneOf(vec![tag.clone()])), "{tag}");
            }
        }
    });
}

/// The headers that may carry a token, with what is nearly one.
#[test]
fn token_headers() {
    let runtime = actix_web::rt::System::new();
    let store = MemoryStore::open(MemoryOptions::new(StoreId::new(7))).unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-23T09:30:00Z".parse().unwrap()));
    let (control, secret) = runtime.block_on(async {
        let control = Control::open(Options::new("test"), Arc::new(store), clock, [7; 32]).await.unwrap();
        let admin = NewToken { name: "admin".to_owned(), role: Role::Admin, expires: None };
        let (_, secret) = control.create_token(admin, Actor::default()).await.unwrap();
        (control, secret.reveal().to_owned())
    });
    // A panic ends the test.
    let control = AssertUnwindSafe(control);
    let parts = ["Bearer ", "bearer", &secret, &secret[..20], "daybreak_admin_", "_", " ", "Basic "];
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|bytes: &[u8]| {
        let mut request = TestRequest::default();
        for line in bytes.split(|byte| *byte == b'\n').take(3) {
            let mut value = Vec::new();
            for byte in line {
                match byte {
                    0..128 => value.push(*byte),
                    _ => value.extend_from_slice(parts[usize::from(*byte) % parts.len()].as_bytes()),
                }
            }
            let name = if line.len().is_multiple_of(3) { HeaderName::from_static("x-api-key") } else { AUTHORIZATION };
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request = request.append_header((name, value));
            }
        }
        if let Ok(Some(text)) = credentials::shown(request.to_srv_request().headers()) {
            let control = &control;
            // Only the token itself is let in, whatever is nearly one.
            assert_eq!(control.authenticate(text).is_ok(), text == secret.as_str(), "{text:?}");
        }
    });
}
