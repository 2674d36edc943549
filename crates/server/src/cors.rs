//! Which pages of other origins may ask, and how browsers are told (CORS). None may unless an operator names its origin,
//! and then only routes for browsers, which a row of [`roles`](crate::roles) says.
//!
//! Names are compared as they stand: no wildcard, no suffix, no `null`. Cookies are never allowed: there are none.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue,
    ORIGIN, VARY,
};
use url::Url;

use crate::roles;

/// What a page may send beyond what every page may: OFREP clients send these.
const REQUEST_HEADERS: &str = "Content-Type, Authorization, X-API-Key, If-None-Match";
/// What a page may read beyond what every page may.
const ANSWER_HEADERS: &str = "ETag, Retry-After";
/// Seconds for which a browser remembers that it may ask; none remembers it longer.
const REMEMBERED: &str = "7200";

/// The origin of a page, as browsers write it: `https://app.example`, `http://localhost:3000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Why a text is no origin whose pages could be let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It stands for many.
    #[error(
        "every page of the web could use a token that a browser holds; write out each origin: `https://app.example`"
    )]
    Wildcard,
    /// It is none.
    #[error("this is no origin; write a scheme, a host and a port if it is not the usual one: `https://app.example`")]
    Malformed,
    /// It is one, and browsers write it otherwise.
    #[error("browsers write this origin otherwise; write `{0}`")]
    Spelling(String),
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.contains('*') {
            return Err(OriginError::Wildcard);
        }
        let url = Url::parse(text).map_err(|_| OriginError::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Malformed);
        }
        let origin = url.origin().ascii_serialization();
        if origin != text {
            return Err(OriginError::Spelling(origin));
        }
        HeaderValue::try_from(origin).map(Self).map_err(|_| OriginError::Malformed)
    }
}

/// The origins whose pages may ask.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Origin>);

impl FromIterator<Origin> for Origins {
    fn from_iter<T: IntoIterator<Item = Origin>>(origins: T) -> Self {
        Self(origins.into_iter().collect())
    }
}

/// What a request is, by where the page comes from that sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// No matter of CORS: the route is none for browsers, or no origin is named.
    No,
    /// A route for browsers, and no page that may ask.
    Unnamed,
    /// A page of this origin asks, and may.
    Page(HeaderValue),
    /// A browser asks whether a page of this origin may, and it may.
    Preflight(HeaderValue, &'static str),
}

impl Crossing {
    /// What a request for this path is.
    #[must_use]
    pub fn of(head: &RequestHead, path: &str, origins: &Origins) -> Self {
        if origins.0.is_empty() {
            return Self::No;
        }
        let wanted = head.headers().get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| head.method == Method::OPTIONS);
        let method = wanted.map_or(head.method.as_str(), |method| method.to_str().unwrap_or_default());
        let Some(row) = roles::find(method, path).filter(|row| row.browsers) else { return Self::No };
        // Two origins are none: a browser sends one.
        let mut named = head.headers().get_all(ORIGIN);
        let origin = named.next().filter(|origin| origins.0.iter().any(|known| known.0 == *origin));
        match origin.filter(|_| named.next().is_none()).cloned() {
            None => Self::Unnamed,
            Some(origin) if wanted.is_some() => Self::Preflight(origin, row.method),
            Some(origin) => Self::Page(origin),
        }
    }

    /// Whether a page of an origin that was named sent the request, or its browser did.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        matches!(self, Self::Page(_) | Self::Preflight(..))
    }

    /// The whole answer, where a browser only asks whether a page may.
    #[must_use]
    pub fn preflight(&self) -> Option<HttpResponse> {
        let Self::Preflight(_, method) = self else { return None };
        let mut answer = HttpResponse::NoContent();
        answer.insert_header((ACCESS_CONTROL_ALLOW_METHODS, *method));
        answer.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS));
        answer.insert_header((ACCESS_CONTROL_MAX_AGE, REMEMBERED));
        Some(answer.finish())
    }

    /// Tells the browser, whatever the answer is: a page should see why it was refused.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if *self == Self::No {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Self::Page(origin) | Self::Preflight(origin, _) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        if let Self::Page(_) = self {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        let spelling = |text: &str| Some(OriginError::Spelling(text.to_owned()));
        let cases = [
            ("https://app.example", None),
            ("http://localhost:3000", None),
            ("https://app.example:8443", None),
            ("http://[::1]:3000", None),
            ("https://xn--mnchen-3ya.example", None),
            ("*", Some(OriginError::Wildcard)),
            ("https://*.app.example", Some(OriginError::Wildcard)),
            ("https://app.example/", spelling("https://app.example")),
            ("https://app.example/cart?a=b#c", spelling("https://app.example")),
            ("https://App.Example", spelling("https://app.example")),
            ("HTTPS://app.example", spelling("https://app.example")),
            ("https://app.example:443", spelling("https://app.example")),
            ("http://app.example:80", spelling("http://app.example")),
            ("https://user:secret@app.example", spelling("https://app.example")),
            ("https://münchen.example", spelling("https://xn--mnchen-3ya.example")),
            (" https://app.example", spelling("https://app.example")),
            ("", Some(OriginError::Malformed)),
            ("null", Some(OriginError::Malformed)),
            ("app.example", Some(OriginError::Malformed)),
            ("localhost:3000", Some(OriginError::Malformed)),
            ("//app.example", Some(OriginError::Malformed)),
            ("https://", Some(OriginError::Malformed)),
            ("file:///tmp/page.html", Some(OriginError::Malformed)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Origin>().err(), expected, "{text}");
        }
    }
}
