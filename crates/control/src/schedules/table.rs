//! What is remembered of schedules: the next start of each fault, and what became of the last one.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_guard::schedule::{Due, Plan};
use daybreak_model::wire::StoreId;
use daybreak_model::{Key, Resources, RunId};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a calendar never is open for long enough, it is looked at again after this time.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Every fault that is, or was, started by a schedule.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    entries: BTreeMap<Key, Entry>,
    /// What the store does not know yet.
    unsaved: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct Entry {
    record: Record,
    /// The revision at which the next start was looked for, and when.
    looked: Option<(u64, Timestamp)>,
}

/// What the store keeps of one fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The next start.
    #[serde(default)]
    pub(super) next: Option<Due>,
    /// The last one.
    #[serde(default)]
    pub(super) last: Option<Attempt>,
}

/// What became of a start that a schedule asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The day, or the first day of the week, that it was for.
    pub period: Date,
    /// When it was due.
    pub due: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<SkipReason>,
}

/// What became of a start, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is under way; or the server ended meanwhile, and the log tells whether there is a run.
    Starting,
    /// There is a run.
    Started,
    /// Something stood against it.
    Skipped,
}

/// Why a scheduled start was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipReason {
    /// Which: that of a refused start, or `missed`, `stopped`, `not_started`.
    pub code: String,
    /// What stood against it.
    pub sentence: String,
}

/// What a look at all schedules found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// What is to be started now.
    pub(super) due: Vec<(Key, Due)>,
    /// What nobody started in time.
    pub(super) missed: Vec<(Key, Due)>,
}

impl Schedules {
    pub(super) fn load(&mut self, fault: Key, record: Record) {
        self.entries.insert(fault, Entry { record, looked: None });
    }

    pub(super) fn record(&self, fault: &Key) -> Option<&Record> {
        self.entries.get(fault).map(|entry| &entry.record)
    }

    /// Follows the faults that there are. What is due counts as attempted from here on, whatever becomes of it.
    pub(super) fn look(&mut self, resources: &Resources, (store, revision): (StoreId, u64), now: Timestamp) -> Look {
        let mut look = Look::default();
        for (fault, entry) in &mut self.entries {
            let known = resources.faults.get(fault);
            if known.is_none_or(|known| known.schedule.is_none() || !known.enabled) {
                entry.looked = None;
                if entry.record.next.take().is_some() || known.is_none() {
                    self.unsaved.insert(fault.clone());
                }
            }
        }
        self.entries.retain(|fault, _| resources.faults.contains_key(fault));
        for (key, fault) in resources.faults.iter().filter(|(_, fault)| fault.enabled) {
            let (Some(schedule), Some(hours)) = (fault.schedule, resources.hours.get(&fault.hours)) else { continue };
            let plan = Plan { fault: key, schedule, hours, duration: fault.max_duration, store };
            let entry = self.entries.entry(key.clone()).or_default();
            let before = entry.record.next;
            if let Some(due) = before.filter(|due| due.is_missed(now)) {
                entry.attempt(due);
                look.missed.push((key.clone(), due));
            }
            entry.look_ahead(&plan, revision, now);
            if let Some(due) = entry.record.next.filter(|due| due.is_due(now)) {
                entry.attempt(due);
                look.due.push((key.clone(), due));
                entry.look_ahead(&plan, revision, now);
            }
            if before != entry.record.next {
                self.unsaved.insert(key.clone());
            }
        }
        look
    }

    /// What became of an attempt, unless there was another since.
    pub(super) fn conclude(
        &mut self,
        fault: &Key,
        due: Due,
        outcome: Outcome,
        run: Option<RunId>,
        reasons: Vec<SkipReason>,
    ) {
        let last = self.entries.get_mut(fault).and_then(|entry| entry.record.last.as_mut());
        if let Some(last) = last.filter(|last| last.period == due.period) {
            (last.outcome, last.run, last.reasons) = (outcome, run, reasons);
            self.unsaved.insert(fault.clone());
        }
    }

    /// What the store does not know yet; none of a fault that is gone.
    pub(super) fn take_unsaved(&mut self) -> BTreeMap<Key, Option<Record>> {
        let unsaved = std::mem::take(&mut self.unsaved);
        unsaved.into_iter().map(|fault| (fault.clone(), self.record(&fault).cloned())).collect()
    }

    /// The store still does not know.
    pub(super) fn give_back(&mut self, faults: impl IntoIterator<Item = Key>) {
        self.unsaved.extend(faults);
    }

    pub(super) fn is_saved(&self) -> bool {
        self.unsaved.is_empty()
    }
}

impl Entry {
    fn attempt(&mut self, due: Due) {
        let Due { period, at } = due;
        self.record.next = None;
        self.looked = None;
        let outcome = Outcome::Starting;
        self.record.last = Some(Attempt { period, due: at, outcome, run: None, reasons: Vec::new() });
    }

    /// Looks for the next start, where something may have changed since it was looked for.
    fn look_ahead(&mut self, plan: &Plan<'_>, revision: u64, now: Timestamp) {
        let again = |(at, looked): (u64, Timestamp)| {
            at != revision || (self.record.next.is_none() && now.duration_since(looked) >= LOOK_AGAIN)
        };
        if self.looked.is_none_or(again) {
            let attempted = self.record.last.as_ref().map(|last| last.period);
            self.record.next = plan.next(now, attempted);
            self.looked = Some((revision, now));
        }
    }
}
