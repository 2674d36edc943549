//! Any resources that a document can hold: for tests of what must hold for all of them.

mod conditions;
mod faults;

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::{Flag, Key, Percentage, Resources, Rule, Scalar, Segment, Serve, Value};
use jiff::civil::Date;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use conditions::condition;

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// Texts that some reader of YAML takes for something else, and any other text.
pub(crate) fn text() -> BoxedStrategy<String> {
    let odd = [
        "",
        "on",
        "off",
        "NO",
        "y",
        "true",
        "null",
        "~",
        "017",
        "1e3",
        "0x1f",
        "0o17",
        "1_000",
        ".inf",
        ".nan",
        "<<",
        "=",
        "1.10",
        "12:30:45",
        "2026-12-24",
        "-",
        "- a",
        "a: b",
        "a #b",
        "# a",
        " a",
        "a ",
        "a\nb",
        "a\n",
        "\ta",
        "!a",
        "&a",
        "*a",
        "%a",
        "@a",
        "`a",
        "'",
        "\"",
        "\\",
        "\\/",
        "[",
        "{}",
        "a,b",
        "?",
        "|",
        ">",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}a",
        "ü",
        "😀",
        "25%",
        "300ms",
        "1.5",
        "-1",
        "+1",
        "9007199254740993",
        "---",
        "...",
        "a\u{200b}",
        "\r\n",
    ];
    prop_oneof![3 => select(odd.to_vec()).prop_map(str::to_owned), 2 => "[ -~]{0,12}", 1 => any::<String>()].boxed()
}

/// Texts that say something.
pub(crate) fn words() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.trim().is_empty() { format!("x{text}") } else { text })
}

/// Names that are no resource's: of attributes and of metadata.
pub(crate) fn name() -> impl Strategy<Value = String> {
    let known =
        ["country", "plan", "all", "any", "not", "segment", "context.a", "context", "request", "device.os", "in"];
    let any = words().prop_map(|text| format!(".{text}").replace(".$", ".x")[1..].to_owned());
    prop_oneof![3 => select(known.to_vec()).prop_map(str::to_owned), 1 => any]
}

pub(crate) fn number() -> impl Strategy<Value = f64> {
    let bound = 9_007_199_254_740_992.0;
    prop_oneof![
        (-100_i32..100).prop_map(f64::from),
        -1.0..1.0,
        -bound..bound,
        select(&[0.0, 0.1, 1e-7, 5e-324, 9_007_199_254_740_992.0, -9_007_199_254_740_992.0, 0.5][..]),
    ]
}

pub(crate) fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<bool>().prop_map(Scalar::Boolean),
        number().prop_map(Scalar::Number),
        text().prop_map(|text| Scalar::Text(text.into())),
    ]
}

pub(crate) fn percentage() -> impl Strategy<Value = Percentage> {
    (0..=100_000_u32).prop_map(|thousandths| Percentage::from_thousandths(thousandths).unwrap())
}

