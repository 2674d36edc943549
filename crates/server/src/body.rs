//! Bodies, JSON or YAML whatever the content type says: `curl -d` sends everything as a form.

use std::fmt;
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use daybreak_control::Refusal;
use daybreak_document::{Diagnostic, Source};
use daybreak_model::limits::DOCUMENT_BYTES_MAX;
use futures_util::future::LocalBoxFuture;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::bodies::{DOCUMENTS, Limited, announced, receive};
use crate::limits::{BODY_TIMEOUT, COMMAND_BYTES_MAX, LONG_BODY_TIMEOUT, SHORT_DOCUMENT_BYTES_MAX};
use crate::offload::Offload;
use crate::problem::{Code, Problem};
use crate::room::Taken;

/// What diagnostics call a body.
pub const SOURCE_NAME: &str = "body";

/// The document in a body.
#[derive(Debug)]
pub struct Document {
    /// Its text.
    pub source: Source,
    /// Whether curl's `-d @file` may have eaten its line ends.
    joined: bool,
    /// The place of a long one.
    place: Option<OwnedSemaphorePermit>,
    /// Its room, as long as somebody works on it.
    _taken: Taken,
}

impl Document {
    /// What to keep until all is done with it: there is room for few long ones.
    pub fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        self.place.take()
    }

    /// Why control refused what was made of this document: with the lines in question.
    #[must_use]
    pub fn refused(self, refusal: Refusal) -> Problem {
        let Refusal::Invalid(diagnostics) = &refusal else { return refusal.into() };
        let snippet = |of: &Diagnostic| (of.line > 0).then(|| snippet(&self.source.text, of.span.start));
        let shown = diagnostics.iter().map(|diagnostic| Shown { snippet: snippet(diagnostic), diagnostic });
        let shown: Vec<_> = shown.map(|shown| json!(shown)).collect();
        let hint = "; the body came as one line: to send a file, write `--data-binary @FILE`, not `-d @FILE`";
        let detail = format!("{refusal}{}", if self.joined { hint } else { "" });
        Problem::new(Code::Invalid, detail).with("diagnostics", shown)
    }
}

/// Bytes of a line that are shown on each side of a place in it: what programs write is one line, of up to a whole document, and
/// may have a thousand mistakes.
const SHOWN_ASIDE: usize = 120;

/// The line of a place; of a long one, what stands around it.
fn snippet(text: &str, at: usize) -> String {
    let at = text.floor_char_boundary(at);
    let (before, after) = text.split_at(at);
    let before = &before[before.floor_char_boundary(before.len().saturating_sub(SHOWN_ASIDE))..];
    let after = &after[..after.floor_char_boundary(SHOWN_ASIDE)];
    let (begin, before) = match before.rfind('\n') {
        Some(end) => ("", &before[end + 1..]),
        None => (if before.len() < at { "…" } else { "" }, before),
    };
    let (after, end) = match after.find('\n') {
        Some(end) => (after[..end].trim_end_matches('\r'), ""),
        None => (after, if at + after.len() < text.len() { "…" } else { "" }),
    };
    format!("{begin}{before}{after}{end}")
}

/// A diagnostic with the line that it speaks of.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    diagnostic: &'a Diagnostic,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<String>,
}

impl FromRequest for Document {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let form = request.headers().get(CONTENT_TYPE).is_some_and(|media_type| {
            media_type.to_str().is_ok_and(|media_type| media_type.starts_with("application/x-www-form-urlencoded"))
        });
        let length = announced(request);
        let is_long = length.is_some_and(|length| length > SHORT_DOCUMENT_BYTES_MAX);
        let offload = request.app_data::<web::Data<Offload>>().filter(|_| is_long).cloned();
        let (bound, within) = match is_long {
            // There are places for so few of them that they need no room.
            true => ((DOCUMENT_BYTES_MAX, None), LONG_BODY_TIMEOUT),
            false => ((SHORT_DOCUMENT_BYTES_MAX, Some(DOCUMENTS)), BODY_TIMEOUT),
        };
        let body = receive(request, payload, bound, within);
        Box::pin(async move {
            // One that is too long to be taken needs no place.
            let fits = length.is_none_or(|length| length <= DOCUMENT_BYTES_MAX);
            let place = offload.filter(|_| fits).map(|offload| offload.long_document()).transpose()?;
            let body = body.await.map_err(|problem| if length.is_none() { untold(problem) } else { problem });
            let (bytes, taken) = body?;
            let text = text(bytes.into())?;
            if text.trim().is_empty() {
                let detail = "the body is empty; send the document as JSON or YAML, as in \
                              `curl -X PUT … --data-binary @flag.yaml`";
                return Err(Problem::new(Code::Invalid, detail));
            }
            let joined = form && !text.contains('\n') && !text.trim_start().starts_with(['{', '[']);
            Ok(Self { source: Source::new(SOURCE_NAME, text), joined, place, _taken: taken })
        })
    }
}

