//! Conditions: who a rule, a segment or a fault selects.
//!
//! This is the abstract syntax. Its meaning, with its three truth values, is the engine's; its written form is
//! the document's.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Key, Pattern, Scalar, VersionRange};

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
    In(Vec<Scalar>),
    /// Exactly `not` of [`Test::In`].
    NotIn(Vec<Scalar>),
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
    Cidr(Vec<IpNet>),
    /// Present and not null (or, with `false`, absent or null). Never unknown.
    Exists(bool),
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
