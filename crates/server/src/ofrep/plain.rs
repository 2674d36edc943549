//! Contexts as most are, read without a detour: attributes that are texts, numbers, booleans, or lists of these.
//!
//! Whatever is out of the ordinary, and be it only nested, is an error here: it is left to the reader that knows all of it, and
//! says what is wrong.

use std::borrow::Cow;
use std::fmt;

use daybreak_model::limits::INTEGER_MAX;
use daybreak_model::{Context, ContextValue, TARGETING_KEY};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Attributes up to which comparing each with those before it is quick.
const PLAIN_MAX: usize = 32;

/// Attributes that most contexts have at most.
const COMMON: usize = 8;

/// A body with such a context.
#[derive(Debug, Deserialize)]
pub(super) struct PlainRequest {
    #[serde(default)]
    pub(super) context: Option<PlainContext>,
}

/// Such a context.
#[derive(Debug)]
pub(super) struct PlainContext(pub(super) Context);

/// The name of an attribute, or its text.
struct Text<'de>(Cow<'de, str>);

/// A value that is none of several.
struct One(ContextValue);

/// A value, or several.
struct Several(ContextValue);

impl<'de> Deserialize<'de> for PlainContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ContextVisitor)
    }
}

struct ContextVisitor;

impl<'de> Visitor<'de> for ContextVisitor {
    type Value = PlainContext;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain context")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PlainContext, A::Error> {
        let mut context = Context::with_room_for(COMMON);
        while let Some(Text(name)) = map.next_key()? {
            let Several(value) = map.next_value()?;
            let odd_key = name == TARGETING_KEY && !matches!(value, ContextValue::Text(_));
            if odd_key || name.starts_with('$') || context.attributes().len() >= PLAIN_MAX {
                return Err(A::Error::custom("not plain"));
            }
            context.set(&name, value);
        }
        Ok(PlainContext(context))
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { several: false }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Several {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { several: true }).map(Self)
    }
}

struct ValueVisitor {
    several: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = ContextValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value")
    }

    fn visit_unit<E>(self) -> Result<ContextValue, E> {
        Ok(ContextValue::Null)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<ContextValue, E> {
        Ok(ContextValue::Boolean(boolean))
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<ContextValue, E> {
        if (-INTEGER_MAX..=INTEGER_MAX).contains(&integer) { Ok(integer.into()) } else { Err(E::custom("not exact")) }
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<ContextValue, E> {
        self.visit_i64(i64::try_from(integer).map_err(E::custom)?)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<ContextValue, E> {
        if number.abs() <= 2_f64.powi(53) { Ok(number.into()) } else { Err(E::custom("not exact")) }
    }

    fn visit_str<E>(self, text: &str) -> Result<ContextValue, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ContextValue, A::Error> {
        if !self.several {
            return Err(A::Error::custom("nested"));
        }
        let mut list = Vec::new();
        while let Some(One(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(ContextValue::List(list))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    /// What is read is what the other reader reads; whether it is read here.
    fn check(text: &str) -> bool {
        let plain: Result<PlainContext, _> = serde_json::from_str(text);
        let Ok(PlainContext(plain)) = plain else { return false };
        let whole: Json = serde_json::from_str(text).unwrap();
        let whole = Context::from_json(&whole).unwrap_or_else(|error| panic!("{text}: {error}"));
        // In whatever order they stand.
        assert_eq!(plain.to_json(), whole.to_json(), "{text}");
        assert_eq!(plain.attributes().len(), whole.attributes().len(), "{text}");
        for attribute in whole.attributes() {
            assert_eq!(plain.get(attribute.name()), Some(attribute.value()), "{text}");
        }
        true
    }

    #[test]
    fn what_is_plain() {
        let many = |count: usize| Json::Object((0..count).map(|n| (format!("a{n}"), json!(n))).collect()).to_string();
        let cases = [
            ("{}", true),
            (
                r#"{"targetingKey": "ada", "a": 1, "b": -1.5, "c": true, "d": null, "e": "", "f": ["x", 2, false]}"#,
                true,
            ),
            (r#"{"a\u0062": "\n\u00e4", "ü": -0, "x": -0.0, "y": 1e3, "z": 9007199254740992}"#, true),
            (r#"{"a": 1, "b": 2, "a": "last"}"#, true),
            (&many(PLAIN_MAX), true),
            (&many(PLAIN_MAX + 1), false),
            (r#"{"a": {"b": 1}}"#, false),
            (r#"{"a": [["b"]]}"#, false),
            (r#"{"a": [{}]}"#, false),
            (r#"{"$a": 1}"#, false),
            (r#"{"targetingKey": 7}"#, false),
            (r#"{"targetingKey": null}"#, false),
            (r#"{"a": 9007199254740993}"#, false),
            (r#"{"a": -9007199254740993}"#, false),
            (r#"{"a": 18446744073709551615}"#, false),
            (r#"{"a": 1e30}"#, false),
            (r#"{"a": 1} {}"#, false),
            ("[]", false),
            ("null", false),
            ("\"a\"", false),
        ];
        for (text, expected) in cases {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Json> {
        let scalar = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            (-1_000_i64..1_000).prop_map(Json::from),
            "\\PC{0,8}".prop_map(Json::from),
        ];
        scalar.prop_recursive(2, 12, 3, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from);
            let object = prop::collection::btree_map("[$a-c]{0,2}", inner, 0..3);
            prop_oneof![list, object.prop_map(|members| Json::Object(members.into_iter().collect()))]
        })
    }

    proptest! {
        #[test]
        fn any_context_is_read_alike(members in prop::collection::vec(("targetingKey|[$]?[a-c]{1,2}|\\PC{0,3}", values()), 0..6)) {
            // Written by hand, so that a name may stand twice.
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
            check(&format!("{{{}}}", members.join(",")));
        }
    }
}
