//! Conditions: who a rule, a segment or a fault selects.
//!
//! This is the abstract syntax. Its meaning, with its three truth values, is the engine's; its written form is
//! the document's.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Key, Pattern, Scalar, Values, VersionRange};

/// A condition on a context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Every one holds; never empty.
    All(Vec<Condition>),
    /// At least one holds; never empty.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The segment's condition holds.
    Segment(Key),
    /// An attribute passes a test.
    Attribute(AttributeTest),
}

/// One test of one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeTest {
    /// The attribute's name. With dots it walks into objects, unless the context has that literal name.
    pub attribute: Box<str>,
    /// What must hold of it.
    pub test: Test,
    /// Text is compared with case folded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
}

/// What a test asks of an attribute. On a list it holds if any element makes it hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Equal to the value.
    Equals(Scalar),
    /// Equal to one of the values; never empty.
    In(Values),
    /// Exactly `not` of [`Test::In`].
    NotIn(Values),
    /// A substring of a text, or an equal element of a list.
    Contains(Scalar),
    /// Begins with one of the texts; never empty.
    StartsWith(Vec<Box<str>>),
    /// Ends with one of the texts; never empty.
    EndsWith(Vec<Box<str>>),
    /// The expression matches somewhere in the text.
    Matches(Pattern),
    /// A number greater than this.
    Gt(f64),
    /// A number greater than or equal to this.
    Gte(f64),
    /// A number less than this.
    Lt(f64),
    /// A number less than or equal to this.
    Lte(f64),
    /// An RFC 3339 time before this.
    Before(Timestamp),
    /// An RFC 3339 time after this.
    After(Timestamp),
    /// A version within the range.
    Semver(VersionRange),
    /// An IP address within one of the networks; never empty. `::ffff:10.0.0.1` is the IPv4 address.
    Cidr(#[serde(deserialize_with = "networks")] Vec<IpNet>),
    /// Present and not null (or, with `false`, absent or null). Never unknown.
    Exists(bool),
}

/// The network as contexts' addresses are compared with it: of IPv4 written as IPv6 (`::ffff:10.0.0.0/104`), the
/// network of IPv4 (`10.0.0.0/8`).
#[must_use]
pub fn canonical_network(network: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let mapped = |network: Ipv6Net| {
        let length = network.prefix_len().checked_sub(MAPPED_BITS)?;
        Ipv4Net::new(network.addr().to_ipv4_mapped()?, length).ok()
    };
    match network {
        IpNet::V6(v6) => mapped(v6).map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    }
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let networks = Vec::<IpNet>::deserialize(deserializer)?;
    Ok(networks.into_iter().map(canonical_network).collect())
}

/// Reads a moment as RFC 3339 has it: date, time to the second and offset, and nothing else. It allocates nothing.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    // The library allocates where it fails: it is only given what it can read.
    if is_rfc_3339(text.as_bytes()) { text.parse().ok() } else { None }
}

/// Whether a text is of the form `2026-01-31T12:00:00.5+01:00`, with every number in its range.
fn is_rfc_3339(text: &[u8]) -> bool {
    let pair = |at: usize| match text.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    };
    let below = |at: usize, end: u8| pair(at).is_some_and(|number| number < end);
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let date = match (pair(0), pair(2), pair(5), pair(8)) {
        (Some(century), Some(year), Some(month), Some(day)) => {
            let leap = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
            let days = match month {
                2 => 28 + u8::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (1..=12).contains(&month) && (1..=days).contains(&day)
        }
        _ => false,
    };
    let separator = matches!(text.get(10), Some(b'T' | b't' | b' '));
    let in_range = below(11, 24) && below(14, 60) && below(17, 61);
    let signs = signs.iter().all(|(at, sign)| text.get(*at) == Some(sign));
    let mut zone = 19;
    if text.get(zone) == Some(&b'.') {
        let digits = text[zone + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        zone += 1 + digits;
    }
    let zone_ok = match text.get(zone) {
        Some(b'Z' | b'z') => text.len() == zone + 1,
        Some(b'+' | b'-') => {
            text.len() == zone + 6 && below(zone + 1, 24) && text[zone + 3] == b':' && below(zone + 4, 60)
        }
        _ => false,
    };
    date && separator && in_range && signs && zone_ok
}

impl Condition {
    /// Calls `visit` for this condition and for every one inside it.
    pub fn walk(&self, visit: &mut impl FnMut(&Condition)) {
        visit(self);
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Self::Not(inner) => inner.walk(visit),
            Self::Segment(_) | Self::Attribute(_) => {}
        }
    }

    /// The segments it names, in order of appearance, repeats included.
    #[must_use]
    pub fn segments(&self) -> Vec<Key> {
        let mut found = Vec::new();
        self.walk(&mut |condition| {
            if let Self::Segment(key) = condition {
                found.push(key.clone());
            }
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_ipv4_written_as_ipv6() {
        let cases = [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1/128", "10.0.0.1/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("fd00::/8", "fd00::/8"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ];
        for (written, canonical) in cases {
            let network: IpNet = written.parse().unwrap();
            assert_eq!(canonical_network(network).to_string(), canonical, "{written}");
            let read: Test = serde_json::from_value(serde_json::json!({ "cidr": [written] })).unwrap();
            assert_eq!(read, Test::Cidr(vec![canonical.parse().unwrap()]), "{written}");
        }
    }

    #[test]
    fn moments_are_those_of_rfc_3339() {
        let taken = [
            "2026-12-24T18:00:00Z",
            "2026-12-24t18:00:00z",
            "2026-12-24 18:00:00+01:00",
            "2026-12-24T18:00:00.123456789-08:00",
        ];
        for text in taken {
            assert!(parse_timestamp(text).is_some(), "{text}");
        }
        let refused = [
            "",
            "2026-12-24",
            "2026-12-24T18:00:00",
            "20261224T180000Z",
            "2026-12-24T18:00Z",
            "2026-12-24T18:00:00.Z",
            "2026-12-24T18:00:00+01",
            "2026-12-24T18:00:00+01:00[Europe/Berlin]",
            "2026-12-24T18:00:00ZZ",
            "2026-02-30T18:00:00Z",
            "2026-12-24T25:00:00Z",
            "２０26-12-24T18:00:00Z",
        ];
        for text in refused {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }
}
