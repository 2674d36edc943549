//! What a gRPC response came to. Its HTTP status is 200 whatever happened; `grpc-status` tells, in the trailers behind
//! the body, or in the head where there is no body (gRPC over HTTP/2, "Responses").
//!
//! A code counts as the HTTP status that `google/rpc/code.proto` gives it. So those that are the server's fault are the
//! ones of the OpenTelemetry conventions for gRPC servers: unknown, deadline exceeded, unimplemented, internal,
//! unavailable and data loss.

use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, StatusCode};

const GRPC_STATUS: &str = "grpc-status";
/// The HTTP status of each code, from 0.
const HTTP_STATUS: [u16; 17] = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/// The status of a response by its head; none where it comes after the body.
pub(super) fn status(head: &Parts) -> Option<u16> {
    let own = head.status.as_u16();
    if head.status != StatusCode::OK || !is_grpc(&head.headers) {
        return Some(own);
    }
    // gRPC-Web has its trailers inside of the body, which is not read here.
    status_in(&head.headers).or_else(|| is_web(&head.headers).then_some(own))
}

/// The status that headers or trailers tell, if they do.
pub(super) fn status_in(headers: &HeaderMap) -> Option<u16> {
    let code = headers.get(GRPC_STATUS)?.to_str().ok().and_then(|code| code.trim().parse::<usize>().ok());
    // A code that is not known is read as "unknown".
    Some(code.and_then(|code| HTTP_STATUS.get(code).copied()).unwrap_or(500))
}

fn is_grpc(headers: &HeaderMap) -> bool {
    begins(headers, "application/grpc")
}

fn is_web(headers: &HeaderMap) -> bool {
    begins(headers, "application/grpc-web")
}

fn begins(headers: &HeaderMap, begin: &str) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.as_bytes().get(..begin.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(begin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    /// The HTTP status, headers, and what is known by them.
    type Case = (u16, &'static [(&'static str, &'static str)], Option<u16>);

    #[test]
    fn the_status_of_a_head() {
        const GRPC: (&str, &str) = ("content-type", "application/grpc");
        let cases: [Case; 12] = [
            (200, &[], Some(200)),
            (404, &[], Some(404)),
            (200, &[("content-type", "application/json"), ("grpc-status", "13")], Some(200)),
            (200, &[GRPC], None),
            (200, &[("content-type", "Application/GRPC+proto; x=y")], None),
            (503, &[GRPC], Some(503)),
            (200, &[GRPC, ("grpc-status", "0")], Some(200)),
            (200, &[GRPC, ("grpc-status", "5")], Some(404)),
            (200, &[GRPC, ("grpc-status", "99")], Some(500)),
            (200, &[GRPC, ("grpc-status", "none")], Some(500)),
            (200, &[("content-type", "application/grpc-web+proto")], Some(200)),
            (200, &[("content-type", "application/grpc-web"), ("grpc-status", "14")], Some(503)),
        ];
        for (status, headers, expected) in cases {
            let head = head(status, headers);
            assert_eq!(super::status(&head), expected, "{status} {headers:?}");
        }
    }

    /// The codes that the OpenTelemetry conventions call errors of a server.
    #[test]
    fn codes_that_are_the_servers_fault() {
        let bad: Vec<usize> = (0..HTTP_STATUS.len()).filter(|code| HTTP_STATUS[*code] >= 500).collect();
        assert_eq!(bad, [2, 4, 12, 13, 14, 15]);
    }
}
