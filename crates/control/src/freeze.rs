//! The freeze: while an on-call's budget is spent, changes by hand that do not only turn things off are refused.
//!
//! It is of all that this server serves, whoever owns it: what pages people is found after the change, not before. The
//! on-call's own objective is frozen with the rest. Files are changes by hand too: an edit is held back as a whole, and
//! taken when the budget is there again; until then it shows as the files' refused edit.

use daybreak_model::{Fault, Flag, Key, Kind, Resources};
use daybreak_store::Event;
use serde_json::json;

use crate::{Actor, Control, Frozen, Refusal};

impl Control {
    /// Whether a change may be made; where a freeze was overridden, which.
    ///
    /// # Errors
    /// When changes are frozen, the change does not only turn things off, and nobody who may overrides that.
    pub(crate) fn thaw(
        &self,
        before: &Resources,
        after: &Resources,
        changed: &[(Kind, Key)],
        actor: &Actor,
    ) -> Result<Option<Frozen>, Refusal> {
        match self.frozen(before) {
            Some(frozen) if !only_turns_off(before, after, changed) => match actor.overrides() {
                Some(_) => Ok(Some(frozen)),
                None => Err(Refusal::Frozen(frozen)),
            },
            _ => Ok(None),
        }
    }
}

/// Has the lines of the log say that a freeze was overridden, and why.
pub(crate) fn say_thawed(events: &mut [Event], frozen: &Frozen, actor: &Actor) {
    for event in events {
        event.data["override"] = json!({"frozen_by": frozen.on_calls, "reason": actor.overrides()});
    }
}

/// Whether a change disables flags and faults, removes faults or protects more, and does nothing else.
fn only_turns_off(before: &Resources, after: &Resources, changed: &[(Kind, Key)]) -> bool {
    let turns_off = |(kind, key): &(Kind, Key)| match kind {
        Kind::Flag => before.flags.get(key).zip(after.flags.get(key)).is_some_and(|(before, after)| {
            let off = Flag { enabled: false, ..Flag::clone(before) };
            off == **after
        }),
        Kind::Fault => after.faults.get(key).is_none_or(|after| {
            before.faults.get(key).is_some_and(|before| {
                let off = Fault { enabled: false, ..before.clone() };
                off == *after
            })
        }),
        Kind::Segment | Kind::Hours | Kind::Slo | Kind::OnCall => false,
    };
    changed.iter().all(turns_off) && before.protect.iter().all(|segment| after.protect.contains(segment))
}
