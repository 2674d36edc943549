//! What a client serves: the last documents it has, compiled.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_engine::{FlagIndex, Snapshot};
use daybreak_model::wire::{Change, Enveloped, Position, Snapshot as WireSnapshot};
use daybreak_model::{Condition, Flag, Key, Segment};
use serde::de::DeserializeOwned;

use crate::affected::Changed;
use crate::at_hand::AtHand;

/// Compiled flags, and where they come from. Immutable: a change makes another.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) snapshot: Snapshot,
    /// Of each flag, by its index.
    pub(crate) at_hand: Vec<AtHand>,
    /// The environment that they are of, where it is known.
    pub(crate) environment: Option<Box<str>>,
    /// `None` before the first snapshot.
    pub(crate) position: Option<Position>,
    /// From a cache or a bootstrap file, not from the server.
    pub(crate) cached: bool,
    /// Grows with each change, so that handles see that they are old.
    pub(crate) generation: u64,
}

/// The documents behind what is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    pub(crate) position: Option<Position>,
    /// The one that the client was built for, or else the first one that it saw.
    pub(crate) environment: Option<String>,
    flags: BTreeMap<Key, (u64, Flag)>,
    segments: BTreeMap<Key, (u64, Condition)>,
}

/// What a client begins with.
#[derive(Debug)]
pub(crate) enum Begin {
    /// What a client of its kind last had: it is of the environment that this one saw.
    Cache(WireSnapshot),
    /// What came with the application, which may be the same in every environment.
    Bootstrap(WireSnapshot),
}

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Another environment than its own: nothing done there may reach here.
    #[error("the server is of the environment `{theirs}`, this client of `{ours}`; its flags stay as they are")]
    Environment { ours: String, theirs: String },
    /// It is not later than what is here.
    #[error("the server stands at {theirs}, this client already at {ours}")]
    Older { ours: Position, theirs: Position },
}

impl Documents {
    /// None yet, for this environment alone if one is named.
    pub(crate) fn of(environment: Option<String>) -> Self {
        Self { environment, ..Self::default() }
    }

    /// Takes a whole snapshot; what changed.
    pub(crate) fn replace(&mut self, snapshot: &WireSnapshot) -> Result<Changed, Refused> {
        self.expect(&snapshot.environment)?;
        if let Some(ours) = self.position
            && !(ours.accepts(snapshot.position) || ours == snapshot.position)
        {
            return Err(Refused::Older { ours, theirs: snapshot.position });
        }
        // Revisions of two stores cannot be compared: the same one may be another flag.
        let same_store = self.position.is_some_and(|ours| ours.store == snapshot.position.store);
        let flags = decode_all(&snapshot.flags, &self.flags, same_store, "flag");
        let before = std::mem::replace(&mut self.flags, flags);
        let known = std::mem::take(&mut self.segments);
        let segments = known.iter().map(|(key, (revision, when))| (key.clone(), (*revision, segment(when.clone()))));
        let segments = decode_all(&snapshot.segments, &segments.collect(), same_store, "segment");
        self.segments =
            segments.into_iter().map(|(key, (revision, segment))| (key, (revision, segment.when))).collect();
        let changed = Changed {
            flags: differing(&before, &self.flags, |(_, one), (_, other)| one == other),
            revised: differing(&before, &self.flags, |one, other| one == other),
            segments: differing(&known, &self.segments, |(_, one), (_, other)| one == other),
        };
        self.environment = Some(snapshot.environment.clone());
        self.position = Some(snapshot.position);
        Ok(changed)
    }

    /// Begins with what a cache or a bootstrap file has. Where the server stands is not known by that.
    pub(crate) fn begin_with(&mut self, begin: &Begin) -> Result<Changed, Refused> {
        let ours = self.environment.clone();
        let (Begin::Cache(snapshot) | Begin::Bootstrap(snapshot)) = begin;
        let changed = self.replace(snapshot)?;
        self.position = None;
        if matches!(begin, Begin::Bootstrap(_)) {
            self.environment = ours;
        }
        Ok(changed)
    }

