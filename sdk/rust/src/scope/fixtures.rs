//! What the tests of scopes are made of.

/// The values of one header, as [`RootRequest::arriving`](super::RootRequest::arriving) asks for them.
pub(crate) fn values<'h>(headers: &'h [(&'h str, &'h str)], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_bytes())
}
