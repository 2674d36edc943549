//! What a connection is for, by what it asks first.

use std::str::from_utf8;

use crate::roles;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What takes risk away, and probes: short, and never behind anything else.
    Urgent,
    /// Streams: what takes risk away reaches clients through them.
    Streams,
    /// Everything else.
    Common,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Streams, Self::Common];

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Streams => "streams",
            Self::Common => "common",
        }
    }

    /// The lane of a connection that begins with these bytes. What cannot be told from them is common.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Self {
        let row = request_line(beginning).and_then(|(method, target)| {
            let method = if method == "HEAD" { "GET" } else { method };
            roles::find(method, path(target))
        });
        row.map_or(Self::Common, roles::Row::lane)
    }
}

/// Method and target without its query, where both are there to their ends. A query may be longer than what is looked at.
fn request_line(beginning: &[u8]) -> Option<(&str, &str)> {
    let line = beginning.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let (method, rest) = (words.next()?, words.next()?);
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'?' | b'#'))?;
    Some((from_utf8(method).ok()?, from_utf8(rest.get(..end)?).ok()?))
}

/// The path of a target, which to a proxy may be a whole URL.
fn path(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_3_what_takes_risk_away_has_a_lane_of_its_own() {
        use Lane::{Common, Streams, Urgent};
        let cases = [
            ("PUT /api/v1/halt HTTP/1.1\r\nHost: localhost\r\n\r\n", Urgent),
            ("PUT /api/v1/halt?reason=too+slow HTTP/1.1\r\n", Urgent),
            ("PUT http://daybreak.example:8080/api/v1/halt HTTP/1.1\r\n", Urgent),
            ("POST /api/v1/faults/gateway-slow/stop HTTP/1.1\r\n", Urgent),
            ("POST /api/v1/runs/0123456789abcdef/stop HTTP/1.1\r\n", Urgent),
            ("POST /api/v1/flags/new-checkout/disable HTTP/1.1\r\n", Urgent),
            ("POST /api/v1/pages HTTP/1.1\r\n", Urgent),
            ("GET /healthz HTTP/1.1\r\n", Urgent),
            ("HEAD /readyz HTTP/1.0\r\n", Urgent),
            ("GET /api/v1/stream HTTP/1.1\r\n", Streams),
            ("GET /ofrep/v1/events?ticket=a HTTP/1.1\r\n", Streams),
            ("GET /api/v1/halt HTTP/1.1\r\n", Urgent),
            ("DELETE /api/v1/halt HTTP/1.1\r\n", Urgent),
            ("GET /api/v1/runs HTTP/1.1\r\n", Common),
            ("POST /api/v1/reports HTTP/1.1\r\n", Common),
            ("POST /ofrep/v1/evaluate/flags HTTP/1.1\r\n", Common),
            ("PUT /api/v1/halt", Common),
            ("PUT /api/v1/halt?reason=it+is+a+long+st", Urgent),
            ("PUT http://daybreak.example?/api/v1/halt HTTP/1.1\r\n", Common),
            ("POST /api/v1/pages/pagerduty HTTP/1.1\r\n", Urgent),
            ("PUT", Common),
            ("\u{16}\u{3}\u{1}", Common),
            (" \r\n", Common),
            ("", Common),
        ];
        for (beginning, expected) in cases {
            assert_eq!(Lane::of(beginning.as_bytes()), expected, "{beginning}");
        }
        assert_eq!(Lane::of(b"PUT \xff HTTP/1.1\r\n"), Common);
    }
}
