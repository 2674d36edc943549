//! Entity tags: the position at which a resource was last changed, and the preconditions on it. Each names the store: another
//! that stands at the same revision holds something else.

use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use daybreak_control::Precondition;
use daybreak_model::wire::Position;

use crate::problem::{Code, Problem};

/// What a request's `If-Match` or `If-None-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// The header is absent.
    Absent,
    /// `*`: whatever exists.
    Any,
    /// One of these, without quotes and `W/`.
    OneOf(Vec<String>),
}

impl Tags {
    /// Reads `If-Match`.
    ///
    /// # Errors
    /// When the header is no list of entity tags.
    pub fn if_match(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::read(headers, &IF_MATCH)
    }

    /// Reads `If-None-Match`.
    ///
    /// # Errors
    /// When the header is no list of entity tags.
    pub fn if_none_match(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::read(headers, &IF_NONE_MATCH)
    }

    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(name) {
            let malformed = || {
                let detail = format!("`{name}` holds entity tags in double quotes, as `ETag` has them, or `*`");
                Problem::new(Code::BadRequest, detail)
            };
            let text = value.to_str().map_err(|_| malformed())?.trim();
            if text == "*" {
                return Ok(Self::Any);
            }
            for tag in text.split(',') {
                tags.push(opaque(tag.trim()).ok_or_else(malformed)?.to_owned());
            }
        }
        Ok(if tags.is_empty() { Self::Absent } else { Self::OneOf(tags) })
    }

    /// Whether this tag is among them, compared weakly.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|known| known == tag),
        }
    }
}

/// What a change asks of the resource: `If-Match`, or `If-None-Match: *` which creates. `current` is where
/// it was last changed.
///
/// # Errors
/// When a header is malformed, or asks for what no resource can have.
pub fn precondition(headers: &HeaderMap, current: Option<Position>) -> Result<Precondition, Problem> {
    match (Tags::if_match(headers)?, Tags::if_none_match(headers)?) {
        (Tags::Absent, Tags::Absent) => Ok(Precondition::None),
        (Tags::Absent, Tags::Any) => Ok(Precondition::Absent),
        (Tags::Any, Tags::Absent) => Ok(Precondition::Exists),
        (Tags::OneOf(tags), Tags::Absent) => {
            let known = current.filter(|current| tags.iter().any(|tag| tag.parse() == Ok(*current)));
            // What is none of ours, or of another store, equals nothing.
            Ok(Precondition::Revision(known.map_or(u64::MAX, |known| known.revision)))
        }
        (_, Tags::OneOf(_)) => {
            let detail = "a change takes `If-Match`, or `If-None-Match: *` to create and never replace";
            Err(Problem::new(Code::BadRequest, detail))
        }
        (_, Tags::Any) => {
            let detail = "`If-Match` and `If-None-Match: *` contradict each other; send one of them";
            Err(Problem::new(Code::BadRequest, detail))
        }
    }
}

/// The part of an entity tag between its quotes. Quotes may be missing: shells eat them.
fn opaque(tag: &str) -> Option<&str> {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = match tag.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => tag,
    };
    let legal = |b: u8| b == 0x21 || (0x23..=0x7e).contains(&b);
    (!inner.is_empty() && inner.bytes().all(legal)).then_some(inner)
}

/// A tag as a header's value.
#[must_use]
pub fn quoted(tag: impl std::fmt::Display) -> String {
    format!("\"{tag}\"")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn what_headers_mean() {
        let one_of = |tags: &[&str]| Some(Tags::OneOf(tags.iter().map(|&tag| tag.to_owned()).collect()));
        let cases = [
            (vec![], Some(Tags::Absent)),
            (vec!["*"], Some(Tags::Any)),
            (vec!["\"42\""], one_of(&["42"])),
            (vec!["W/\"42\""], one_of(&["42"])),
            (vec!["42"], one_of(&["42"])),
            (vec!["\"1\", W/\"2\"", "\"3\""], one_of(&["1", "2", "3"])),
            (vec!["\"1"], None),
            (vec![""], None),
            (vec!["\"\""], None),
            (vec!["\"1\",,\"2\""], None),
            (vec!["\"a\"b\""], None),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(IF_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(Tags::if_match(&headers).ok(), expected, "{values:?}");
        }
    }
}
