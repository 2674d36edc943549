//! A snapshot that shares programs with an earlier one answers as one that was compiled anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use daybreak_engine::{Snapshot, compile};
use daybreak_model::{Condition, Context, Flag, Key};
use proptest::prelude::*;
use serde_json::json;

fn key(number: usize) -> Key {
    format!("flag-{number}").parse().unwrap()
}

/// One of a few flags: with rules or none, with prerequisites on others or none, on or off.
fn flag() -> impl Strategy<Value = Flag> {
    let prerequisite = prop::option::of((0..6_usize, prop::bool::ANY));
    (prop::bool::ANY, 0..4_u8, prerequisite).prop_map(|(enabled, rule, prerequisite)| {
        let serve = if rule % 2 == 0 { "on" } else { "off" };
        let rules = match rule {
            0 => json!([]),
            1 => json!([{"name": "all", "rollout": {"off": 40_000, "on": 60_000}}]),
            _ => json!([{"name": "some", "when": {"segment": "some"}, "serve": serve}]),
        };
        let prerequisites: BTreeMap<String, &str> =
            prerequisite.map(|(of, on)| (format!("flag-{of}"), if on { "on" } else { "off" })).into_iter().collect();
        let flag = json!({
            "variants": {"on": true, "off": false}, "off": "off", "default": "on", "enabled": enabled,
            "rules": rules, "prerequisites": prerequisites,
        });
        serde_json::from_value(flag).unwrap()
    })
}

fn segments() -> BTreeMap<Key, Condition> {
    let some = json!({"attribute": {"attribute": "targetingKey", "test": {"in": ["user-1", "user-2"]}}});
    BTreeMap::from([("some".parse().unwrap(), serde_json::from_value(some).unwrap())])
}

fn anew(flags: &BTreeMap<Key, (Flag, u64)>) -> Snapshot {
    compile(flags.iter().map(|(key, (flag, revision))| (key, flag, *revision)), &segments())
}

/// What a snapshot says of everything, to three users.
fn answers(snapshot: &Snapshot) -> Vec<String> {
    let users = ["user-1", "user-2", "user-3"].map(Context::new);
    let answer = |key: &Key, context| {
        let detail = snapshot.evaluate(key.as_str(), context);
        format!(
            "{key} {:?} {:?} {:?} {:?} {:?} {}",
            detail.variant(),
            detail.reason(),
            detail.rule(),
            detail.error(),
            detail.prerequisite(),
            detail.revision()
        )
    };
    let keys: Vec<Key> = snapshot.flags().map(|flag| flag.key.clone()).collect();
    let broken = snapshot.broken().map(|(key, why)| format!("{key}: {why}"));
    users.iter().flat_map(|user| keys.iter().map(move |key| answer(key, user))).chain(broken).collect()
}

proptest! {
    #[test]
    fn invariant_7_a_shared_snapshot_answers_as_one_compiled_anew(
        first in prop::collection::btree_map(0..6_usize, flag(), 0..6),
        steps in prop::collection::vec(prop::collection::btree_map(0..6_usize, prop::option::of(flag()), 0..3), 0..4),
    ) {
        let mut flags: BTreeMap<Key, (Flag, u64)> = first.into_iter().map(|(at, flag)| (key(at), (flag, 1))).collect();
        let mut snapshot = anew(&flags);
        for (step, revision) in steps.into_iter().zip(2..) {
            let changed: Vec<(Key, Option<Flag>)> = step.into_iter().map(|(at, flag)| (key(at), flag)).collect();
            for (key, flag) in &changed {
                match flag {
                    Some(flag) => _ = flags.insert(key.clone(), (flag.clone(), revision)),
                    None => _ = flags.remove(key),
                }
            }
            let before = answers(&snapshot);
            let next = snapshot.with_flags(
                changed.iter().map(|(key, flag)| (key, flag.as_ref().map(|flag| (flag, revision)))),
            );
            prop_assert_eq!(answers(&snapshot), before, "the earlier one stays as it was");
            prop_assert_eq!(answers(&next), answers(&anew(&flags)));
            snapshot = next;
        }
    }
}

#[test]
fn a_toggle_keeps_every_place() {
    let flag: Flag = serde_json::from_value(json!({"variants": {"on": true, "off": false}, "default": "on"})).unwrap();
    let off = Flag { enabled: false, ..flag.clone() };
    let flags: BTreeMap<Key, (Flag, u64)> = (0..5).map(|at| (key(at), (flag.clone(), 1))).collect();
    let snapshot = anew(&flags);
    let toggled = snapshot.with_flags([(&key(3), Some((&off, 2)))]);
    assert!(toggled.same_index(&snapshot));
    assert!(!toggled.with_flags([(&key(9), Some((&off, 3)))]).same_index(&snapshot), "a new flag moves others");
    assert!(!toggled.with_flags([(&key(1), None)]).same_index(&snapshot), "so does one that is gone");
    assert!(toggled.with_flags([(&key(9), None)]).same_index(&snapshot), "what was not there is not missed");
}
