//! Starts that were refused: each is an event, but one who tries again and again does not flood the log.

use std::collections::BTreeMap;

use daybreak_guard::admission::Refusal as Reason;
use daybreak_model::{EventKind, Key, Kind};
use daybreak_store::Event;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::resources::subject;
use crate::{Actor, Control};

/// Refusals of one fault for the same reasons, to the same actor, are one event in this time.
const TOGETHER: SignedDuration = SignedDuration::from_mins(1);
/// Faults whose last refusal is remembered.
const REMEMBERED_MAX: usize = 1_000;

/// The last refusal of each fault.
#[derive(Debug, Default)]
pub(crate) struct RefusedStarts(BTreeMap<Key, Last>);

#[derive(Debug)]
struct Last {
    at: Timestamp,
    actor: Option<String>,
    codes: Vec<&'static str>,
    /// Others like it since, which are no event of their own.
    others: u64,
}

impl RefusedStarts {
    /// How many refusals like this one were no event since the last that was one; none where this is no event either.
    fn take(&mut self, fault: &Key, actor: &Actor, codes: &[&'static str], now: Timestamp) -> Option<u64> {
        let same = |last: &Last| {
            last.codes == codes && last.actor == actor.name && now < last.at.saturating_add(TOGETHER).unwrap_or(last.at)
        };
        if let Some(last) = self.0.get_mut(fault).filter(|last| same(last)) {
            last.others += 1;
            return None;
        }
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(fault) {
            self.0.clear();
        }
        let last = Last { at: now, actor: actor.name.clone(), codes: codes.to_vec(), others: 0 };
        Some(self.0.insert(fault.clone(), last).map_or(0, |before| before.others))
    }
}

impl Control {
    /// Writes down that a start was refused, and every reason. It waits for nothing.
    pub(crate) fn note_refused(&self, fault: &Key, reasons: &[Reason], actor: &Actor) {
        let now = self.inner.clock.now();
        let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_str()).collect();
        let Some(others) = self.inner.refused.lock().take(fault, actor, &codes, now) else { return };
        let mut data = json!({"reasons": reasons});
        if others > 0 {
            data["like_the_last"] = json!(others);
        }
        let event = Event {
            at: now,
            kind: EventKind::StartRefused.into(),
            subject: Some(subject(Kind::Fault, fault.as_str())),
            actor: actor.name.clone(),
            reason: actor.reason.clone(),
            data,
        };
        self.note_soon(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_tries_again_does_not_flood_the_log() {
        let at = |seconds: i64| Timestamp::from_second(1_795_428_000 + seconds).unwrap();
        let (fault, ada, bob) = (Key::new("slow").unwrap(), Actor::named("ada"), Actor::named("bob"));
        let mut refused = RefusedStarts::default();
        let cases = [
            (&ada, "halted", 0, Some(0)),
            (&ada, "halted", 1, None),
            (&ada, "halted", 59, None),
            (&ada, "halted", 60, Some(2)),
            (&ada, "no_clients", 61, Some(0)),
            (&bob, "no_clients", 62, Some(0)),
            (&bob, "no_clients", 63, None),
        ];
        for (actor, code, seconds, expected) in cases {
            assert_eq!(refused.take(&fault, actor, &[code], at(seconds)), expected, "{code} at {seconds}");
        }
        for number in 0..2 * REMEMBERED_MAX {
            refused.take(&Key::new(&format!("f{number}")).unwrap(), &ada, &["halted"], at(0));
        }
        assert!(refused.0.len() <= REMEMBERED_MAX);
    }
}