    fn expect(&self, environment: &str) -> Result<(), Refused> {
        match &self.environment {
            Some(ours) if ours != environment => {
                Err(Refused::Environment { ours: ours.clone(), theirs: environment.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Takes a change; what changed by it. One that is not later changes nothing.
    pub(crate) fn change(&mut self, change: &Change) -> Changed {
        let mut changed = Changed::default();
        let Some(ours) = self.position else { return changed };
        if ours.store != change.position.store || ours.revision >= change.position.revision {
            return changed;
        }
        for (key, flag) in &change.flags {
            let flag = flag.as_ref().map(|flag| Some((flag.revision, decode(key, flag, "flag")?)));
            if set(&mut self.flags, key, flag) {
                changed.revised.insert(key.clone());
                changed.flags.insert(key.clone());
            }
        }
        for (key, segment) in &change.segments {
            let when = |segment: &Enveloped| Some(decode::<Segment>(key, segment, "segment")?.when);
            let segment = segment.as_ref().map(|segment| Some((segment.revision, when(segment)?)));
            if set(&mut self.segments, key, segment) {
                changed.segments.insert(key.clone());
            }
        }
        self.position = Some(change.position);
        changed
    }

    /// The flags whose answers may be others after that.
    pub(crate) fn affected(&self, changed: Changed) -> BTreeSet<Key> {
        changed.affected(&self.flags, &self.segments)
    }

    /// Whether there is such a flag.
    pub(crate) fn has(&self, flag: &Key) -> bool {
        self.flags.contains_key(flag)
    }

    /// The server stands there, and no document changed.
    pub(crate) fn reach(&mut self, position: Position) {
        if let Some(ours) = &mut self.position
            && ours.store == position.store
        {
            ours.revision = ours.revision.max(position.revision);
        }
    }

    /// Compiles what is here over an earlier snapshot: of flags only those that are of another revision, and those that
    /// may mean something else among the segments that are here now.
    pub(crate) fn compile_over(&self, before: &Snapshot, changed: &Changed) -> Snapshot {
        let flag = |key| self.flags.get(key).map(|(revision, flag)| (flag, *revision));
        let revised = changed.revised.iter().map(|key| (key, flag(key)));
        if changed.segments.is_empty() {
            return before.with_flags(revised);
        }
        let segments = self.segments.iter().map(|(key, (_, when))| (key.clone(), when.clone())).collect();
        let all = || self.flags.iter().map(|(key, (revision, flag))| (key, flag, *revision));
        before.with_segments(&segments, &changed.segments, revised, all)
    }

    /// What is here, in the form of a snapshot.
    pub(crate) fn to_wire(&self) -> Option<WireSnapshot> {
        let flags =
            self.flags.iter().map(|(key, (revision, flag))| Some((key.clone(), Enveloped::new(*revision, flag).ok()?)));
        let segments = self.segments.iter().map(|(key, (revision, when))| {
            Some((key.clone(), Enveloped::new(*revision, &segment(when.clone())).ok()?))
        });
        Some(WireSnapshot {
            position: self.position?,
            environment: self.environment.clone()?,
            flags: flags.collect::<Option<_>>()?,
            segments: segments.collect::<Option<_>>()?,
        })
    }
}

const fn segment(when: Condition) -> Segment {
    Segment { description: None, owner: None, when }
}

/// The keys of what is in only one of them, or not the same in both.
fn differing<T>(before: &BTreeMap<Key, T>, after: &BTreeMap<Key, T>, same: impl Fn(&T, &T) -> bool) -> BTreeSet<Key> {
    let new = after.iter().filter(|(key, own)| !before.get(*key).is_some_and(|known| same(known, own)));
    let new = new.map(|(key, _)| key);
    new.chain(before.keys().filter(|key| !after.contains_key(*key))).cloned().collect()
}

/// Sets or removes a resource, or keeps its last version where the new one is too new; whether anything changed.
fn set<T>(resources: &mut BTreeMap<Key, (u64, T)>, key: &Key, new: Option<Option<(u64, T)>>) -> bool {
    match new {
        None => resources.remove(key).is_some(),
        Some(None) => false,
        Some(Some(resource)) => {
            resources.insert(key.clone(), resource);
            true
        }
    }
}

/// Decodes each resource by itself. One that is too new for us keeps its last version.
fn decode_all<T: DeserializeOwned + Clone>(
    enveloped: &BTreeMap<Key, Enveloped>,
    before: &BTreeMap<Key, (u64, T)>,
    same_store: bool,
    noun: &str,
) -> BTreeMap<Key, (u64, T)> {
    let one = |(key, enveloped): (&Key, &Enveloped)| {
        let known = before.get(key);
        if let Some(known) = known.filter(|(revision, _)| same_store && *revision == enveloped.revision) {
            return Some((key.clone(), known.clone()));
        }
        let decoded = decode(key, enveloped, noun).map(|resource| (enveloped.revision, resource));
        Some((key.clone(), decoded.or_else(|| known.cloned())?))
    };
    enveloped.iter().filter_map(one).collect()
}

fn decode<T: DeserializeOwned>(key: &Key, enveloped: &Enveloped, noun: &str) -> Option<T> {
    let decoded = enveloped.decode();
    decoded.inspect_err(|error| tracing::warn!(%key, %error, "this {noun} keeps its last version")).ok()
}

impl Served {
    /// The lower half of its generation, which handles and threads compare.
    pub(crate) const fn generation_half(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
        let half = self.generation as u32;
        half
    }

    /// The usage counter of a variant of a flag.
    pub(crate) fn counter(&self, flag: FlagIndex, variant: u16) -> Option<u32> {
        self.at_hand.get(flag.position()).map(|flag| flag.variant(variant))
    }

    /// The usage counter of a flag's errors.
    pub(crate) fn error_counter(&self, flag: FlagIndex) -> Option<u32> {
        self.at_hand.get(flag.position()).map(|flag| flag.errors())
    }

    /// The boolean that a flag serves whatever the context, and its usage counter.
    #[inline]
    pub(crate) fn fixed(&self, flag: FlagIndex) -> Option<(bool, u32)> {
        self.at_hand.get(flag.position())?.fixed()
    }
}

#[cfg(test)]
mod tests {
    use daybreak_engine::compile;
    use daybreak_model::wire::StoreId;

    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    fn flag(default: &str) -> serde_json::Value {
        serde_json::json!({"variants": {"off": false, "on": true}, "default": default})
    }

    fn enveloped(level: u32, revision: u64, resource: &serde_json::Value) -> Enveloped {
        Enveloped { level, revision, resource: serde_json::value::to_raw_value(resource).unwrap() }
    }

    fn at(store: u64, revision: u64) -> Position {
        Position { store: StoreId::new(store), revision }
    }

    fn snapshot(position: Position, environment: &str, flags: &[(&str, Enveloped)]) -> WireSnapshot {
        let flags = flags.iter().map(|(name, flag)| (key(name), flag.clone())).collect();
        WireSnapshot { position, environment: environment.into(), flags, segments: BTreeMap::new() }
    }

    fn default_of(documents: &Documents, name: &str) -> Option<String> {
        documents.flags.get(name).map(|(_, flag)| flag.default.to_string())
    }

    #[test]
    fn a_lower_revision_is_taken_only_under_another_store() {
        let mut documents = Documents::default();
        documents.replace(&snapshot(at(1, 5), "test", &[("f", enveloped(1, 5, &flag("on")))])).unwrap();
        let lower = snapshot(at(1, 4), "test", &[("f", enveloped(1, 4, &flag("off")))]);
        assert!(matches!(documents.replace(&lower), Err(Refused::Older { .. })));
        assert_eq!(default_of(&documents, "f").as_deref(), Some("on"));
        documents.replace(&snapshot(at(2, 1), "test", &[("f", enveloped(1, 1, &flag("off")))])).unwrap();
        assert_eq!(default_of(&documents, "f").as_deref(), Some("off"));
    }

    #[test]
    fn the_same_revision_of_another_store_is_another_flag() {
        let mut documents = Documents::default();
        documents.replace(&snapshot(at(1, 1), "test", &[("f", enveloped(1, 1, &flag("on")))])).unwrap();
        documents.replace(&snapshot(at(2, 1), "test", &[("f", enveloped(1, 1, &flag("off")))])).unwrap();
        assert_eq!(default_of(&documents, "f").as_deref(), Some("off"), "after a restart of the server");
        let mut begun = Documents::default();
        begun.begin_with(&Begin::Cache(snapshot(at(1, 1), "test", &[("f", enveloped(1, 1, &flag("on")))]))).unwrap();
        begun.replace(&snapshot(at(2, 1), "test", &[("f", enveloped(1, 1, &flag("off")))])).unwrap();
        assert_eq!(default_of(&begun, "f").as_deref(), Some("off"), "after a start from a cache");
    }

    #[test]
    fn another_environment_is_refused_and_changes_nothing() {
        let mut documents = Documents::default();
        documents.replace(&snapshot(at(1, 1), "staging", &[("f", enveloped(1, 1, &flag("on")))])).unwrap();
        let refused = documents.replace(&snapshot(at(2, 9), "production", &[])).unwrap_err();
        assert!(refused.to_string().contains("`production`"), "{refused}");
        assert_eq!((documents.position, default_of(&documents, "f").as_deref()), (Some(at(1, 1)), Some("on")));
    }

    #[test]
    fn a_flag_that_is_too_new_keeps_its_last_version_and_spoils_no_other() {
        let mut documents = Documents::default();
        let old = [("f", enveloped(1, 1, &flag("on"))), ("g", enveloped(1, 1, &flag("on")))];
        documents.replace(&snapshot(at(1, 1), "test", &old)).unwrap();
        let nonsense = serde_json::json!({"variants": 7});
        let new = [
            ("f", enveloped(2, 2, &flag("off"))),
            ("g", enveloped(1, 2, &flag("off"))),
            ("h", enveloped(1, 2, &nonsense)),
        ];
        documents.replace(&snapshot(at(1, 2), "test", &new)).unwrap();
        assert_eq!(default_of(&documents, "f").as_deref(), Some("on"), "level 2 is not understood");
        assert_eq!(default_of(&documents, "g").as_deref(), Some("off"));
        assert_eq!(default_of(&documents, "h"), None);
    }

    #[test]
    fn changes_apply_once_and_in_order() {
        let mut documents = Documents::default();
        let change = |revision, flag: Option<&serde_json::Value>| Change {
            position: at(1, revision),
            flags: BTreeMap::from([(key("f"), flag.map(|flag| enveloped(1, revision, flag)))]),
            segments: BTreeMap::new(),
            ack: false,
            jitter: daybreak_model::Millis::ZERO,
        };
        let flags = |changed: Changed| changed.flags.into_iter().collect::<Vec<_>>();
        assert!(documents.change(&change(1, Some(&flag("on")))).is_empty(), "nothing applies before a snapshot");
        documents.replace(&snapshot(at(1, 1), "test", &[])).unwrap();
        assert_eq!(flags(documents.change(&change(2, Some(&flag("on"))))), [key("f")]);
        assert!(documents.change(&change(2, Some(&flag("off")))).is_empty(), "a repeat changes nothing");
        assert_eq!(default_of(&documents, "f").as_deref(), Some("on"));
        assert_eq!(flags(documents.change(&change(4, None))), [key("f")]);
        assert_eq!((default_of(&documents, "f"), documents.position), (None, Some(at(1, 4))));
        documents.reach(at(1, 7));
        documents.reach(at(1, 6));
        documents.reach(at(2, 9));
        assert_eq!(documents.position, Some(at(1, 7)));
    }

    #[test]
    fn what_is_kept_is_what_was_served() {
        let mut documents = Documents::default();
        documents.replace(&snapshot(at(1, 5), "test", &[("f", enveloped(1, 5, &flag("on")))])).unwrap();
        let kept = documents.to_wire().unwrap();
        for (begin, environment) in
            [(Begin::Cache(kept.clone()), Some("test".to_owned())), (Begin::Bootstrap(kept), None)]
        {
            let mut begun = Documents::default();
            begun.begin_with(&begin).unwrap();
            assert_eq!(default_of(&begun, "f").as_deref(), Some("on"));
            assert_eq!((begun.position, begun.environment), (None, environment), "{begin:?}");
        }
    }

    #[test]
    fn a_client_built_for_an_environment_begins_with_no_other() {
        let production = || Documents::of(Some("production".into()));
        let other = || snapshot(at(1, 1), "staging", &[("f", enveloped(1, 1, &flag("on")))]);
        for begin in [Begin::Cache(other()), Begin::Bootstrap(other())] {
            assert!(matches!(production().begin_with(&begin), Err(Refused::Environment { .. })), "{begin:?}");
        }
        let mut documents = production();
        assert!(documents.replace(&other()).is_err(), "not from the first snapshot on");
        assert!(documents.position.is_none() && documents.flags.is_empty());
    }

    #[test]
    fn a_new_store_with_the_same_flags_changes_no_answer() {
        let mut documents = Documents::default();
        let flags = |revision, g| [("f", enveloped(1, revision, &flag("on"))), ("g", enveloped(1, revision, &flag(g)))];
        documents.replace(&snapshot(at(1, 5), "test", &flags(5, "on"))).unwrap();
        let changed = documents.replace(&snapshot(at(2, 1), "test", &flags(1, "off"))).unwrap();
        assert_eq!(changed.flags.iter().collect::<Vec<_>>(), [&key("g")]);
        let before = compile([], &BTreeMap::new());
        let compiled = documents.compile_over(&before, &changed);
        let revisions: Vec<u64> = compiled.flags().map(|flag| flag.revision).collect();
        assert_eq!(revisions, [1, 1], "and yet both have the new store's revision");
    }

    #[test]
    fn a_described_segment_is_no_other_in_another_store() {
        let mut documents = Documents::default();
        let exists = serde_json::json!({"attribute": {"attribute": "a", "test": {"exists": true}}});
        let vip = serde_json::json!({"description": "Whom we know", "when": exists});
        let segments = BTreeMap::from([(key("vip"), enveloped(1, 1, &vip))]);
        let snapshot = |store| WireSnapshot { segments: segments.clone(), ..snapshot(at(store, 1), "test", &[]) };
        assert!(!documents.replace(&snapshot(1)).unwrap().is_empty());
        assert!(documents.replace(&snapshot(2)).unwrap().is_empty());
    }

    #[test]
    fn a_change_to_a_segment_is_told() {
        let mut documents = Documents::default();
        documents.replace(&snapshot(at(1, 1), "test", &[])).unwrap();
        let when = serde_json::json!({"when": {"segment": "other"}});
        let change = |revision, segment| Change {
            position: at(1, revision),
            flags: BTreeMap::new(),
            segments: BTreeMap::from([(key("s"), segment)]),
            ack: false,
            jitter: daybreak_model::Millis::ZERO,
        };
        let set = documents.change(&change(2, Some(enveloped(1, 2, &when))));
        assert_eq!(set.segments.into_iter().collect::<Vec<_>>(), [key("s")]);
        assert!(documents.change(&change(3, Some(enveloped(9, 3, &when)))).is_empty(), "too new: it stays as it was");
        assert_eq!(documents.change(&change(4, None)).segments.len(), 1);
        assert!(documents.change(&change(5, None)).is_empty(), "it is gone already");
    }
}
