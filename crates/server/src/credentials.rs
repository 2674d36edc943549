//! How a token is shown: `Authorization: Bearer …`, or `X-API-Key`, as some OpenFeature clients do.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SCHEME: &str = "bearer";
/// More bytes than any token has.
const LENGTH_MAX: usize = 200;

/// The token that a request shows, if any.
///
/// # Errors
/// When it shows something else, or more than one.
pub fn shown(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let bearers = headers.get_all(AUTHORIZATION).map(|value| (true, value));
    let mut values = bearers.chain(headers.get_all(API_KEY).map(|value| (false, value)));
    let Some((is_bearer, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("the request shows more than one token; send one `Authorization: Bearer …`");
    }
    let text = value.to_str().unwrap_or_default().trim();
    let token = if is_bearer { bearer(text) } else { Some(text) };
    match token.filter(|token| !token.is_empty() && token.len() <= LENGTH_MAX) {
        Some(token) => Ok(Some(token)),
        None => Err("the request shows no token of ours; send `Authorization: Bearer daybreak_…`"),
    }
}

/// The ticket in a URL's query, where no token can be shown.
#[must_use]
pub fn ticket(query: &str) -> Option<&str> {
    // It is of letters, digits and `-`: nothing in it is ever escaped.
    query.split('&').find_map(|pair| pair.strip_prefix("ticket=")).filter(|ticket| ticket.len() <= LENGTH_MAX)
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    /// The headers, and what they show; none where that is a mistake.
    type Case = (&'static [(&'static str, &'static [u8])], Option<Option<&'static str>>);

    #[test]
    fn tickets() {
        let long = format!("ticket={}", "a".repeat(LENGTH_MAX + 1));
        let cases = [
            ("", None),
            ("ticket=a-1-b", Some("a-1-b")),
            ("since=x&ticket=a-1-b&more", Some("a-1-b")),
            ("ticket=", Some("")),
            ("tickets=a", None),
            ("since=ticket=a", None),
            (&long, None),
        ];
        for (query, expected) in cases {
            assert_eq!(ticket(query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_shown() {
        let cases: &[Case] = &[
            (&[], Some(None)),
            (&[("authorization", b"Bearer abc")], Some(Some("abc"))),
            (&[("authorization", b"bearer   abc ")], Some(Some("abc"))),
            (&[("x-api-key", b"abc")], Some(Some("abc"))),
            (&[("authorization", b"")], None),
            (&[("authorization", b"Bearer")], None),
            (&[("authorization", b"Bearer ")], None),
            (&[("authorization", b"abc")], None),
            (&[("authorization", b"Basic YWJj")], None),
            (&[("authorization", b"Bearer \xff\xfe")], None),
            (&[("x-api-key", &[b'a'; LENGTH_MAX])], Some(std::str::from_utf8(&[b'a'; LENGTH_MAX]).ok())),
            (&[("x-api-key", &[b'a'; LENGTH_MAX + 1])], None),
            (&[("x-api-key", b"")], None),
            (&[("authorization", b"Bearer abc"), ("authorization", b"Bearer abc")], None),
            (&[("authorization", b"Bearer abc"), ("x-api-key", b"abc")], None),
        ];
        for (headers, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(shown(&map).ok(), *expected, "{headers:?}");
        }
    }
}
