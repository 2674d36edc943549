//! Which flags a change touches: those that changed, those whose segments did, and whoever has one of them as a
//! prerequisite.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::{Condition, Flag, Key};

/// The flags and segments that were set or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) flags: BTreeSet<Key>,
    /// Flags of another revision, of which some say the same as before.
    pub(crate) revised: BTreeSet<Key>,
    pub(crate) segments: BTreeSet<Key>,
}

impl Changed {
    pub(crate) fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.revised.is_empty() && self.segments.is_empty()
    }

    /// The flags whose answers may be others now.
    pub(crate) fn affected(
        self,
        flags: &BTreeMap<Key, (u64, Flag)>,
        segments: &BTreeMap<Key, (u64, Condition)>,
    ) -> BTreeSet<Key> {
        let Self { flags: mut affected, segments: changed, .. } = self;
        if !changed.is_empty() {
            let nested =
                segments.iter().flat_map(|(key, (_, when))| when.segments().into_iter().map(move |of| (of, key)));
            let changed = reach(changed, nested);
            let uses = |flag: &Flag| flag.segments().any(|segment| changed.contains(&segment));
            affected.extend(flags.iter().filter(|(_, (_, flag))| uses(flag)).map(|(key, _)| key.clone()));
        }
        let needed =
            flags.iter().flat_map(|(key, (_, flag))| flag.prerequisites.keys().map(move |of| (of.clone(), key)));
        reach(affected, needed)
    }
}

/// These, and all that follow from them, and from those.
fn reach<'k>(from: BTreeSet<Key>, follows: impl Iterator<Item = (Key, &'k Key)>) -> BTreeSet<Key> {
    let mut by_cause: BTreeMap<Key, Vec<&Key>> = BTreeMap::new();
    for (cause, key) in follows {
        by_cause.entry(cause).or_default().push(key);
    }
    let mut next: Vec<Key> = from.iter().cloned().collect();
    let mut reached = from;
    while let Some(cause) = next.pop() {
        for key in by_cause.get(&cause).into_iter().flatten() {
            if reached.insert((*key).clone()) {
                next.push((*key).clone());
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    fn keys(names: &[&str]) -> BTreeSet<Key> {
        names.iter().map(|name| key(name)).collect()
    }

    fn flag(segment: Option<&str>, prerequisite: Option<&str>) -> (u64, Flag) {
        let rules: Vec<_> = segment
            .map(|segment| serde_json::json!({"name": "r", "when": {"segment": segment}, "serve": "on"}))
            .into_iter()
            .collect();
        let prerequisites: BTreeMap<_, _> = prerequisite.map(|flag| (flag, "on")).into_iter().collect();
        let flag = serde_json::json!({
            "variants": {"off": false, "on": true}, "default": "off", "rules": rules, "prerequisites": prerequisites,
        });
        (1, serde_json::from_value(flag).unwrap())
    }

    #[track_caller]
    fn check(flags: &[&str], segments: &[&str], expected: &[&str]) {
        let known = BTreeMap::from([
            (key("plain"), flag(None, None)),
            (key("needs-plain"), flag(None, Some("plain"))),
            (key("by-eu"), flag(Some("eu"), None)),
            (key("by-world"), flag(Some("world"), None)),
            (key("needs-world"), flag(None, Some("by-world"))),
            (key("needs-needs"), flag(None, Some("needs-world"))),
            (key("loop-a"), flag(None, Some("loop-b"))),
            (key("loop-b"), flag(None, Some("loop-a"))),
        ]);
        let nested = BTreeMap::from([
            (key("eu"), (1, Condition::Segment(key("de")))),
            (key("world"), (1, Condition::Any(vec![Condition::Not(Box::new(Condition::Segment(key("eu"))))]))),
            (key("own-tail"), (1, Condition::Segment(key("own-tail")))),
        ]);
        let changed = Changed { flags: keys(flags), segments: keys(segments), ..Changed::default() };
        assert_eq!(changed.affected(&known, &nested), keys(expected), "{flags:?} {segments:?}");
    }

    #[test]
    fn whatever_follows_from_a_change_is_affected() {
        check(&[], &[], &[]);
        check(&["plain"], &[], &["plain", "needs-plain"]);
        check(&["gone"], &[], &["gone"]);
        check(&["needs-plain"], &[], &["needs-plain"]);
        check(&["loop-a"], &[], &["loop-a", "loop-b"]);
        check(&[], &["world"], &["by-world", "needs-world", "needs-needs"]);
        check(&[], &["de"], &["by-eu", "by-world", "needs-world", "needs-needs"]);
        check(&[], &["own-tail", "unused"], &[]);
        check(&["plain"], &["eu"], &["plain", "needs-plain", "by-eu", "by-world", "needs-world", "needs-needs"]);
    }
}
