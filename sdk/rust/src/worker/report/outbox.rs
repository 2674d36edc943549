//! Reports of bounded length.
//!
//! A report says everything, as long as it is short enough: so a server that begins anew learns of a client by one
//! report. One that would be longer says in parts what it has to: first the counters that changed since the server
//! acknowledged them, of those the ones that have waited longest; then, where there is room, the others in turn.
//! Counters are cumulative, so one that is left out is only late.

use std::collections::BTreeMap;

use daybreak_model::limits::REPORT_PART_BYTES_MAX;
use daybreak_model::wire::{ArmCounts, OperationCounts, Report, StoreId};
use rustc_hash::FxHashMap;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// The shortest bound that a server which refuses a report as too long brings us to.
const BYTES_MIN: usize = 16 * 1024;

/// What the server is known to have of a client whose reports are in parts.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The longest report, in bytes.
    longest: usize,
    /// Reports in parts so far.
    turn: u64,
    /// By a hash of the counter's name.
    counters: FxHashMap<u64, Counter>,
    store: Option<StoreId>,
}

/// What one report says, as hashes of names and values.
pub(super) type Sent = Vec<(u64, u64)>;

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// A hash of the value that the server acknowledged.
    acknowledged: Option<u64>,
    /// When it was last sent, in turns.
    sent: u64,
}

/// What is counted; first come those that runs depend on.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Operations,
    Points,
    Evaluations,
}

/// One counter on its way into a report.
struct Row<T> {
    name: u64,
    value: u64,
    bytes: usize,
    item: T,
}

/// A report in the making.
struct Parts<'o> {
    outbox: &'o mut Outbox,
    known: FxHashMap<u64, Counter>,
    room: usize,
    sent: Sent,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { longest: REPORT_PART_BYTES_MAX, turn: 0, counters: FxHashMap::default(), store: None }
    }
}

impl Outbox {
    /// The text of a report, or of as much of it as fits; and what it says, for [`Outbox::acknowledged`].
    pub(super) fn write(&mut self, mut report: Report) -> Result<(Vec<u8>, Sent), serde_json::Error> {
        let whole = serde_json::to_vec(&report)?;
        if whole.len() <= self.longest {
            self.counters.clear();
            return Ok((whole, Sent::new()));
        }
        drop(whole);
        let arms = std::mem::take(&mut report.arms);
        let operations = std::mem::take(&mut report.operations);
        let points = std::mem::take(&mut report.points);
        let evaluations = std::mem::take(&mut report.evaluations);
        // The names of the fields that are missing now have room in this.
        let rest = serde_json::to_vec(&report)?.len() + 100;
        self.turn += 1;
        let known = std::mem::take(&mut self.counters);
        let room = self.longest.saturating_sub(rest);
        let mut parts = Parts { outbox: self, known, room, sent: Sent::new() };
        let whole = together(operations, arms);
        for (name, (counts, arms)) in parts.take(Kind::Operations, whole.into_iter(), room / 2)? {
            report.operations.extend(counts.map(|counts| (name, counts)));
            report.arms.extend(arms);
        }
        let half = parts.room / 2;
        report.points = parts.take(Kind::Points, points.into_iter(), half)?.into_iter().collect();
        let all = parts.room;
        report.evaluations = parts.take(Kind::Evaluations, evaluations.into_iter(), all)?.into_iter().collect();
        let sent = parts.sent;
        Ok((serde_json::to_vec(&report)?, sent))
    }

    /// The server has taken in what a report said, and stands in this store; perhaps it is the first that it has of us.
    pub(super) fn acknowledged(&mut self, sent: Sent, store: StoreId, first: bool) {
        if self.store.replace(store) != Some(store) || first {
            // Another server, or one that began anew: what the one before knew is worth nothing.
            self.counters.values_mut().for_each(|counter| counter.acknowledged = None);
        }
        for (name, value) in sent {
            if let Some(counter) = self.counters.get_mut(&name) {
                counter.acknowledged = Some(value);
            }
        }
    }

    /// The server, or something on the way to it, takes only shorter ones.
    pub(super) fn refused_as_too_long(&mut self, bytes: usize) {
        self.longest = (self.longest.min(bytes) / 2).max(BYTES_MIN);
        tracing::warn!(bytes = self.longest, "a report was refused as too long; they are shorter from here on");
    }
}

/// The requests of an operation with the arms of its runs: the server takes shares of these, so none of them may come
/// without the others.
type Whole = (Option<OperationCounts>, Vec<ArmCounts>);

