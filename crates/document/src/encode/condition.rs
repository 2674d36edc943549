//! Writes conditions: as one map where that says the same, with `all` where it does not.

use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{Condition, Scalar, ScalarRef};
use serde_json::{Map, Value};

use crate::decode::ATTRIBUTE_PREFIX;
use crate::fields::COMBINATORS;

pub(super) fn condition(condition: &Condition) -> Value {
    match condition {
        Condition::All(parts) => match together(parts) {
            Some(map) => Value::Object(map),
            None => single("all", list(parts)),
        },
        Condition::Any(_) | Condition::Not(_) | Condition::Segment(_) | Condition::Attribute(_) => {
            let (name, value) = entry(condition);
            single(&name, value)
        }
    }
}

fn single(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn list(parts: &[Condition]) -> Value {
    parts.iter().map(condition).collect()
}

/// The key and the value that say this condition.
fn entry(part: &Condition) -> (String, Value) {
    match part {
        Condition::All(parts) => ("all".into(), list(parts)),
        Condition::Any(parts) => ("any".into(), list(parts)),
        Condition::Not(inner) => ("not".into(), condition(inner)),
        Condition::Segment(key) => ("segment".into(), key.as_str().into()),
        Condition::Attribute(test) => (attribute_name(&test.attribute), tests(std::slice::from_ref(&test))),
    }
}

/// Several conditions in one map, where reading it gives them back: two or more, each with a key of its own.
fn together(parts: &[Condition]) -> Option<Map<String, Value>> {
    if parts.len() < 2 {
        return None;
    }
    let mut map = Map::new();
    let mut rest = parts;
    while let Some(first) = rest.first() {
        let (name, value, taken) = match first {
            Condition::Attribute(test) => {
                let run = same_attribute(test, rest);
                (attribute_name(&test.attribute), tests(&run), run.len())
            }
            other => {
                let (name, value) = entry(other);
                (name, value, 1)
            }
        };
        if map.insert(name, value).is_some() {
            return None;
        }
        rest = &rest[taken..];
    }
    Some(map)
}

/// The tests at the front that can stand in one map: of one attribute, each of another kind.
fn same_attribute<'p>(first: &AttributeTest, parts: &'p [Condition]) -> Vec<&'p AttributeTest> {
    let mut run: Vec<&AttributeTest> = Vec::new();
    for part in parts {
        let Condition::Attribute(test) = part else { break };
        let fits = test.attribute == first.attribute && test.ignore_case == first.ignore_case;
        if !fits || run.iter().any(|known| name(&known.test) == name(&test.test)) {
            break;
        }
        run.push(test);
    }
    run
}

/// An attribute's name, marked as one where it would be read as something else.
pub(super) fn attribute_name(name: &str) -> String {
    let is_other = COMBINATORS.contains(&name) || name.starts_with(ATTRIBUTE_PREFIX);
    if is_other { format!("{ATTRIBUTE_PREFIX}{name}") } else { name.to_owned() }
}

fn tests(tests: &[&AttributeTest]) -> Value {
    if let [AttributeTest { test: Test::Equals(scalar), ignore_case: false, .. }] = tests {
        return self::scalar(scalar);
    }
    let mut map: Map<String, Value> =
        tests.iter().map(|test| (name(&test.test).to_owned(), operand(&test.test))).collect();
    if tests.iter().any(|test| test.ignore_case) {
        map.insert("ignore_case".into(), true.into());
    }
    Value::Object(map)
}

const fn name(test: &Test) -> &'static str {
    match test {
        Test::Equals(_) => "equals",
        Test::In(_) => "in",
        Test::NotIn(_) => "not_in",
        Test::Contains(_) => "contains",
        Test::StartsWith(_) => "starts_with",
        Test::EndsWith(_) => "ends_with",
        Test::Matches(_) => "matches",
        Test::Gt(_) => "gt",
        Test::Gte(_) => "gte",
        Test::Lt(_) => "lt",
        Test::Lte(_) => "lte",
        Test::Before(_) => "before",
        Test::After(_) => "after",
        Test::Semver(_) => "semver",
        Test::Cidr(_) => "cidr",
        Test::Exists(_) => "exists",
    }
}

fn operand(test: &Test) -> Value {
    match test {
        Test::Equals(value) | Test::Contains(value) => scalar(value),
        Test::In(values) | Test::NotIn(values) => values.iter().map(scalar_ref).collect(),
        Test::StartsWith(texts) | Test::EndsWith(texts) => one_or_several(texts.iter().map(|text| (&**text).into())),
        Test::Matches(pattern) => pattern.as_str().into(),
        Test::Gt(bound) | Test::Gte(bound) | Test::Lt(bound) | Test::Lte(bound) => number(*bound),
        Test::Before(time) | Test::After(time) => time.to_string().into(),
        Test::Semver(range) => range.as_str().into(),
        Test::Cidr(networks) => one_or_several(networks.iter().map(|network| network.to_string().into())),
        Test::Exists(wanted) => (*wanted).into(),
    }
}

fn one_or_several(values: impl Iterator<Item = Value>) -> Value {
    let mut values: Vec<Value> = values.collect();
    match (values.len(), values.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            values.push(last);
            Value::Array(values)
        }
        (_, None) => Value::Array(values),
    }
}

pub(super) fn scalar(scalar: &Scalar) -> Value {
    scalar_ref(scalar.into())
}

fn scalar_ref(scalar: ScalarRef<'_>) -> Value {
    match scalar {
        ScalarRef::Boolean(value) => value.into(),
        ScalarRef::Number(value) => number(value),
        ScalarRef::Text(text) => text.into(),
    }
}

/// A number as people write it: whole ones without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "whole numbers within ±2⁵³ are exact integers")]
pub(super) fn number(value: f64) -> Value {
    let whole = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    if whole { (value as i64).into() } else { value.into() }
}
