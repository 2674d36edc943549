//! Reading a list from its wire form: value by value into its place, so that a million of them never stand in memory one by one.

use std::fmt;

use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ScalarRef, Values, ValuesBuilder};

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts, numbers and booleans")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Values, A::Error> {
                let mut builder = ValuesBuilder::default();
                while access.next_element_seed(One(&mut builder))?.is_some() {}
                Ok(builder.finish())
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// One value, into a list.
struct One<'b>(&'b mut ValuesBuilder);

impl One<'_> {
    fn push<E: Error>(self, value: ScalarRef<'_>) -> Result<(), E> {
        self.0.push(value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for One<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a boolean")
    }

    fn visit_bool<E: Error>(self, boolean: bool) -> Result<(), E> {
        self.push(ScalarRef::Boolean(boolean))
    }

    #[expect(clippy::cast_precision_loss, reason = "integers beyond ±2⁵³ are refused when documents are read")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.push(ScalarRef::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "integers beyond ±2⁵³ are refused when documents are read")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.push(ScalarRef::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.push(ScalarRef::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.push(ScalarRef::Text(text))
    }
}
