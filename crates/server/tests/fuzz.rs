//! No header makes the server panic before it has answered; and what an entity tag says, a tag of ours says too.
//!
//! `cargo test` runs it for a second, and the kept corpus first; `BOLERO_RANDOM_TEST_TIME_MS=60000` runs longer.

use std::time::Duration;

use actix_web::http::header::{HOST, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ORIGIN};
use actix_web::test::TestRequest;
use daybreak_server::access;
use daybreak_server::etag::{Tags, precondition, quoted};

/// Headers that are read by hand, each with values that mean something in it.
const HEADERS: [(HeaderName, &[&str]); 5] = [
    (IF_MATCH, &["*", "W/", "\"42\"", "\"", ",", "W/\"18446744073709551616\"", " ", "42"]),
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
        let _ = access::check(request.head(), false);
        for current in [None, Some(0), Some(42), Some(u64::MAX)] {
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
