//! Answers in JSON, for people with curl and for programs.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

/// The header of an answer in JSON. It is no copy, as a text would be that is made a header.
#[must_use]
pub fn json() -> (HeaderName, HeaderValue) {
    (CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

/// JSON on several lines, ending in a newline.
#[must_use]
pub fn pretty(body: &impl Serialize) -> Vec<u8> {
    // Serialising fails only for maps whose keys are no text, which no answer has.
    let mut text = serde_json::to_vec_pretty(body).unwrap_or_default();
    text.push(b'\n');
    text
}

/// JSON on one line, ending in a newline.
#[must_use]
pub fn line(body: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(body).unwrap_or_default();
    text.push(b'\n');
    text
}

/// `200 OK` with a body for people.
#[must_use]
pub fn ok(body: &impl Serialize) -> HttpResponse {
    with(StatusCode::OK, body)
}

/// An answer of this status with a body for people.
#[must_use]
pub fn with(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    finish(&mut HttpResponse::build(status), body)
}

/// Ends a response with a body for programs: JSON on one line, ending in a newline all the same.
pub fn compact(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    response.insert_header(json()).body(line(body))
}

/// Ends a response with a body for people.
pub fn finish(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    response.insert_header(json()).body(pretty(body))
}
