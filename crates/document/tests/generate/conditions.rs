//! Any condition.

use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{Condition, Pattern, Scalar};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{key, name, number, scalar, text};

fn texts() -> impl Strategy<Value = Vec<Box<str>>> {
    vec(text().prop_map(Into::into), 1..3)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000, 0_i32..1_000_000_000).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

/// A test, and whether it folds case.
fn test() -> impl Strategy<Value = (Test, bool)> {
    let patterns = ["^a", "a|b", "[0-9]+$", ""];
    let ranges = [">=2.3.0", ">=2.3 <3", "2", "v1.0.0-rc.1"];
    let networks = ["10.0.0.0/8", "10.0.0.7/32", "fd00::/8", "0.0.0.0/0"];
    let networks = vec(select(networks.to_vec()).prop_map(|network| network.parse().unwrap()), 1..3);
    let of_text = prop_oneof![
        scalar().prop_map(Test::Equals),
        vec(scalar(), 1..3).prop_map(|scalars| Test::In(scalars.into_iter().collect())),
        vec(scalar(), 1..3).prop_map(|scalars| Test::NotIn(scalars.into_iter().collect())),
        scalar().prop_map(Test::Contains),
        texts().prop_map(Test::StartsWith),
        texts().prop_map(Test::EndsWith),
        select(patterns.to_vec()).prop_map(|pattern| Test::Matches(Pattern::new(pattern, false).unwrap())),
    ];
    let other = prop_oneof![
        number().prop_map(Test::Gt),
        number().prop_map(Test::Gte),
        number().prop_map(Test::Lt),
        number().prop_map(Test::Lte),
        time().prop_map(Test::Before),
        time().prop_map(Test::After),
        select(ranges.to_vec()).prop_map(|range| Test::Semver(range.parse().unwrap())),
        networks.prop_map(Test::Cidr),
        any::<bool>().prop_map(Test::Exists),
    ];
    prop_oneof![(of_text, any::<bool>()), (other, Just(false))].prop_map(|(test, folds)| fold(test, folds))
}

/// Folding case is said only where there is text; a pattern knows it itself.
fn fold(test: Test, folds: bool) -> (Test, bool) {
    let is_text = |scalar: &Scalar| matches!(scalar, Scalar::Text(_));
    let can = match &test {
        Test::Equals(scalar) | Test::Contains(scalar) => is_text(scalar),
        Test::In(values) | Test::NotIn(values) => values.has_texts(),
        _ => true,
    };
    match test {
        Test::Matches(pattern) if folds => (Test::Matches(Pattern::new(pattern.as_str(), true).unwrap()), true),
        test => (test, folds && can),
    }
}

/// Any condition; its segments are `eu` and `vip`.
pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    let attribute = (name(), test()).prop_map(|(name, (test, ignore_case))| {
        Condition::Attribute(AttributeTest { attribute: name.into(), test, ignore_case })
    });
    let leaf =
        prop_oneof![8 => attribute, 1 => select(&["eu", "vip"][..]).prop_map(|name| Condition::Segment(key(name)))];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Condition::All),
            vec(inner.clone(), 1..4).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

/// Replaces the segments in a condition, so that no segment names another.
pub(crate) fn without_segments(condition: &mut Condition) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().for_each(without_segments),
        Condition::Not(inner) => without_segments(inner),
        Condition::Segment(_) => {
            let test = Test::Equals(Scalar::from("vip"));
            *condition = Condition::Attribute(AttributeTest { attribute: "plan".into(), test, ignore_case: false });
        }
        Condition::Attribute(_) => {}
    }
}
