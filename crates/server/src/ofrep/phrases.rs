//! What answers say of a flag in the same words each time, written once.
//!
//! Most of an item stays as it is until its flag changes: key, values, and all metadata but the rule. So each flag has a text of
//! these, out of which items are put together. It is made when the flag is asked for first, and handed on from one state to
//! the next as long as the flag stays.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use daybreak_control::State;
use daybreak_engine::{Detail, FlagInfo, ValueRef};
use daybreak_model::metadata;
use serde::Serialize;

use super::evaluation::Evaluation;

/// Bytes of one flag's phrases that are kept. What is longer is written anew for each answer.
const KEPT_MAX: usize = 16 * 1024;

/// The phrases of the last state that was asked for. A clone is another handle of the same.
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<ArcSwapOption<Phrases>>);

/// The phrases of one state.
#[derive(Debug)]
pub(super) struct Phrases {
    state: Arc<State>,
    /// By place in the state's snapshot; none inside where there are too many.
    flags: Box<[OnceLock<Option<Arc<Phrase>>>]>,
    /// The length of the longest answer about all flags.
    longest: AtomicUsize,
}

/// The phrases of one flag.
#[derive(Debug)]
struct Phrase {
    /// `{"key":"…","reason":"`, for each variant what stands between the reason and the rule, and what stands after it: that
    /// begins with the quote which ends a name.
    text: Box<str>,
    /// Where the parts end; the last one ends with the text.
    ends: Box<[u32]>,
}

impl Written {
    /// The phrases for a state.
    pub(super) fn of(&self, state: &Arc<State>) -> Arc<Phrases> {
        let last = self.0.load();
        if let Some(last) = &*last
            && last.are_of(state)
        {
            return Arc::clone(last);
        }
        let next = Arc::new(Phrases::after(last.as_deref(), state));
        // Whoever answers by an older state does not undo what others need.
        let newer = |last: &Phrases| {
            let (last, own) = (last.state.position(), state.position());
            last.store != own.store || last.revision < own.revision
        };
        if last.as_deref().is_none_or(newer) {
            self.0.store(Some(Arc::clone(&next)));
        }
        next
    }
}

impl Phrases {
    /// Whether the flags are these. Runs that come and go change none.
    fn are_of(&self, state: &State) -> bool {
        std::ptr::eq(self.state.snapshot(), state.snapshot())
    }

    fn after(last: Option<&Self>, state: &Arc<State>) -> Self {
        let snapshot = state.snapshot();
        let last = last.filter(|last| last.state.snapshot().same_index(snapshot));
        let known = |flag: &FlagInfo<'_>| {
            let last = last?;
            let before = last.state.snapshot().info(flag.index)?;
            let phrase = last.flags.get(flag.index.position())?;
            (before.revision == flag.revision).then(|| phrase.clone())
        };
        let flags = snapshot.flags().map(|flag| known(&flag).unwrap_or_default()).collect();
        Self { state: Arc::clone(state), flags, longest: AtomicUsize::default() }
    }

    /// Bytes that an answer about all flags is likely to have.
    pub(super) fn bulk_bytes(&self) -> usize {
        self.longest.load(Ordering::Relaxed).max(1024)
    }

    /// Such an answer had so many.
    pub(super) fn wrote_bulk(&self, bytes: usize) {
        if bytes > self.longest.load(Ordering::Relaxed) {
            self.longest.store(bytes, Ordering::Relaxed);
        }
    }

    /// Adds an item.
    pub(super) fn write(&self, evaluation: &Evaluation<'_>, into: &mut Vec<u8>) {
        match self.phrase(evaluation.detail).filter(|_| evaluation.error().is_none()) {
            Some(phrase) if phrase.write(evaluation, into) => {}
            _ => put(evaluation, into),
        }
    }

    fn phrase(&self, detail: &Detail<'_>) -> Option<&Phrase> {
        let index = detail.flag()?;
        let make = || {
            let flag = self.state.snapshot().info(index)?;
            Phrase::new(&flag, detail, self.state.environment()).map(Arc::new)
        };
        self.flags.get(index.position())?.get_or_init(make).as_deref()
    }
}