pub(crate) fn date() -> impl Strategy<Value = Date> {
    (1970_i16..2100, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

pub(crate) fn metadata() -> impl Strategy<Value = BTreeMap<String, Scalar>> {
    btree_map(name(), scalar(), 0..3)
}

pub(crate) fn tags() -> impl Strategy<Value = Vec<String>> {
    vec(words(), 0..3)
}

/// Any JSON but null.
pub(crate) fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Into::into),
        (-9_007_199_254_740_992_i64..=9_007_199_254_740_992).prop_map(Into::into),
        number().prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let member = prop_oneof![4 => inner, 1 => Just(serde_json::Value::Null)];
        prop_oneof![
            vec(member.clone(), 0..3).prop_map(serde_json::Value::Array),
            btree_map(name(), member, 0..3)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

const VARIANTS: [&str; 5] = ["on", "off", "null", "1", "a.b-C_9"];

/// Variants of one type, as reading leaves them: floats only where one is no integer.
fn variants() -> impl Strategy<Value = BTreeMap<Key, Value>> {
    let named = |value: BoxedStrategy<Value>| btree_map(select(&VARIANTS[..]).prop_map(key), value, 1..4);
    prop_oneof![
        Just(BTreeMap::from([(key("on"), Value::Boolean(true)), (key("off"), Value::Boolean(false))])),
        named(any::<bool>().prop_map(Value::Boolean).boxed()),
        named((-1000_i64..1000).prop_map(Value::Integer).boxed()),
        named(number().prop_map(Value::Float).boxed()),
        named(text().prop_map(|text| Value::String(text.into())).boxed()),
        named(btree_map(name(), json(), 0..3).prop_map(|object| Value::Object(object.into_iter().collect())).boxed()),
    ]
}

fn rule() -> impl Strategy<Value = (Rule, Index, Index, Option<u32>)> {
    let parts = (option::of(text()), option::of(condition()), option::of(percentage()), option::of(name()));
    (parts, any::<(Index, Index)>(), option::of(0..=100_000_u32)).prop_map(|(parts, (first, second), share)| {
        let (description, when, percentage, by) = parts;
        let serve = Serve::Serve(key("on"));
        let rule = Rule { name: key("later"), description, when, percentage, by: by.map(Into::into), serve };
        (rule, first, second, share)
    })
}

fn flag() -> impl Strategy<Value = Flag> {
    let texts = (option::of(text()), option::of(text()), tags(), metadata(), option::of(words()));
    let switches = (any::<bool>(), any::<bool>(), option::of(date()));
    let choices = (any::<Index>(), option::of(any::<Index>()));
    (texts, switches, variants(), choices, vec(rule(), 0..4)).prop_map(|(texts, switches, variants, choices, rules)| {
        let (description, owner, tags, metadata, salt) = texts;
        let (client, enabled, expires) = switches;
        let names: Vec<Key> = variants.keys().cloned().collect();
        let pick = |index: Index| index.get(&names).clone();
        let no = variants.iter().find(|(_, value)| **value == Value::Boolean(false)).map(|(name, _)| name.clone());
        let rules = rules.into_iter().enumerate().map(|(index, (rule, first, second, share))| {
            let (first, second) = (pick(first), pick(second));
            let serve = match share {
                Some(share) if first != second => Serve::Rollout(BTreeMap::from([
                    (first, Percentage::from_thousandths(share).unwrap()),
                    (second, Percentage::from_thousandths(100_000 - share).unwrap()),
                ])),
                _ => Serve::Serve(first),
            };
            Rule { name: key(&format!("rule-{index}")), serve, ..rule }
        });
        let rules = rules.collect();
        let off = choices.1.map(pick).or(no);
        let (default, prerequisites) = (pick(choices.0), BTreeMap::new());
        Flag {
            description,
            owner,
            tags,
            metadata,
            client,
            enabled,
            expires,
            variants,
            off,
            default,
            rules,
            prerequisites,
            salt,
        }
    })
}

/// Any valid resources.
pub(crate) fn resources() -> impl Strategy<Value = Resources> {
    let segment = (option::of(text()), option::of(text()), condition())
        .prop_map(|(description, owner, when)| Segment { description, owner, when });
    let flags = vec((flag(), any::<Index>(), any::<bool>()), 0..4);
    (flags, vec(segment, 2), faults::all(), any::<bool>()).prop_map(|(flags, segments, others, is_protected)| {
        let mut resources: Resources = others;
        for (index, (mut flag, variant, needs)) in flags.into_iter().enumerate() {
            // Each flag may need one before it: so there is no circle.
            if let Some((before, other)) = resources.flags.last_key_value().filter(|_| needs) {
                let names: Vec<Key> = other.variants.keys().cloned().collect();
                flag.prerequisites.insert(before.clone(), variant.get(&names).clone());
            }
            resources.flags.insert(key(&format!("flag-{index}")), flag.into());
        }
        for (name, mut segment) in ["eu", "vip"].into_iter().zip(segments) {
            conditions::without_segments(&mut segment.when);
            resources.segments.insert(key(name), segment);
        }
        resources.protect = if is_protected { BTreeSet::from([key("vip")]) } else { BTreeSet::new() };
        resources
    })
}