/// Why a document was refused that did not tell its length.
fn untold(problem: Problem) -> Problem {
    if problem.code() != Code::TooLarge {
        return problem;
    }
    let detail = format!(
        "a document of more than {SHORT_DOCUMENT_BYTES_MAX} bytes has to tell its length, and may have \
         {DOCUMENT_BYTES_MAX}; send it with `Content-Length`, as `curl --data-binary @FILE` does"
    );
    Problem::new(Code::TooLarge, detail).with("limit", SHORT_DOCUMENT_BYTES_MAX)
}

/// What a command takes.
pub trait Options: DeserializeOwned + Default {
    /// A body of it, for who writes another.
    const EXAMPLE: &'static str = r#"{"reason": "…"}"#;
}

/// The options of a command, all of them optional; so is the body.
#[derive(Debug)]
pub struct Command<T>(pub T);

impl<T: Options + 'static> FromRequest for Command<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Limited::<COMMAND_BYTES_MAX>::from_request(request, payload);
        Box::pin(async move { options(body.await?.0).map(Self) })
    }
}

/// Reads options from a body; an empty one asks for nothing.
///
/// # Errors
/// When it is neither JSON nor YAML, or not what is asked for.
pub fn options<T: Options>(body: Bytes) -> Result<T, Problem> {
    let text = text(body.into())?;
    if text.trim().is_empty() { Ok(T::default()) } else { read(&text) }
}

fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::new(Code::BadRequest, format!("the body is not UTF-8: byte {at} fits no character; send UTF-8"))
    })
}

/// Reads options as JSON, or else as YAML.
///
/// # Errors
/// When it is neither, or not what the command takes: with the place, and what it takes.
pub fn read<T: Options>(text: &str) -> Result<T, Problem> {
    let json = match serde_json::from_str(text) {
        Ok(Mapping(options)) => return Ok(options),
        Err(error) => error,
    };
    let yaml = match serde_yaml::from_str(text) {
        Ok(Mapping(options)) => return Ok(options),
        Err(error) => error,
    };
    let (why, line, column) = if text.trim_start().starts_with("{\"") {
        (json.to_string(), json.line(), json.column())
    } else {
        let place = yaml.location();
        (yaml.to_string(), place.as_ref().map_or(1, |at| at.line()), place.as_ref().map_or(1, |at| at.column()))
    };
    let why = without_place(&why);
    let detail = format!("{why} (line {line}, column {column}); send JSON or YAML, as in `-d '{}'`", T::EXAMPLE);
    Err(Problem::new(Code::BadRequest, detail).with("line", line).with("column", column))
}

/// Reads a mapping only: serde's derived structures would take a list, too, for their fields in order.
pub(crate) struct Mapping<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Mapping<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MappingVisitor(PhantomData))
    }
}

struct MappingVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MappingVisitor<T> {
    type Value = Mapping<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mapping<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Mapping)
    }
}

fn without_place(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |at| &message[..at]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Said {
        reason: Option<String>,
    }

    impl Options for Said {
        const EXAMPLE: &'static str = "{reason: how it is written here}";
    }

    #[test]
    fn commands_in_json_and_yaml() {
        let cases = [
            (r#"{"reason": "why"}"#, Ok(Some("why"))),
            ("\t{\"reason\":\t\"why\"}\n", Ok(Some("why"))),
            ("{reason: why}", Ok(Some("why"))),
            ("reason: why not", Ok(Some("why not"))),
            ("reason: 12", Ok(Some("12"))),
            ("{}", Ok(None)),
            (r#"{"reson": "why"}"#, Err("unknown field `reson`, expected `reason` (line 1, column 8)")),
            (r#"{"reason": "#, Err("(line 1")),
            ("reason=how", Err("as in `-d '{reason: how it is written here}'`")),
            ("reason=why", Err("invalid type: string")),
            ("[1, 2, 3]", Err("expected an object")),
            ("[why]", Err("expected an object")),
            ("- why", Err("expected an object")),
        ];
        for (text, expected) in cases {
            match (read::<Said>(text), expected) {
                (Ok(options), Ok(reason)) => assert_eq!(options.reason.as_deref(), reason, "{text}"),
                (Err(problem), Err(why)) => assert!(problem.to_string().contains(why), "{text}: {problem}"),
                (read, expected) => panic!("{text}: {read:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn of_a_long_line_a_part_is_shown() {
        let text = "first: 1\r\nsecond: ü\n\nlast";
        for (at, expected) in [
            (0, "first: 1"),
            (8, "first: 1"),
            (13, "second: ü"),
            (19, "second: ü"),
            (21, ""),
            (22, "last"),
            (99, "last"),
        ] {
            assert_eq!(snippet(text, at), expected, "{at}");
        }
        let long = format!("{}!{}", "ü".repeat(100), "ü".repeat(100));
        assert_eq!(snippet(&long, 200), format!("…{}!{}…", "ü".repeat(60), "ü".repeat(59)));
        assert_eq!(snippet(&long, 0), format!("{}…", "ü".repeat(60)));
        assert_eq!(snippet(&long, long.len()), format!("…{}", "ü".repeat(60)));
    }
}
