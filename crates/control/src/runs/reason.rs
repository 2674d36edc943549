//! A reason that comes after the deed. What happened is held back until then, so that it is recorded once, and whole.

use std::ops::Range;
use std::sync::Arc;

use daybreak_guard::run::{Event, Run};
use daybreak_model::RunId;

use super::RunTable;
use crate::Control;

/// What happened, and is not recorded before its reason is known. Dropped, it is recorded without one.
#[derive(Debug)]
#[must_use = "what is dropped has no reason"]
pub(super) struct HeldBack {
    control: Control,
    /// Its numbers among what is to be recorded.
    numbers: Range<u64>,
}

impl Control {
    /// Ends the runs for which there is an event that ends them, and tells clients at once. To be recorded once it is known
    /// why.
    pub(super) fn end_and_hold(&self, event: impl Fn(&Run) -> Option<Event>) -> (Vec<RunId>, HeldBack) {
        let mut runs = self.inner.runs.lock();
        let first = runs.next + 1;
        let ended = runs.end_where(self.inner.clock.now(), event);
        self.announce_ended(&ended);
        (ended, self.hold_back(&mut runs, first))
    }

    /// Holds back what was noted to be recorded from this number on. The caller holds the runs' lock since before that.
    pub(super) fn hold_back(&self, runs: &mut RunTable, first: u64) -> HeldBack {
        let numbers = first..runs.next + 1;
        runs.pending.range_mut(numbers.clone()).for_each(|(_, pending)| pending.held = true);
        HeldBack { control: self.clone(), numbers }
    }
}

impl HeldBack {
    /// Has it recorded from now on, for this reason; none leaves the one that it has.
    pub(super) fn explain(self, reason: Option<&str>) {
        self.release(reason);
    }

    fn release(&self, reason: Option<&str>) {
        let mut runs = self.control.inner.runs.lock();
        let explained = runs.release(self.numbers.clone(), reason);
        if let Some(reason) = reason.filter(|_| explained) {
            runs.explain_halt(&self.numbers, reason);
        }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.release(None);
    }
}

impl RunTable {
    /// Has what was held back be recorded, for this reason; whether any of it still was.
    fn release(&mut self, numbers: Range<u64>, reason: Option<&str>) -> bool {
        let mut explained = Vec::new();
        let mut any = false;
        for (_, pending) in self.pending.range_mut(numbers).filter(|(_, pending)| pending.held) {
            (pending.held, any) = (false, true);
            let Some(reason) = reason else { continue };
            pending.event.reason = Some(reason.to_owned());
            let Some(run) = &mut pending.run else { continue };
            if let Some(end) = Arc::make_mut(run).end.as_mut() {
                end.reason = Some(reason.to_owned());
            }
            explained.push(Arc::clone(run));
        }
        for run in explained {
            let shown = self.ended.iter_mut().rev().find(|finished| finished.run.id == run.id);
            shown.into_iter().for_each(|finished| finished.run = Arc::clone(&run));
        }
        any
    }

    /// Whether something that happened to a run still waits for its reason.
    pub(super) fn is_held_back(&self, id: RunId) -> bool {
        self.pending.values().any(|pending| pending.held && pending.run.as_ref().is_some_and(|run| run.id == id))
    }

    /// Has all that is held back be recorded before what comes now.
    pub(super) fn release_all(&mut self) {
        self.pending.values_mut().for_each(|pending| pending.held = false);
    }
}
