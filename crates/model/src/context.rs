//! Evaluation contexts: what is known of whom a flag is evaluated for.

use serde_json::Value as Json;
use smol_str::SmolStr;

use crate::limits::{ATTRIBUTES_MAX, DEPTH_MAX, INTEGER_MAX};
use crate::{is_long_word, name_word, same_bytes};

/// The attribute that identifies the subject: OpenFeature's targeting key.
pub const TARGETING_KEY: &str = "targetingKey";

/// What is known of whom a flag is evaluated for: attributes by name, the targeting key among them.
///
/// ```
/// use daybreak_model::Context;
///
/// let context = Context::new("user-7").with("country", "DE").with("age", 41);
/// assert_eq!(context.targeting_key(), Some("user-7"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    attributes: Vec<Attribute>,
    /// A byte of the name's word of each of the first eight, the first in the lowest: one comparison tells where a name
    /// may be.
    tags: u64,
}

/// How many attributes have a tag.
const TAGGED: usize = 8;

/// One attribute of a context. Its name is made a word once, so that evaluating compares integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    word: u64,
    /// Up to 23 bytes of it stand here, without memory of their own.
    name: SmolStr,
    value: ContextValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum ContextValue {
    /// Known to be absent: every test but `exists` is unknown.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// Numbers are one type; always finite.
    Number(f64),
    /// Any text.
    Text(Box<str>),
    /// Several values.
    List(Vec<ContextValue>),
    /// Named values, in the order given.
    Object(Vec<Attribute>),
}

/// Why a JSON value is no context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Not a JSON object.
    #[error("a context is a JSON object, not {0}")]
    NotAnObject(&'static str),
    /// The targeting key is neither text nor an integer.
    #[error("`targetingKey` is a string or an integer, not {0}")]
    TargetingKey(&'static str),
    /// Names beginning with `$` are kept for the server's own.
    #[error("`{0}`: names that begin with `$` are reserved; choose another name")]
    ReservedName(String),
    /// An integer beyond ±2⁵³ would silently become another.
    #[error("`{0}`: an integer beyond ±2⁵³ cannot be kept exactly; send it as a string")]
    Integer(String),
    /// Nested more than [`DEPTH_MAX`] deep.
    #[error("`{0}` nests more than {DEPTH_MAX} levels deep")]
    TooDeep(String),
    /// More than [`ATTRIBUTES_MAX`] attributes.
    #[error("a context has at most {ATTRIBUTES_MAX} attributes, this one has {0}")]
    TooMany(usize),
}

impl Context {
    /// A context of a targeting key alone. An empty key is no key.
    #[must_use]
    pub fn new(targeting_key: &str) -> Self {
        Self::default().with(TARGETING_KEY, targeting_key)
    }

    /// An empty context that has room for so many attributes.
    #[must_use]
    pub fn with_room_for(attributes: usize) -> Self {
        Self { attributes: Vec::with_capacity(attributes), tags: 0 }
    }

    /// The same context with one more attribute, or with another value for it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<ContextValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: &str, value: impl Into<ContextValue>) {
        let attribute = Attribute::new(name, value.into());
        match self.place(attribute.word, name.as_bytes()).and_then(|at| self.attributes.get_mut(at)) {
            Some(known) => *known = attribute,
            None => {
                self.tags |= tag_at(self.attributes.len(), attribute.word);
                self.attributes.push(attribute);
            }
        }
    }

    /// The value of the attribute of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ContextValue> {
        self.lookup(name_word(name.as_bytes()), name.as_bytes())
    }

    /// As [`Context::get`], with the name's bytes and its [`name_word`] at hand.
    #[must_use]
    #[expect(
        clippy::inline_always,
        reason = "as a function of its own it takes 24 instructions more, at each test of a rule"
    )]
    #[inline(always)]
    pub fn lookup(&self, word: u64, name: &[u8]) -> Option<&ContextValue> {
        // One that is alone with its tag is found at once. Where there is none, this is the place after the tagged.
        let hits = same_bytes_of(self.tags, tag(word));
        match self.attributes.get((hits.trailing_zeros() / 8) as usize) {
            Some(attribute) if attribute.is(word, name) => Some(&attribute.value),
            None if hits == 0 => None,
            _ => self.attributes.get(self.place(word, name)?).map(Attribute::value),
        }
    }

    /// Where the attribute of a name is.
    #[inline(never)]
    fn place(&self, word: u64, name: &[u8]) -> Option<usize> {
        let mut hits = same_bytes_of(self.tags, tag(word));
        while hits != 0 {
            let at = (hits.trailing_zeros() / 8) as usize;
            if self.attributes.get(at)?.is(word, name) {
                return Some(at);
            }
            hits &= hits - 1;
        }
        let beyond = self.attributes.get(TAGGED..)?.iter().position(|attribute| attribute.is(word, name));
        beyond.map(|at| at + TAGGED)
    }

    /// The targeting key, unless it is absent, empty or no text.
    #[must_use]
    pub fn targeting_key(&self) -> Option<&str> {
        match self.get(TARGETING_KEY) {
            Some(ContextValue::Text(key)) if !key.is_empty() => Some(key),
            _ => None,
        }
    }

    /// The attributes, in the order in which they were set.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Reads a context from JSON.
    ///
    /// # Errors
    /// When it is no object, uses a reserved name, holds an integer that cannot be kept exactly, or is too
    /// large.
    pub fn from_json(json: &Json) -> Result<Self, ContextError> {
        let Json::Object(map) = json else { return Err(ContextError::NotAnObject(kind(json))) };
        if map.len() > ATTRIBUTES_MAX {
            return Err(ContextError::TooMany(map.len()));
        }
        match map.get(TARGETING_KEY) {
            Some(key @ (Json::Bool(_) | Json::Array(_) | Json::Object(_))) => {
                return Err(ContextError::TargetingKey(kind(key)));
            }
            Some(Json::Number(number)) if exact(number).is_some_and(|number| number.fract() != 0.0) => {
                return Err(ContextError::TargetingKey("a number with a fraction"));
            }
            _ => {}
        }
        let attributes = attributes(map, 1)?;
        let tags = (0..TAGGED).zip(&attributes).fold(0, |tags, (at, attribute)| tags | tag_at(at, attribute.word));
        Ok(Self { attributes, tags })
    }

    /// The context as JSON, the inverse of [`Context::from_json`].
    #[must_use]
    pub fn to_json(&self) -> Json {
        object(&self.attributes)
    }
}

