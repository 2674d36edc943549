//! What a memory store holds. Everything here happens under one lock, so nothing is ever seen half done.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use daybreak_model::Millis;
use daybreak_model::wire::Position;
use jiff::Timestamp;
use serde_json::Value;

use crate::backup::{Head, Line, Pieces};
use crate::lead::Leaders;
use crate::time::{earlier, later};
use crate::{
    Change, Commit, Contents, Delivery, Event, EventFilter, EventOrder, EventPage, Expected, Halt, RecordedEvent,
    ReportBucket, Retention, StoreError, Stored,
};

#[derive(Debug)]
pub(super) struct State {
    contents: Contents,
    events: VecDeque<RecordedEvent>,
    retention: Retention,
    next_event: u64,
    latest_event: Timestamp,
    reports: BTreeMap<(String, Timestamp), ReportBucket>,
    pub(super) leaders: Leaders,
    outbox: BTreeMap<u64, Delivery>,
    next_message: u64,
    notes: BTreeMap<String, Value>,
}

impl State {
    pub(super) fn new(position: Position, retention: Retention) -> Self {
        Self {
            contents: Contents::empty(position),
            events: VecDeque::new(),
            retention,
            next_event: 1,
            latest_event: Timestamp::MIN,
            reports: BTreeMap::new(),
            leaders: Leaders::default(),
            outbox: BTreeMap::new(),
            next_message: 1,
            notes: BTreeMap::new(),
        }
    }

    pub(super) fn position(&self) -> Position {
        self.contents.position
    }

    pub(super) fn contents(&self) -> Contents {
        self.contents.clone()
    }

    pub(super) fn expect(&self, expected: Expected) -> Result<(), StoreError> {
        expected.check(self.contents.position)
    }

    pub(super) fn commit(&mut self, change: Change) -> Commit {
        let at = self.contents.position;
        let position = Position { revision: at.revision + 1, ..at };
        self.append(change.events.iter().cloned(), Some(position.revision));
        for message in change.outbox.iter().cloned() {
            let id = self.next_message;
            self.next_message += 1;
            self.outbox.insert(id, Delivery { id, attempts: 0, message });
        }
        let commit = Commit { position, change };
        self.contents.apply(&commit);
        commit
    }

    pub(super) fn append(&mut self, events: impl IntoIterator<Item = Event>, revision: Option<u64>) {
        for event in events {
            self.latest_event = self.latest_event.max(event.at);
            self.events.push_back(RecordedEvent { id: self.next_event, revision, event });
            self.next_event += 1;
        }
        let oldest = earlier(self.latest_event, self.retention.age);
        let too_old = |recorded: &RecordedEvent| recorded.event.at < oldest;
        while self.events.len() > self.retention.events || self.events.front().is_some_and(too_old) {
            self.events.pop_front();
        }
    }

    pub(super) fn events(&self, filter: &EventFilter, limit: usize) -> EventPage {
        let events: Box<dyn Iterator<Item = &RecordedEvent>> = match filter.order {
            EventOrder::LatestFirst => Box::new(self.events.iter().rev()),
            EventOrder::OldestFirst => Box::new(self.events.iter()),
        };
        let mut wanted = events.filter(|recorded| filter.matches(recorded));
        let events: Vec<_> = wanted.by_ref().take(limit).cloned().collect();
        let next = wanted.next().and(events.last()).map(|last| last.id);
        EventPage { events, next }
    }

    pub(super) fn put_reports(&mut self, buckets: Vec<ReportBucket>, keep_from: Timestamp) {
        for bucket in buckets {
            let (first, keep) = ((bucket.series.clone(), Timestamp::MIN), (bucket.series.clone(), keep_from));
            self.reports.insert((bucket.series.clone(), bucket.start), bucket);
            let old: Vec<_> = self.reports.range(first..keep).map(|(at, _)| at.clone()).collect();
            old.iter().for_each(|at| drop(self.reports.remove(at)));
        }
    }

    pub(super) fn reports(&self, series: &str, from: Timestamp, until: Timestamp) -> Vec<ReportBucket> {
        if from >= until {
            return Vec::new();
        }
        let range = (series.to_owned(), from)..(series.to_owned(), until);
        self.reports.range(range).map(|(_, bucket)| bucket.clone()).collect()
    }

    pub(super) fn take(&mut self, limit: usize, now: Timestamp, hold: Millis) -> Vec<Delivery> {
        let due = self.outbox.values_mut().filter(|delivery| delivery.message.at <= now).take(limit);
        due.map(|delivery| {
            let taken = delivery.clone();
            delivery.attempts += 1;
            delivery.message.at = later(now, hold);
            taken
        })
        .collect()
    }

    pub(super) fn acknowledge(&mut self, ids: &[u64]) {
        for id in ids {
            self.outbox.remove(id);
        }
    }

    pub(super) fn put_notes(&mut self, notes: BTreeMap<String, Option<Value>>) {
        for (name, note) in notes {
            match note {
                Some(note) => drop(self.notes.insert(name, note)),
                None => drop(self.notes.remove(&name)),
            }
        }
    }

    pub(super) fn notes(&self, prefix: &str) -> BTreeMap<String, Value> {
        let from = self.notes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let wanted = from.take_while(|(name, _)| name.starts_with(prefix));
        wanted.map(|(name, note)| (name.clone(), note.clone())).collect()
    }

    /// Everything, as the pieces of a backup.
    pub(super) fn backup(&self, halt: Option<Halt>) -> Result<Vec<Vec<u8>>, serde_json::Error> {
        let mut written = Vec::new();
        let mut pieces = Pieces::new(|piece| {
            written.push(piece);
            Ok::<_, serde_json::Error>(())
        });
        pieces.push(&Line::DaybreakBackup(Head::new(self.position(), self.next_event, self.next_message)))?;
        let Contents { resources, runs, meta, .. } = self.contents();
        let resources = resources.into_iter().map(|((kind, key), Stored { revision, document })| Line::Resource {
            kind,
            key,
            revision,
            document,
        });
        let runs = runs.into_iter().map(|(id, Stored { revision, document })| Line::Run { id, revision, document });
        let meta =
            meta.into_iter().map(|(name, Stored { revision, document })| Line::Meta { name, revision, document });
        let notes = self.notes.clone().into_iter().map(|(name, note)| Line::Note { name, note });
        let events = self.events.iter().cloned().map(Line::Event);
        let reports = self.reports.values().cloned().map(Line::Report);
        let outbox = self.outbox.values().cloned().map(Line::Message);
        let lines = resources.chain(runs).chain(meta).chain(notes).chain(events).chain(reports).chain(outbox);
        lines.chain(halt.map(Line::Halt)).try_for_each(|line| pieces.push(&line))?;
        pieces.finish()?;
        Ok(written)
    }
}