impl Phrase {
    /// The phrases of a flag, of which this is an answer; none where they are too long to be kept.
    fn new(flag: &FlagInfo<'_>, detail: &Detail<'_>, environment: &str) -> Option<Self> {
        let mut text = Vec::new();
        let mut ends = Vec::with_capacity(flag.variants.len() + 1);
        // A key is made of characters that stand for themselves.
        text.extend_from_slice(b"{\"key\":\"");
        text.extend_from_slice(flag.key.as_str().as_bytes());
        text.extend_from_slice(b"\",\"reason\":\"");
        ends.push(u32::try_from(text.len()).ok()?);
        for (variant, value) in flag.variants {
            text.extend_from_slice(b"\",\"value\":");
            put(&ValueRef::from(value), &mut text);
            text.extend_from_slice(b",\"variant\":\"");
            text.extend_from_slice(variant.as_str().as_bytes());
            text.extend_from_slice(b"\",\"metadata\":");
            let own = Own { revision: flag.revision, version: flag.revision.to_string(), flag_set_id: environment };
            put(&own, &mut text);
            // The flag's own follow.
            text.pop();
            ends.push(u32::try_from(text.len()).ok()?);
            if text.len() > KEPT_MAX {
                return None;
            }
        }
        text.push(b'"');
        for (name, scalar) in detail.metadata().into_iter().flatten().filter(|(name, _)| !metadata::is_own(name)) {
            text.push(b',');
            put(name, &mut text);
            text.push(b':');
            put(scalar, &mut text);
        }
        text.extend_from_slice(b"}}");
        let text = String::from_utf8(text).ok().filter(|text| text.len() <= KEPT_MAX)?;
        Some(Self { text: text.into(), ends: ends.into() })
    }

    /// Adds the item of an answer without an error; whether it could.
    fn write(&self, evaluation: &Evaluation<'_>, into: &mut Vec<u8>) -> bool {
        let detail = evaluation.detail;
        let parts = || {
            let variant = usize::from(detail.variant_index()?) + 1;
            Some((self.part(0)?, self.part(variant)?, self.part(self.ends.len())?))
        };
        let Some((head, variant, tail)) = parts() else { return false };
        // A tail without the quote that ends a name, for where there is none.
        let (mut named, unnamed) = (false, tail.get(1..).unwrap_or_default());
        into.extend_from_slice(head);
        into.extend_from_slice(detail.reason().as_str().as_bytes());
        into.extend_from_slice(variant);
        if let Some(rule) = detail.rule().filter(|_| evaluation.tells) {
            into.extend_from_slice(b",\"rule\":\"");
            into.extend_from_slice(rule.as_str().as_bytes());
            named = true;
        }
        if let Some(prerequisite) = detail.prerequisite().filter(|_| evaluation.tells) {
            into.extend_from_slice(if named { b"\",\"" } else { b",\"" });
            into.extend_from_slice(b"prerequisite\":\"");
            into.extend_from_slice(prerequisite.as_str().as_bytes());
            named = true;
        }
        into.extend_from_slice(if named { tail } else { unnamed });
        true
    }

    fn part(&self, at: usize) -> Option<&[u8]> {
        let end = |at: usize| self.ends.get(at).map_or(self.text.len(), |end| *end as usize);
        let range: Range<usize> = at.checked_sub(1).map_or(0, end)..end(at);
        self.text.as_bytes().get(range)
    }
}

/// The metadata that every answer of a flag begins with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Own<'a> {
    revision: u64,
    version: String,
    flag_set_id: &'a str,
}

