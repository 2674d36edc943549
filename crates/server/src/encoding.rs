//! Whether an answer may be compressed (RFC 9110, 12.5.3).

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap};
use daybreak_control::Packing;

/// What the header of a compressed answer says.
pub(crate) const GZIP: &str = "gzip";

/// How a client takes what is compressed once for all: only where it says so.
pub(crate) fn accepted(headers: &HeaderMap) -> Packing {
    let listed = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    let takes = listed.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(GZIP));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        // What is no number says nothing.
        named && weight.and_then(|weight| weight.trim().parse().ok()).is_none_or(|weight: f32| weight > 0.0)
    });
    if takes { Packing::Gzip } else { Packing::Plain }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn what_clients_take() {
        let cases: [(&[&str], _); 12] = [
            (&[], Packing::Plain),
            (&[""], Packing::Plain),
            (&["identity"], Packing::Plain),
            (&["*"], Packing::Plain),
            (&["br, zstd"], Packing::Plain),
            (&["gzip;q=0"], Packing::Plain),
            (&["gzip; q=0.000, identity"], Packing::Plain),
            (&["gzipped"], Packing::Plain),
            (&["gzip"], Packing::Gzip),
            (&["GZIP;Q=0.5"], Packing::Gzip),
            (&["deflate, gzip;q=1.0, *;q=0.5"], Packing::Gzip),
            (&["br", "gzip"], Packing::Gzip),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(accepted(&headers), expected, "{values:?}");
        }
    }
}
