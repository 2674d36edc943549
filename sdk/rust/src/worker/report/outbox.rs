//! Reports of bounded length.
//!
//! A report says everything, as long as it is short enough: so a server that begins anew learns of a client by one
//! report. One that would be longer says in parts what it has to: first the rows that changed since the server
//! acknowledged them, of those the ones that have waited longest; then, where there is room, the others in turn. The
//! arms of active runs come before all others, and those of ended runs come the younger the sooner. Counters are
//! cumulative, so one that is left out is only late.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::limits::REPORT_PART_BYTES_MAX;
use daybreak_model::wire::{ArmCounts, Metric, OperationCounts, Report, SloCounts, StoreId};
use daybreak_model::{Key, RunId};
use rustc_hash::FxHashMap;

use rows::{Kind, Row, rows};

/// The shortest bound that a server which refuses a report as too long brings us to.
const BYTES_MIN: usize = 16 * 1024;
/// In one of so many parts, ended runs come before active ones, if they have something new: so they are heard in time
/// for their verdict, whatever the others have to say.
const ENDED_FIRST: u64 = 4;
/// The names of the fields that a report in parts has beside its rows.
const FIELD_NAMES: usize = 120;

/// What the server is known to have of a client whose reports are in parts.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The longest report, in bytes.
    longest: usize,
    /// Reports in parts so far.
    turn: u64,
    /// By a hash of the row's name.
    counters: FxHashMap<u64, Counter>,
    /// What a server acknowledged of SLOs, by their revision.
    slos: BTreeMap<(Key, u64), BTreeMap<Metric, u64>>,
    store: Option<StoreId>,
}

/// What one report says.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Rows of a report in parts, as hashes of names and values.
    rows: Vec<(u64, u64)>,
    slos: Vec<SloCounts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// A hash of the value that the server acknowledged.
    acknowledged: Option<u64>,
    /// When it was last sent, in turns.
    sent: u64,
}

/// A report in the making.
struct Parts<'o> {
    outbox: &'o mut Outbox,
    known: FxHashMap<u64, Counter>,
    room: usize,
    sent: Vec<(u64, u64)>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            longest: REPORT_PART_BYTES_MAX,
            turn: 0,
            counters: FxHashMap::default(),
            slos: BTreeMap::new(),
            store: None,
        }
    }
}

impl Outbox {
    /// The text of a report, or of as much of it as fits; and what it says, for [`Outbox::acknowledged`].
    pub(super) fn write(&mut self, mut report: Report) -> Result<(Vec<u8>, Sent), serde_json::Error> {
        self.say_what_is_acknowledged(&mut report.slos);
        let whole = serde_json::to_vec(&report)?;
        if whole.len() <= self.longest {
            self.counters.clear();
            return Ok((whole, Sent { rows: Vec::new(), slos: report.slos }));
        }
        drop(whole);
        let all = Report {
            arms: std::mem::take(&mut report.arms),
            operations: std::mem::take(&mut report.operations),
            slos: std::mem::take(&mut report.slos),
            points: std::mem::take(&mut report.points),
            evaluations: std::mem::take(&mut report.evaluations),
            ..report.clone()
        };
        let mut rest = serde_json::to_vec(&report)?.len() + FIELD_NAMES;
        if rest > self.longest / 4 {
            // Values of attributes are for admission; they come again when there is less to say.
            report.keys.clear();
            rest = serde_json::to_vec(&report)?.len() + FIELD_NAMES;
        }
        self.turn += 1;
        let known = std::mem::take(&mut self.counters);
        let mut parts = Parts { room: self.longest.saturating_sub(rest), outbox: self, known, sent: Vec::new() };
        parts.fill(&mut report, all)?;
        let rows = parts.sent;
        Ok((serde_json::to_vec(&report)?, Sent { rows, slos: report.slos }))
    }

    /// A server that does not know this client counts what no other has acknowledged. What is measured no longer is forgotten.
    fn say_what_is_acknowledged(&mut self, slos: &mut [SloCounts]) {
        let measured: BTreeSet<_> = slos.iter().map(|slo| (&slo.slo, slo.revision)).collect();
        self.slos.retain(|(slo, revision), _| measured.contains(&(slo, *revision)));
        for slo in slos {
            let acknowledged = self.slos.get(&(slo.slo.clone(), slo.revision));
            if acknowledged != Some(&slo.counts) {
                slo.acknowledged = Some(acknowledged.cloned().unwrap_or_default());
            }
        }
    }

