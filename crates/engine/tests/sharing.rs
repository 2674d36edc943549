//! A snapshot that shares programs with an earlier one answers as one that was compiled anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

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

/// One of a few segments: a list, short or long; or one that names another, or itself.
fn segment() -> impl Strategy<Value = Condition> {
    let list = |users: &[usize]| {
        let users: Vec<String> = users.iter().map(|user| format!("user-{user}")).collect();
        json!({"attribute": {"attribute": "targetingKey", "test": {"in": users}}})
    };
    let long = (0..200).collect::<Vec<_>>();
    let condition = prop_oneof![
        2 => prop::collection::vec(1..4_usize, 1..3).prop_map(move |users| list(&users)),
        1 => Just(list(&long)),
        2 => (0..4_usize).prop_map(|of| json!({"not": {"segment": format!("segment-{of}")}})),
        1 => (0..4_usize, 0..4_usize).prop_map(|(one, other)| {
            json!({"any": [{"segment": format!("segment-{one}")}, {"segment": format!("segment-{other}")}]})
        }),
    ];
    condition.prop_map(|condition| serde_json::from_value(condition).unwrap())
}

fn by_segment(number: usize, of: usize, serve: &str) -> (Key, (Flag, u64)) {
    let rules = json!([{"name": "some", "when": {"segment": format!("segment-{of}")}, "serve": serve}]);
    let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "rules": rules});
    (key(number), (serde_json::from_value(flag).unwrap(), 1))
}

type SegmentStep = (BTreeMap<usize, Option<Condition>>, Option<(usize, usize)>);

/// Segments that come, go and change, and with them perhaps one flag.
fn segment_step() -> impl Strategy<Value = SegmentStep> {
    let segments = prop::collection::btree_map(0..4_usize, prop::option::weighted(0.8, segment()), 1..3);
    (segments, prop::option::of((0..6_usize, 0..4_usize)))
}

proptest! {
    #[test]
    fn invariant_7_flags_among_other_segments_answer_as_if_compiled_anew(
        first in prop::collection::btree_map(0..4_usize, segment(), 0..4),
        steps in prop::collection::vec(segment_step(), 0..6),
    ) {
        let name = |number: usize| -> Key { format!("segment-{number}").parse().unwrap() };
        let mut segments: BTreeMap<Key, Condition> = first.into_iter().map(|(at, when)| (name(at), when)).collect();
        let mut flags: BTreeMap<Key, (Flag, u64)> = (0..4).map(|number| by_segment(number, number, "on")).collect();
        let all = |flags: &BTreeMap<Key, (Flag, u64)>, segments: &BTreeMap<Key, Condition>| {
            compile(flags.iter().map(|(key, (flag, revision))| (key, flag, *revision)), segments)
        };
        let mut snapshot = all(&flags, &segments);
        for (changed, flag) in steps {
            for (at, when) in &changed {
                match when {
                    Some(when) => _ = segments.insert(name(*at), when.clone()),
                    None => _ = segments.remove(&name(*at)),
                }
            }
            let changed: BTreeSet<Key> = changed.into_keys().map(name).collect();
            let flag = flag.map(|(number, of)| by_segment(number, of, "on"));
            flags.extend(flag.clone());
            let before = answers(&snapshot);
            let next = snapshot.with_segments(
                &segments,
                &changed,
                flag.iter().map(|(key, (flag, revision))| (key, Some((flag, *revision)))),
                || flags.iter().map(|(key, (flag, revision))| (key, flag, *revision)),
            );
            prop_assert_eq!(answers(&snapshot), before, "the earlier one stays as it was");
            prop_assert_eq!(answers(&next), answers(&all(&flags, &segments)));
            snapshot = next;
        }
    }
}

#[test]
fn a_segment_that_changes_its_list_has_no_flag_compiled_anew() {
    let flags = BTreeMap::from([by_segment(0, 0, "on"), by_segment(1, 1, "on")]);
    let name: Key = "segment-0".parse().unwrap();
    let list = |users: &[&str]| -> Condition {
        let list = json!({"attribute": {"attribute": "targetingKey", "test": {"in": users}}});
        serde_json::from_value(list).unwrap()
    };
    let segments = BTreeMap::from([(name.clone(), list(&["user-1"]))]);
    let snapshot = compile(flags.iter().map(|(key, (flag, revision))| (key, flag, *revision)), &segments);
    let changed = BTreeMap::from([(name.clone(), list(&["user-2"]))]);
    let none = || -> [(&Key, &Flag, u64); 0] { panic!("no flag means something else") };
    let next = snapshot.with_segments(&changed, &BTreeSet::from([name]), [], none);
    assert!(next.same_index(&snapshot));
    let is_on = |snapshot: &Snapshot, user| {
        snapshot.evaluate("flag-0", &Context::new(user)).variant().unwrap().as_str() == "on"
    };
    assert!(is_on(&snapshot, "user-1") && !is_on(&snapshot, "user-2"));
    assert!(!is_on(&next, "user-1") && is_on(&next, "user-2"));
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