fn together(operations: BTreeMap<String, OperationCounts>, arms: Vec<ArmCounts>) -> BTreeMap<String, Whole> {
    let counted = operations.into_iter().map(|(name, counts)| (name, (Some(counts), Vec::new())));
    let mut whole: BTreeMap<String, Whole> = counted.collect();
    for arm in arms {
        whole.entry(arm.operation.clone()).or_default().1.push(arm);
    }
    whole
}

impl Parts<'_> {
    /// Takes as many counters of a kind as fit into this many bytes.
    fn take<N: Serialize, V: Serialize>(
        &mut self,
        kind: Kind,
        items: impl Iterator<Item = (N, V)>,
        room: usize,
    ) -> Result<Vec<(N, V)>, serde_json::Error> {
        let mut rows = Vec::new();
        for item in items {
            let (name, value) = (serde_json::to_vec(&(kind as u8, &item.0))?, serde_json::to_vec(&item.1)?);
            let bytes = name.len() + value.len();
            rows.push(Row { name: xxh3_64(&name), value: xxh3_64(&value), bytes, item });
        }
        let known = &self.known;
        rows.sort_by_cached_key(|row| {
            let counter = known.get(&row.name).copied().unwrap_or_default();
            (counter.acknowledged == Some(row.value), counter.sent)
        });
        let mut room = room.min(self.room);
        let mut taken = Vec::new();
        for row in rows {
            let mut counter = self.known.get(&row.name).copied().unwrap_or_default();
            // One that is too large for its kind's share may have all that is left.
            if row.bytes <= room || (taken.is_empty() && row.bytes <= self.room) {
                room = room.saturating_sub(row.bytes);
                self.room -= row.bytes;
                counter.sent = self.outbox.turn;
                self.sent.push((row.name, row.value));
                taken.push(row.item);
            }
            self.outbox.counters.insert(row.name, counter);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use daybreak_model::wire::{ClientState, Evaluations, FaultSupport, Metric, PointCounts, Sdk};
    use daybreak_model::{Arm, InstanceId, Key, RunId};

    use super::*;

    /// With parts that are short enough for a test.
    fn outbox() -> Outbox {
        Outbox { longest: 4 * BYTES_MIN, ..Outbox::default() }
    }

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    fn store(id: u64) -> StoreId {
        StoreId::new(id)
    }

    /// A report of so many flags, each evaluated so often.
    fn report(flags: usize, count: u64) -> Report {
        let evaluations = |number| {
            let variants = BTreeMap::from([(key("on"), count)]);
            (key(&format!("flag-with-some-name-{number}")), Evaluations { variants, errors: 0 })
        };
        Report {
            client: InstanceId::new(1),
            sequence: 1,
            service: "shop".into(),
            environment: None,
            sdk: Sdk { name: "test".into(), version: "1".into() },
            level: 1,
            position: None,
            position_age: None,
            state: ClientState::Streaming,
            faults: FaultSupport::default(),
            runs: Vec::new(),
            unsupported: Vec::new(),
            operations: BTreeMap::new(),
            points: BTreeMap::new(),
            arms: Vec::new(),
            slos: Vec::new(),
            keys: Vec::new(),
            evaluations: (0..flags).map(evaluations).collect(),
            unknown_flags: BTreeMap::new(),
            goodbye: false,
        }
    }

    /// Writes a report, and has it acknowledged or lost; what came through.
    fn send(outbox: &mut Outbox, report: &Report, acknowledged: bool) -> Report {
        let (text, sent) = outbox.write(report.clone()).unwrap();
        assert!(text.len() <= outbox.longest, "{} bytes", text.len());
        if acknowledged {
            outbox.acknowledged(sent, store(1), false);
        }
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn a_short_report_says_everything_each_time() {
        let mut outbox = outbox();
        let report = report(500, 1);
        for acknowledged in [true, false, true] {
            assert_eq!(send(&mut outbox, &report, acknowledged), report);
        }
    }

    #[test]
    fn what_does_not_fit_comes_with_the_next_ones() {
        let mut outbox = outbox();
        let report = report(2_000, 1);
        let (mut heard, mut reports) = (BTreeMap::new(), 0_usize);
        while heard.len() < report.evaluations.len() {
            let part = send(&mut outbox, &report, true);
            let before = heard.len();
            heard.extend(part.evaluations);
            assert!(heard.len() > before, "each has its turn");
            reports += 1;
        }
        let shortest = serde_json::to_vec(&report).unwrap().len().div_ceil(outbox.longest);
        assert!(reports <= shortest + 1, "{reports} reports where {shortest} would do");
        assert_eq!(heard, report.evaluations);
    }

    #[test]
    fn what_changed_comes_first_and_a_lost_report_loses_nothing() {
        let mut outbox = outbox();
        let mut report = report(4_000, 1);
        while outbox.counters.values().any(|counter| counter.acknowledged.is_none()) || outbox.counters.is_empty() {
            send(&mut outbox, &report, true);
        }
        let changed: BTreeSet<Key> = report.evaluations.keys().step_by(100).cloned().collect();
        for flag in &changed {
            report.evaluations.get_mut(flag).unwrap().errors = 7;
        }
        let says_all =
            |part: &Report| changed.iter().all(|flag| part.evaluations.get(flag) == report.evaluations.get(flag));
        assert!(says_all(&send(&mut outbox, &report, false)), "the first one was lost");
        assert!(says_all(&send(&mut outbox, &report, true)));
        let next: BTreeSet<Key> = send(&mut outbox, &report, true).evaluations.into_keys().collect();
        assert!(!next.is_empty() && next.is_disjoint(&changed), "then the others, in turn");
    }

    #[test]
    fn who_does_not_know_it_is_told_everything_again() {
        for (store, first) in [(store(2), false), (store(1), true)] {
            told_again(store, first);
        }
    }

    fn told_again(store: StoreId, first: bool) {
        let mut outbox = outbox();
        let report = report(2_000, 1);
        for _ in 0..5 {
            send(&mut outbox, &report, true);
        }
        assert!(outbox.counters.values().all(|counter| counter.acknowledged.is_some()));
        let (_, sent) = outbox.write(report).unwrap();
        let said = sent.len();
        outbox.acknowledged(sent, store, first);
        let known = outbox.counters.values().filter(|counter| counter.acknowledged.is_some()).count();
        assert_eq!(known, said, "it knows only what it was told itself");
    }

    #[test]
    fn no_kind_keeps_another_from_having_its_turn() {
        let mut outbox = outbox();
        let mut report = report(2_000, 1);
        let operation = |number: usize| format!("GET /{}/{number}", "x".repeat(100));
        for number in 0..50 {
            report.operations.insert(operation(number), OperationCounts { requests: 1, open: 1 });
            let counts = BTreeMap::from([(Metric::Requests, 1)]);
            for run in 0..10 {
                let (operation, counts) = (operation(number), counts.clone());
                report.arms.push(ArmCounts {
                    run: RunId::new(run),
                    stage: 0,
                    arm: Arm::Treated,
                    operation,
                    counts,
                    latency: BTreeMap::new(),
                    keys: None,
                });
            }
        }
        let requests: BTreeMap<String, u64> = (0..50).map(|number| (operation(number), 1)).collect();
        for point in 0..50 {
            let counts = PointCounts { passes: 1, unscoped: 0, requests: requests.clone(), permitted: true };
            report.points.insert(key(&format!("point-{point}")), counts);
        }
        let (mut arms, mut operations, mut points, mut flags) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for sequence in 0..40_u64 {
            // Everything changes all the time.
            report.operations.values_mut().for_each(|counts| counts.requests = sequence);
            report.points.values_mut().for_each(|counts| counts.passes = sequence);
            report.evaluations.values_mut().for_each(|evaluations| evaluations.errors = sequence);
            let part = send(&mut outbox, &report, true);
            for operation in part.operations.keys() {
                let of = |report: &Report| report.arms.iter().filter(|arm| arm.operation == *operation).count();
                assert_eq!(of(&part), of(&report), "no share is taken of a part");
            }
            arms.extend(part.arms.into_iter().map(|arm| (arm.run, arm.operation)));
            operations.extend(part.operations.into_keys());
            points.extend(part.points.into_keys());
            flags.extend(part.evaluations.into_keys());
        }
        assert_eq!((arms.len(), operations.len(), points.len(), flags.len()), (500, 50, 50, 2_000));
    }

    #[test]
    fn a_server_that_takes_only_short_ones_gets_short_ones() {
        let mut outbox = outbox();
        let report = report(1_000, 1);
        for _ in 0..20 {
            outbox.refused_as_too_long(usize::MAX);
        }
        assert_eq!(outbox.longest, BYTES_MIN);
        assert!(!send(&mut outbox, &report, true).evaluations.is_empty());
        let huge = Report { evaluations: BTreeMap::new(), ..report.clone() };
        let name = key(&"x".repeat(100));
        let variants: BTreeMap<Key, u64> = (0..10_000).map(|number| (key(&format!("v{number}")), 1)).collect();
        let huge = Report { evaluations: [(name, Evaluations { variants, errors: 0 })].into(), ..huge };
        assert!(send(&mut outbox, &huge, true).evaluations.is_empty(), "what never fits holds nothing up");
    }
}
