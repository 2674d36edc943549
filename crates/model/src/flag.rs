//! Flags, their rules, and segments.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{Condition, Key, Percentage, Scalar, Value, ValueType};

/// A key, its variants and its targeting rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Scalars handed on with every answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Scalar>,
    /// Whether browsers may see it; `false` unless said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client: bool,
    /// When `false`, `off` is served with reason DISABLED; `true` unless said.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The day from which it is listed as due for removal. It never changes an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Date>,
    /// What it can serve: at least one, all of one type.
    pub variants: BTreeMap<Key, Value>,
    /// The variant served when disabled, or when a prerequisite failed; without it, the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<Key>,
    /// The variant served when no rule matched.
    pub default: Key,
    /// In order: the first that matches answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Flags that must serve the named variant first; otherwise `off` is served.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prerequisites: BTreeMap<Key, Key>,
    /// What its buckets are drawn with; the flag's key unless said. Flags that share one share cohorts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// One targeting rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique in its flag; how a patch addresses it.
    pub name: Key,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom it selects; everyone unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The share of those whom it takes; the others fall on to the next rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage: Option<Percentage>,
    /// The attribute that buckets are drawn by; `targetingKey` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<str>>,
    /// What it serves to those it takes.
    #[serde(flatten)]
    pub serve: Serve,
}

/// What a rule serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serve {
    /// One variant.
    Serve(Key),
    /// Shares of several, which sum to exactly 100 %; laid out by name in byte order.
    Rollout(BTreeMap<Key, Percentage>),
}

/// A named condition that rules and faults share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whom it holds.
    pub when: Condition,
}

const fn yes() -> bool {
    true
}

impl Flag {
    /// The type of its variants.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.variants.values().next().map_or(ValueType::Boolean, Value::value_type)
    }

    /// The variant served when disabled: `off`, or else the default.
    #[must_use]
    pub fn off_variant(&self) -> &Key {
        self.off.as_ref().unwrap_or(&self.default)
    }

    /// Every segment that its rules name, repeats included.
    pub fn segments(&self) -> impl Iterator<Item = Key> + '_ {
        self.rules.iter().filter_map(|rule| rule.when.as_ref()).flat_map(Condition::segments)
    }
}