/// Adds something as JSON. None of what is written here lacks that form.
pub(super) fn put<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) {
    drop(serde_json::to_writer(into, value));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use daybreak_document::{Source, decode};
    use daybreak_engine::{Snapshot, compile};
    use daybreak_model::{Context, Resources};
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn snapshot(flags: &Json) -> (Resources, Snapshot) {
        let source = Source::new("flags.yaml", json!({ "flags": flags }).to_string());
        let (resources, _) = decode(&[source]).into_result().unwrap();
        let flags = resources.flags.iter().zip(7..).map(|((key, flag), revision)| (key, flag.as_ref(), revision));
        let snapshot = compile(flags, &BTreeMap::new());
        (resources, snapshot)
    }

    /// Every item as it is put together; each is what serde writes of it.
    fn check(flags: &Json, context: &Context, environment: &str) -> Vec<String> {
        let (_resources, snapshot) = snapshot(flags);
        let mut items = Vec::new();
        for flag in snapshot.flags() {
            let detail = snapshot.evaluate_at(flag.index, context);
            for tells in [false, true] {
                let evaluation = Evaluation { key: flag.key.as_str(), detail: &detail, environment, tells };
                let slow = serde_json::to_string(&evaluation).unwrap();
                let Some(phrase) = Phrase::new(&flag, &detail, environment) else { continue };
                let mut quick = Vec::new();
                let wrote = phrase.write(&evaluation, &mut quick);
                assert_eq!(wrote, detail.error().is_none(), "{slow}");
                if wrote {
                    assert_eq!(String::from_utf8(quick).unwrap(), slow);
                    items.push(slow);
                }
            }
        }
        items
    }

    #[test]
    fn items_as_serde_writes_them() {
        let flags = json!({
            "plain": { "default": "on" },
            "retired": { "default": "on", "enabled": false },
            "dependent": { "default": "on", "prerequisites": { "retired": "on" } },
            "whole": { "variants": { "few": 3, "many": 12 }, "off": "few", "default": "few" },
            "half": { "variants": { "half": 0.5, "one": 1 }, "off": "half", "default": "one" },
            "deep": { "variants": { "a": { "b": [1, { "c": "\"\u{1}ä" }] }, "z": {} }, "off": "a", "default": "a",
                      "metadata": { "team": "pay\"ments", "age": 1.5, "beta": true, "rule": "mine" } },
            "ruled": { "default": "off", "rules": [{ "name": "staff", "when": { "plan": "pro" }, "serve": "on" }] },
            "split": { "variants": { "x": "x", "y": "\\" }, "off": "x", "default": "x",
                       "rules": [{ "name": "all", "rollout": { "x": "50%", "y": "50%" } }] },
        });
        let pro = Context::new("ada").with("plan", "pro");
        let items = check(&flags, &pro, "te\"st");
        assert_eq!(items.len(), 16);
        assert!(items.iter().any(|item| item.contains("\"rule\":\"staff\"")), "{items:?}");
        assert!(items.iter().any(|item| item.contains("\"prerequisite\":\"retired\"")), "{items:?}");
        assert_eq!(check(&flags, &Context::default(), "test").len(), 14, "a split without a key is an error");
    }

    #[test]
    fn what_is_long_is_not_kept() {
        let flags =
            json!({ "long": { "variants": { "a": "x".repeat(KEPT_MAX), "b": "" }, "off": "a", "default": "a" } });
        assert!(check(&flags, &Context::default(), "test").is_empty());
    }

    proptest! {
        #[test]
        fn any_item_as_serde_writes_it(
            texts in prop::collection::btree_map("[a-z][a-z0-9._-]{0,6}", "\\PC{0,12}|[\"\\\\\u{0}-\u{1f}]{0,6}", 2..5),
            numbers in prop::collection::vec(-1.0e9_f64..1.0e9, 2),
            metadata in prop::collection::btree_map("[a-z\"]{1,8}", "\\PC{0,12}", 0..4),
            environment in "\\PC{0,12}",
            user in "[a-z]{0,3}",
        ) {
            let first = texts.keys().next().unwrap();
            let shares = json!({ first: "30%", texts.keys().nth(1).unwrap(): "70%" });
            let rule = json!({ "name": "some", "when": { "plan": "pro" }, "rollout": shares });
            let flags = json!({
                "texts": { "variants": texts, "off": first, "default": first, "metadata": metadata, "rules": [rule] },
                "numbers": { "variants": { "a": numbers[0], "b": numbers[1].trunc() }, "off": "a", "default": "b" },
                "objects": { "variants": { "a": { "x": texts }, "b": { "y": numbers } }, "off": "a", "default": "b" },
            });
            for context in [Context::new(&user), Context::new(&user).with("plan", "pro")] {
                check(&flags, &context, &environment);
            }
        }
    }
}