impl Attribute {
    fn new(name: &str, value: ContextValue) -> Self {
        Self { word: name_word(name.as_bytes()), name: name.into(), value }
    }

    #[inline]
    fn is(&self, word: u64, name: &[u8]) -> bool {
        self.word == word && (!is_long_word(word) || same_bytes(self.name.as_bytes(), name))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    #[must_use]
    pub const fn value(&self) -> &ContextValue {
        &self.value
    }
}

impl ContextValue {
    /// The member of exactly this name, where the value is an object. `word` is the name's [`name_word`].
    #[must_use]
    pub fn member(&self, word: u64, name: &[u8]) -> Option<&ContextValue> {
        match self {
            Self::Object(members) => members.iter().find(|member| member.is(word, name)).map(Attribute::value),
            _ => None,
        }
    }
}

/// A byte that most words of a context do not share.
#[inline]
const fn tag(word: u64) -> u64 {
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56
}

/// The tag of the attribute at a place, in its place; nothing for those that have none.
#[inline]
const fn tag_at(at: usize, word: u64) -> u64 {
    if at < TAGGED { tag(word) << (8 * at) } else { 0 }
}

/// The highest bit of each byte that is this one. Above one that is, another may be marked that is not.
#[inline]
const fn same_bytes_of(bytes: u64, byte: u64) -> u64 {
    const LOWEST: u64 = u64::from_le_bytes([1; 8]);
    let differ = bytes ^ (byte * LOWEST);
    differ.wrapping_sub(LOWEST) & !differ & (LOWEST << 7)
}

const fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn attributes(map: &serde_json::Map<String, Json>, depth: usize) -> Result<Vec<Attribute>, ContextError> {
    let attribute = |(name, json): (&String, &Json)| {
        if name.starts_with('$') {
            return Err(ContextError::ReservedName(name.clone()));
        }
        Ok(Attribute::new(name, value(name, json, depth)?))
    };
    map.iter().map(attribute).collect()
}

fn value(name: &str, json: &Json, depth: usize) -> Result<ContextValue, ContextError> {
    if depth > DEPTH_MAX {
        return Err(ContextError::TooDeep(name.to_owned()));
    }
    Ok(match json {
        Json::Null => ContextValue::Null,
        Json::Bool(boolean) => ContextValue::Boolean(*boolean),
        Json::Number(number) => {
            ContextValue::Number(exact(number).ok_or_else(|| ContextError::Integer(name.to_owned()))?)
        }
        Json::String(text) => ContextValue::Text(text.as_str().into()),
        Json::Array(items) => {
            ContextValue::List(items.iter().map(|item| value(name, item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Json::Object(map) => ContextValue::Object(attributes(map, depth + 1)?),
    })
}

fn exact(number: &serde_json::Number) -> Option<f64> {
    if number.is_f64() {
        // Every float beyond ±2⁵³ is integral: it was written as one, or stands for many.
        return number.as_f64().filter(|float| float.abs() <= 2_f64.powi(53));
    }
    number.as_i64().and_then(exact_integer)
}

fn exact_integer(integer: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "within ±2⁵³ nothing is lost")]
    (-INTEGER_MAX..=INTEGER_MAX).contains(&integer).then_some(integer as f64)
}

fn object(attributes: &[Attribute]) -> Json {
    Json::Object(attributes.iter().map(|a| (a.name.to_string(), json(&a.value))).collect())
}

fn json(value: &ContextValue) -> Json {
    match value {
        ContextValue::Null => Json::Null,
        ContextValue::Boolean(boolean) => (*boolean).into(),
        #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2⁵³")]
        ContextValue::Number(number) if number.fract() == 0.0 && number.abs() <= 2_f64.powi(53) => {
            (*number as i64).into()
        }
        ContextValue::Number(number) => (*number).into(),
        ContextValue::Text(text) => (&**text).into(),
        ContextValue::List(items) => items.iter().map(json).collect(),
        ContextValue::Object(members) => object(members),
    }
}

impl From<bool> for ContextValue {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<f64> for ContextValue {
    /// Not a number and the infinities become [`ContextValue::Null`]: nothing compares with them.
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Number(number) } else { Self::Null }
    }
}

impl From<i32> for ContextValue {
    fn from(integer: i32) -> Self {
        Self::Number(integer.into())
    }
}

impl From<u32> for ContextValue {
    fn from(integer: u32) -> Self {
        Self::Number(integer.into())
    }
}

impl From<i64> for ContextValue {
    /// An integer beyond ±2⁵³ becomes [`ContextValue::Null`]: it cannot be compared exactly. Send it as text.
    fn from(integer: i64) -> Self {
        exact_integer(integer).map_or(Self::Null, Self::Number)
    }
}

impl From<&str> for ContextValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for ContextValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<T: Into<ContextValue>> From<Vec<T>> for ContextValue {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_back() {
        let json = json!({
            "targetingKey": "u", "age": 41, "score": 1.5, "beta": true, "none": null,
            "tags": ["a", 2], "device": {"os": {"name": "linux"}}
        });
        assert_eq!(Context::from_json(&json).unwrap().to_json(), json);
    }

    #[test]
    fn refused() {
        let deep = (0..40).fold(json!(1), |inner, _| json!({ "x": inner }));
        let cases = [
            (json!([]), ContextError::NotAnObject("a list")),
            (json!({"targetingKey": true}), ContextError::TargetingKey("a boolean")),
            (json!({"$service": "shop"}), ContextError::ReservedName("$service".into())),
            (json!({"a": {"$b": 1}}), ContextError::ReservedName("$b".into())),
            (json!({"id": 9_007_199_254_740_993_i64}), ContextError::Integer("id".into())),
            (json!({"id": u64::MAX}), ContextError::Integer("id".into())),
            (json!({"id": 99_999_999_999_999_999_999.0_f64}), ContextError::Integer("id".into())),
            (json!({"targetingKey": 1.5}), ContextError::TargetingKey("a number with a fraction")),
            (deep, ContextError::TooDeep("x".into())),
        ];
        for (json, why) in cases {
            assert_eq!(Context::from_json(&json), Err(why), "{json}");
        }
    }

    #[test]
    fn every_attribute_is_found_by_its_name_however_many_there_are() {
        let name =
            |number: usize| if number.is_multiple_of(2) { format!("a{number}") } else { format!("attribute-{number}") };
        let mut set = Context::default();
        for count in 1..=40 {
            set.set(&name(count), count as u32);
            let read = Context::from_json(&set.to_json()).unwrap();
            for context in [&set, &read] {
                for number in 1..=count {
                    assert_eq!(context.get(&name(number)), Some(&(number as u32).into()), "{number} of {count}");
                }
                assert_eq!(context.get(&name(count + 1)), None);
            }
        }
        set.set("a2", "another");
        assert_eq!((set.attributes().len(), set.get("a2")), (40, Some(&"another".into())));
    }

    #[test]
    fn an_empty_key_is_absent() {
        assert_eq!(Context::new("").targeting_key(), None);
        assert_eq!(Context::default().targeting_key(), None);
    }
}
