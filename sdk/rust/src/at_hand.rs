//! What is at hand of each flag, by its index: where its evaluations are counted, and what it serves where that cannot depend on
//! the context.

use daybreak_engine::{FlagIndex, Snapshot, ValueRef};

/// In one word, so that whoever asks for a flag that serves a boolean to all reads no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AtHand {
    /// The counter of its errors; those of its variants come after it.
    errors: u32,
    /// How far the counter of what it serves to all is after that, and the boolean in the lowest bit; 0 where that depends.
    fixed: u32,
}

impl AtHand {
    /// Of the flag at this index, whose errors are counted there.
    pub(crate) fn of(snapshot: &Snapshot, index: FlagIndex, errors: u32) -> Self {
        let fixed = || {
            let answer = snapshot.static_answer(index)?;
            let Some(ValueRef::Boolean(bit)) = answer.value() else { return None };
            Some((u32::from(answer.variant_index()?) + 1) << 1 | u32::from(bit))
        };
        Self { errors, fixed: fixed().unwrap_or_default() }
    }

    /// The counter of its errors.
    #[inline]
    pub(crate) const fn errors(self) -> u32 {
        self.errors
    }

    /// The counter of a variant.
    #[inline]
    pub(crate) fn variant(self, variant: u16) -> u32 {
        self.errors + 1 + u32::from(variant)
    }

    /// The boolean that it serves to all, and its counter.
    #[inline]
    pub(crate) const fn fixed(self) -> Option<(bool, u32)> {
        if self.fixed == 0 { None } else { Some((self.fixed & 1 != 0, self.errors + (self.fixed >> 1))) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use daybreak_engine::compile;
    use daybreak_model::{Flag, Key};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_depend_on_the_context_is_at_hand() {
        let rules = json!([{"name": "all", "serve": "b"}]);
        let cases = [
            (json!({"variants": {"a": false, "b": true}, "default": "b"}), Some((true, 12))),
            (json!({"variants": {"a": false, "b": true}, "default": "a"}), Some((false, 11))),
            (
                json!({"variants": {"a": false, "b": true}, "default": "a", "off": "b", "enabled": false}),
                Some((true, 12)),
            ),
            (json!({"variants": {"a": false, "b": true}, "default": "a", "rules": rules}), None),
            (json!({"variants": {"a": false, "b": true}, "default": "a", "prerequisites": {"other": "on"}}), None),
            (json!({"variants": {"a": "text"}, "default": "a"}), None),
            (json!({"variants": {"a": true}, "default": "none"}), None),
        ];
        for (flag, expected) in cases {
            let (key, decoded) = (Key::new("flag").unwrap(), serde_json::from_value::<Flag>(flag.clone()).unwrap());
            let snapshot = compile([(&key, &decoded, 1)], &BTreeMap::new());
            let at_hand = AtHand::of(&snapshot, snapshot.index("flag").unwrap(), 10);
            assert_eq!((at_hand.fixed(), at_hand.errors(), at_hand.variant(0)), (expected, 10, 11), "{flag}");
        }
    }
}
