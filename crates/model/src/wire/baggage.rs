//! How a draw travels across services: one member of the W3C baggage header.
//!
//! `daybreak=<draw key>;op=<root operation>;<run>.<stage>.<t|c>;…`, the operation percent-encoded.
//! See <https://www.w3.org/TR/baggage/>: everything after the value are the member's properties.

use std::fmt::{self, Write};

use crate::{Arm, DrawKey, RunId};

/// The baggage of one root request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baggage {
    /// What the request is drawn by.
    pub key: DrawKey,
    /// The root's operation.
    pub operation: String,
    /// The draws that the root made. A service downstream strikes only where this says *treated*.
    pub draws: Vec<BaggageDraw>,
}

/// One draw of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaggageDraw {
    /// The run.
    pub run: RunId,
    /// The ramp stage at the draw.
    pub stage: u32,
    /// Which side.
    pub arm: Arm,
}

/// Our member is there, but nobody can tell what the root drew: it is malformed, or there are two that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the member `daybreak` of the baggage cannot be read")]
pub struct UnreadableBaggage;

const MEMBER: &str = "daybreak";

impl Baggage {
    /// Finds and reads our member of a `baggage` header's value; of several headers, joined by commas. `None`
    /// where the header has no member of ours: then the request has no root before this one.
    ///
    /// # Errors
    /// Where our member cannot be read. Such a request has a root, so it must not be drawn anew.
    pub fn from_header(header: &str) -> Result<Option<Self>, UnreadableBaggage> {
        let mut found = None;
        for member in header.split(',').filter_map(own) {
            let baggage = Self::parse(member).ok_or(UnreadableBaggage)?;
            if found.as_ref().is_some_and(|found| *found != baggage) {
                return Err(UnreadableBaggage);
            }
            found = Some(baggage);
        }
        Ok(found)
    }

    /// Reads what follows our member's name.
    fn parse(member: &str) -> Option<Self> {
        let mut parts = member.strip_prefix('=')?.split(';').map(str::trim);
        let key = parts.next()?.parse().ok()?;
        let operation = decode(parts.next()?.strip_prefix("op=")?)?;
        let draws = parts.map(BaggageDraw::parse).collect::<Option<_>>()?;
        Some(Self { key, operation, draws })
    }
}

/// What follows the name of a member, if it is ours.
fn own(member: &str) -> Option<&str> {
    let rest = member.trim().strip_prefix(MEMBER)?.trim_start();
    (rest.is_empty() || rest.starts_with(['=', ';'])).then_some(rest)
}

impl fmt::Display for Baggage {
    /// Our member of the header's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MEMBER}={};op={}", self.key, encode(&self.operation))?;
        for draw in &self.draws {
            let arm = match draw.arm {
                Arm::Treated => 't',
                Arm::Control => 'c',
            };
            write!(f, ";{}.{}.{arm}", draw.run, draw.stage)?;
        }
        Ok(())
    }
}

impl BaggageDraw {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let run = parts.next()?.parse().ok()?;
        let stage = parts.next()?.parse().ok()?;
        let arm = match parts.next()? {
            "t" => Arm::Treated,
            "c" => Arm::Control,
            _ => return None,
        };
        parts.next().is_none().then_some(Self { run, stage, arm })
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            encoded.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (hex, after) = after.split_at_checked(2)?;
            let digits = hex.iter().all(u8::is_ascii_hexdigit).then(|| std::str::from_utf8(hex).ok())??;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else if byte.is_ascii_graphic() {
            bytes.push(byte);
            rest = after;
        } else {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_format_is_fixed() {
        let baggage = Baggage {
            key: DrawKey::new(0xabc),
            operation: "POST /checkout;x=1,2".into(),
            draws: vec![
                BaggageDraw { run: RunId::new(7), stage: 0, arm: Arm::Treated },
                BaggageDraw { run: RunId::new(8), stage: 2, arm: Arm::Control },
            ],
        };
        let text = "daybreak=00000000000000000000000000000abc;op=POST%20/checkout%3Bx%3D1%2C2\
                    ;0000000000000007.0.t;0000000000000008.2.c";
        assert_eq!(baggage.to_string(), text);
        assert_eq!(Baggage::from_header(&format!("user=7;a=b, {text} ,other=1")), Ok(Some(baggage)));
    }

    #[test]
    fn what_has_no_member_of_ours_is_no_error() {
        for header in ["", ",", "user=7;a=b", "daybreakx=1", "xdaybreak=1", "a=daybreak", "a=b;daybreak=1"] {
            assert_eq!(Baggage::from_header(header), Ok(None), "{header}");
        }
    }

    #[test]
    fn what_is_said_twice_counts_once_unless_it_differs() {
        let member = |key: u128| Baggage { key: DrawKey::new(key), operation: "a".into(), draws: Vec::new() };
        let header = |first, second| format!("{},x=1,{}", member(first), member(second));
        assert_eq!(Baggage::from_header(&header(1, 1)), Ok(Some(member(1))));
        assert_eq!(Baggage::from_header(&header(1, 2)), Err(UnreadableBaggage));
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        let key = "0".repeat(32);
        let cases = [
            "daybreak".into(),
            "daybreak;op=a".into(),
            "a=b, daybreak =".into(),
            "daybreak=xyz;op=a".into(),
            format!("daybreak={key}"),
            format!("daybreak={key};op=%zz"),
            format!("daybreak={key};op=%4"),
            format!("daybreak={key};op=a;1.0.t"),
            format!("daybreak={key};op=a;0000000000000001.0.x"),
            format!("daybreak={key};op=a;0000000000000001.0.t.t"),
            format!("daybreak={key};op=é"),
            format!("daybreak={key};op=a,daybreak=x"),
        ];
        for header in cases {
            assert_eq!(Baggage::from_header(&header), Err(UnreadableBaggage), "{header}");
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_written(key: u128, operation in ".{0,40}", run: u64, stage: u32) {
            let draws = vec![BaggageDraw { run: RunId::new(run), stage, arm: Arm::Control }];
            let baggage = Baggage { key: DrawKey::new(key), operation, draws };
            prop_assert_eq!(Baggage::from_header(&baggage.to_string()), Ok(Some(baggage)));
        }

        #[test]
        fn no_header_panics(header in ".{0,200}") {
            let _ = Baggage::from_header(&header);
        }
    }
}
