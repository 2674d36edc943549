//! The workloads, said once for all: whom they ask for, and which flags there are.

use serde_json::{Map, Value, json};

/// What is asked of an evaluator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// W1: a boolean without rules.
    Boolean,
    /// W2: a text with five rules, of which the last matches.
    Rules,
    /// W3: a split into 25 % and 75 %, for 1,000 users in turn.
    Split,
    /// W4: W2 among 10,000 such flags, in an order that no cache foresees.
    Many,
    /// W5: W2 on one thread and on two.
    Threads,
}

/// What a flag serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// True, to everybody.
    Boolean,
    /// [`SECOND`] to whom one of five rules selects, else [`FIRST`].
    Rules,
    /// [`FIRST`] to a quarter, [`SECOND`] to the others.
    Split,
}

/// A flag, to be written in each peer's own format.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub(crate) key: String,
    pub(crate) kind: Kind,
}

/// Whom an evaluation is for.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) attributes: Map<String, Value>,
}

/// The two texts that flags serve.
pub(crate) const FIRST: &str = "first";
pub(crate) const SECOND: &str = "second";

/// What the rules of W2 ask for, in their order; the last asks for one of [`pilots`].
pub(crate) const COUNTRIES: [&str; 10] = ["DE", "FR", "NO", "SE", "FI", "DK", "NL", "BE", "AT", "CH"];
pub(crate) const PLAN: &str = "pro";
pub(crate) const VERSION: &str = "2.3.0";
pub(crate) const EMAIL_END: &str = "@shop.example";
/// The same as a regular expression, for those who know no other way.
pub(crate) const EMAIL_REGEX: &str = "@shop\\.example$";

const USERS: usize = 1_000;
const FLAGS: usize = 10_000;
/// A step through the flags: it is prime to their number.
const STRIDE: usize = 7_919;

/// The ids that the fifth rule holds.
pub(crate) fn pilots() -> Vec<String> {
    (0..100).map(|number| format!("user-{number}")).collect()
}

impl User {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), attributes: Map::new() }
    }

    /// With the six attributes of W2, of which none matches a rule.
    pub(crate) fn with_attributes(id: &str) -> Self {
        let attributes = json!({
            "country": "US",
            "plan": "free",
            "appVersion": "2.2.0",
            "email": "somebody@example.org",
            "age": 41,
            "beta": false,
        });
        Self { id: id.to_owned(), attributes: attributes.as_object().cloned().unwrap_or_default() }
    }

    /// The attributes as texts, for those who know no other values.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.attributes.iter().map(move |(name, value)| (name.clone(), text(value)))
    }

    /// Everything in one object, the id under a name.
    pub(crate) fn object(&self, id: &str) -> Value {
        let mut object = self.attributes.clone();
        object.insert(id.to_owned(), self.id.clone().into());
        object.into()
    }
}

impl Workload {
    pub(crate) const ALL: [Self; 5] = [Self::Boolean, Self::Rules, Self::Split, Self::Many, Self::Threads];

    /// Its name in documents.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "W1",
            Self::Rules => "W2",
            Self::Split => "W3",
            Self::Many => "W4",
            Self::Threads => "W5",
        }
    }

    /// What it is.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean without rules",
            Self::Rules => "five rules, six attributes, the last matches",
            Self::Split => "a split into 25 % and 75 %, 1,000 users in turn",
            Self::Many => "W2 among 10,000 such flags, shuffled",
            Self::Threads => "W2 on one thread and on two",
        }
    }

    /// The flags that there are.
    pub(crate) fn flags(self) -> Vec<Flag> {
        let (count, kind) = match self {
            Self::Boolean => (1, Kind::Boolean),
            Self::Rules | Self::Threads => (1, Kind::Rules),
            Self::Split => (1, Kind::Split),
            Self::Many => (FLAGS, Kind::Rules),
        };
        (0..count).map(|number| Flag { key: format!("flag-{number}"), kind }).collect()
    }

    /// The keys in the order in which they are asked for.
    pub(crate) fn keys(self) -> Vec<String> {
        let count = if self == Self::Many { FLAGS } else { 1 };
        (0..count).map(|number| format!("flag-{}", number * STRIDE % count)).collect()
    }

    /// Those who ask, in their order.
    pub(crate) fn users(self) -> Vec<User> {
        match self {
            Self::Boolean => vec![User::new("user-7")],
            Self::Rules | Self::Many | Self::Threads => vec![User::with_attributes("user-50")],
            Self::Split => (0..USERS).map(|number| User::new(&format!("user-{number}"))).collect(),
        }
    }
}