    /// The server has taken in what a report said, and stands in this store; perhaps it is the first that it has of us.
    pub(super) fn acknowledged(&mut self, sent: Sent, store: StoreId, first: bool) {
        if self.store.replace(store) != Some(store) || first {
            // Another server, or one that began anew: what the one before knew is worth nothing.
            self.counters.values_mut().for_each(|counter| counter.acknowledged = None);
        }
        for slo in sent.slos {
            self.slos.insert((slo.slo, slo.revision), slo.counts);
        }
        for (name, value) in sent.rows {
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

/// Both arms of one run, in one of its stages and one operation: as little of a run as can be judged.
type Stage = ((RunId, u32, String), Vec<ArmCounts>);

/// In the order of their runs, which is that of what matters.
fn stages(arms: Vec<ArmCounts>) -> Vec<(usize, Stage)> {
    let mut ranks: BTreeMap<RunId, usize> = BTreeMap::new();
    let mut stages: BTreeMap<_, Vec<ArmCounts>> = BTreeMap::new();
    for arm in arms {
        let next = ranks.len();
        ranks.entry(arm.run).or_insert(next);
        stages.entry((arm.run, arm.stage, arm.operation.clone())).or_default().push(arm);
    }
    let ranked = stages.into_iter().map(|stage| (ranks.get(&stage.0.0).copied().unwrap_or_default(), stage));
    ranked.collect()
}

impl Parts<'_> {
    /// Fills a report that says nothing so far with as much of all as fits. Each kind may have a share of what is left.
    fn fill(&mut self, report: &mut Report, mut all: Report) -> Result<(), serde_json::Error> {
        let active: BTreeSet<RunId> = report.runs.iter().copied().collect();
        let ended_first = self.outbox.turn.is_multiple_of(ENDED_FIRST);
        let rank = |(order, stage): (usize, Stage)| match active.contains(&stage.0.0) {
            true => (if ended_first { usize::MAX } else { 0 }, stage),
            false => (order + 1, stage),
        };
        let stages = stages(all.arms).into_iter().map(rank).collect();
        report.arms = self.take_stages(stages, &mut all.operations, report, self.room / 4 * 3)?;
        let operations = rows(Kind::Operations, all.operations)?;
        report.operations.extend(self.take(operations, self.room / 2));
        let slos = all.slos.into_iter().map(|slo| (slo.slo.clone(), slo));
        report.slos = self.take(rows(Kind::Slos, slos)?, self.room / 2).into_iter().map(|(_, slo)| slo).collect();
        report.points = self.take(rows(Kind::Points, all.points)?, self.room / 2).into_iter().collect();
        report.evaluations = self.take(rows(Kind::Evaluations, all.evaluations)?, self.room).into_iter().collect();
        Ok(())
    }

    /// Takes arms, and with them the requests of their operations: the server takes shares of these.
    fn take_stages(
        &mut self,
        stages: Vec<(usize, Stage)>,
        operations: &mut BTreeMap<String, OperationCounts>,
        report: &mut Report,
        room: usize,
    ) -> Result<Vec<ArmCounts>, serde_json::Error> {
        let (ranks, stages): (Vec<_>, Vec<_>) = stages.into_iter().unzip();
        let mut with_operations = Vec::new();
        for (row, rank) in rows(Kind::Stages, stages)?.into_iter().zip(ranks) {
            let (_, _, operation) = &row.item.0;
            let own = operations.get(operation).map(|counts| (operation.clone(), *counts));
            let beside = rows(Kind::Operations, own)?.first().map_or(0, |row| row.bytes);
            with_operations.push(Row { rank, bytes: row.bytes + beside, beside, ..row });
        }
        let taken = self.take_rows(with_operations, room);
        // Several of one operation have each left room for it.
        self.room += taken.iter().map(|row| row.beside).sum::<usize>();
        let names = taken.iter().map(|row| row.item.0.2.as_str());
        let beside: BTreeMap<_, _> = names.filter_map(|name| operations.remove_entry(name)).collect();
        report.operations.extend(self.take(rows(Kind::Operations, beside)?, self.room));
        Ok(taken.into_iter().flat_map(|row| row.item.1).collect())
    }

    fn take<N, V>(&mut self, rows: Vec<Row<(N, V)>>, room: usize) -> Vec<(N, V)> {
        self.take_rows(rows, room).into_iter().map(|row| row.item).collect()
    }

    /// Takes as many rows of a kind as fit into this many bytes.
    fn take_rows<T>(&mut self, mut rows: Vec<Row<T>>, room: usize) -> Vec<Row<T>> {
        let known = &self.known;
        rows.sort_by_cached_key(|row| {
            let counter = known.get(&row.name).copied().unwrap_or_default();
            (counter.acknowledged == Some(row.value), row.rank, counter.sent)
        });
        let mut room = room.min(self.room);
        let mut taken = Vec::new();
        for row in rows {
            let mut counter = self.known.get(&row.name).copied().unwrap_or_default();
            let name = row.name;
            // One that is too large for its kind's share may have all that is left.
            if row.bytes <= room || (taken.is_empty() && row.bytes <= self.room) {
                room = room.saturating_sub(row.bytes);
                self.room -= row.bytes;
                counter.sent = self.outbox.turn;
                self.sent.push((row.name, row.value));
                taken.push(row);
            }
            self.outbox.counters.insert(name, counter);
        }
        taken
    }
}
