//! Who may ask, as long as there are no tokens: whoever is on this machine, and no web page (invariant 10).
//!
//! A page of any origin can make a browser send requests to loopback, and a name that its owner points at
//! 127.0.0.1 (DNS rebinding) even lets it read the answers. So the host must be written as loopback, and the
//! browser must not say that another origin is asking.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::RequestHead;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};

use crate::problem::{Code, Problem};

/// Where a browser says that a page comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what a web page of another origin could have sent; `secure` says whether the connection is TLS, `named` whether
/// the page is of an origin that an operator named for this route.
///
/// # Errors
/// With [`Code::ForeignOrigin`], which is answered with 403.
pub fn check(head: &RequestHead, secure: bool, named: bool) -> Result<(), Problem> {
    let headers = head.headers();
    let hosts = || headers.get_all(HOST).map(text).chain(head.uri.authority().map(|authority| authority.as_str()));
    let Some(host) = hosts().next() else {
        return Err(refuse("the request names no host; send `Host: localhost`"));
    };
    if let Some(foreign) = hosts().find(|host| !is_loopback(host)) {
        return Err(refuse(&format!(
            "without tokens this server answers on loopback only, and `{foreign}` is not loopback; \
             ask for http://localhost or http://127.0.0.1"
        )));
    }
    if named {
        return Ok(());
    }
    let scheme = if secure { "https" } else { "http" };
    for origin in headers.get_all(ORIGIN).map(text) {
        if !is_own(origin, scheme, host) {
            return Err(refuse(&format!(
                "a page of `{origin}` asked; only pages of {scheme}://{host} may, and to evaluate those of `--cors-origin`"
            )));
        }
    }
    for site in headers.get_all(FETCH_SITE).map(text) {
        if !matches!(site, "same-origin" | "none") {
            return Err(refuse(&format!("a browser says that a page of another origin asked (`{site}`)")));
        }
    }
    Ok(())
}

/// Whether the server may listen here without tokens.
#[must_use]
pub fn may_listen(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn refuse(detail: &str) -> Problem {
    Problem::new(Code::ForeignOrigin, detail)
}

/// A header's text; what is no text equals nothing.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("\u{fffd}")
}

/// Whether `host`, with or without a port, is written as loopback.
fn is_loopback(host: &str) -> bool {
    let (name, rest) = match host.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((name, rest)) if name.contains(':') => (name, rest),
            _ => return false,
        },
        None => host.find(':').map_or((host, ""), |colon| host.split_at(colon)),
    };
    let port = rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let name_is_loopback = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    port && name_is_loopback
}

/// Whether `origin` is that of the pages which this server itself serves under `host`.
fn is_own(origin: &str, scheme: &str, host: &str) -> bool {
    let port = if scheme == "https" { ":443" } else { ":80" };
    let strip = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    let authority = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    authority.is_some_and(|authority| strip(authority) == strip(host))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;
    use actix_web::test::TestRequest;

    use super::*;

    fn answer(uri: &str, headers: &[(&str, &str)]) -> bool {
        answer_over("http", uri, headers)
    }

    fn answer_over(scheme: &str, uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = TestRequest::with_uri(uri).to_request();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        check(request.head(), scheme == "https", false).is_ok()
    }

    #[test]
    fn invariant_10_only_hosts_written_as_loopback() {
        let hosts = [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("127.0.0.1:8080", true),
            ("127.8.9.10", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("", false),
            ("evil.example", false),
            ("localhost.evil.example:8080", false),
            ("evil.localhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1:8080@evil.example", false),
            ("localhost:", false),
            ("localhost:http", false),
            ("localhost:99999", false),
            ("0.0.0.0:8080", false),
            ("192.168.1.7:8080", false),
            ("[::]:8080", false),
            ("[localhost]", false),
            ("::1", false),
            ("0x7f.1", false),
            ("2130706433", false),
        ];
        for (host, expected) in hosts {
            assert_eq!(answer("/healthz", &[("host", host)]), expected, "{host:?}");
        }
        assert!(!answer("/healthz", &[]), "no host");
        assert!(!answer("/healthz", &[("host", "localhost"), ("host", "evil.example")]), "two hosts");
        assert!(!answer("http://evil.example/healthz", &[("host", "localhost")]), "absolute form");
        assert!(answer("http://localhost:8080/healthz", &[("host", "localhost:8080")]), "absolute form");
    }

    #[test]
    fn invariant_10_no_page_of_another_origin() {
        let cases = [
            (vec![("origin", "http://localhost:8080")], true),
            (vec![("origin", "http://LOCALHOST:8080")], true),
            (vec![("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("origin", "http://localhost:3000")], false),
            (vec![("origin", "http://127.0.0.1:8080")], false),
            (vec![("origin", "https://localhost:8080")], false),
            (vec![("origin", "http://evil.example")], false),
            (vec![("origin", "null")], false),
            (vec![("origin", "")], false),
            (vec![("origin", "http://localhost:8080"), ("origin", "http://evil.example")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "anything-new")], false),
            // Forwarding headers make no host loopback, and none foreign.
            (vec![("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")], true),
        ];
        for (mut headers, expected) in cases {
            headers.push(("host", "localhost:8080"));
            assert_eq!(answer("/api/v1/halt", &headers), expected, "{headers:?}");
        }
        assert!(answer("/", &[("host", "localhost:80"), ("origin", "http://localhost")]), "the port that goes unsaid");
        let over_tls = |origin| answer_over("https", "/", &[("host", "localhost:443"), ("origin", origin)]);
        assert!(over_tls("https://localhost") && !over_tls("http://localhost") && !over_tls("http://localhost:443"));
    }

    #[test]
    fn invariant_10_without_tokens_loopback_only() {
        let cases = [
            ("127.0.0.1:8080", true),
            ("[::1]:0", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("10.0.0.1:80", false),
        ];
        for (address, expected) in cases {
            assert_eq!(may_listen(address.parse().unwrap()), expected, "{address}");
        }
    }
}
