//! What a memory store holds. Everything here happens under one lock, so nothing is ever seen half done.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use daybreak_model::Millis;
use daybreak_model::wire::Position;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    Change, Commit, Contents, Delivery, Event, EventFilter, EventPage, Expected, Leadership, LeadershipRequest,
    RecordedEvent, ReportBucket, Retention, StoreError,
};

#[derive(Debug)]
pub(super) struct State {
    contents: Contents,
    /// The latest commits, in order: watches read them.
    commits: VecDeque<Commit>,
    commits_max: usize,
    events: VecDeque<RecordedEvent>,
    retention: Retention,
    next_event: u64,
    latest_event: Timestamp,
    reports: BTreeMap<(String, Timestamp), ReportBucket>,
    leaders: BTreeMap<String, Leader>,
    outbox: BTreeMap<u64, Delivery>,
    next_message: u64,
    notes: BTreeMap<String, Value>,
}

#[derive(Debug)]
struct Leader {
    holder: String,
    term: u64,
    until: Timestamp,
}

impl State {
    pub(super) fn new(position: Position, retention: Retention, commits_max: usize) -> Self {
        Self {
            contents: Contents::empty(position),
            commits: VecDeque::new(),
            commits_max,
            events: VecDeque::new(),
            retention,
            next_event: 1,
            latest_event: Timestamp::MIN,
            reports: BTreeMap::new(),
            leaders: BTreeMap::new(),
            outbox: BTreeMap::new(),
            next_message: 1,
            notes: BTreeMap::new(),
        }
    }

    pub(super) fn contents(&self) -> Contents {
        self.contents.clone()
    }

    pub(super) fn commit(&mut self, expected: Expected, change: Change) -> Result<Position, StoreError> {
        let at = self.contents.position;
        if matches!(expected, Expected::Revision(revision) if revision != at.revision) {
            return Err(StoreError::Conflict { at });
        }
        let position = Position { revision: at.revision + 1, ..at };
        self.append(change.events.clone(), Some(position.revision));
        for message in change.outbox.iter().cloned() {
            let id = self.next_message;
            self.next_message += 1;
            self.outbox.insert(id, Delivery { id, attempts: 0, message });
        }
        let commit = Commit { position, change };
        self.contents.apply(&commit);
        self.commits.push_back(commit);
        while self.commits.len() > self.commits_max {
            self.commits.pop_front();
        }
        Ok(position)
    }

    /// The commit right after a revision; none if it is still to come.
    pub(super) fn commit_after(&self, revision: u64) -> Result<Option<Commit>, StoreError> {
        let at = self.contents.position;
        if revision > at.revision {
            return Err(StoreError::Ahead { at });
        }
        let oldest = at.revision + 1 - self.commits.len() as u64;
        let index = (revision + 1).checked_sub(oldest).ok_or(StoreError::Behind { oldest })?;
        Ok(usize::try_from(index).ok().and_then(|index| self.commits.get(index)).cloned())
    }

    pub(super) fn append(&mut self, events: Vec<Event>, revision: Option<u64>) {
        for event in events {
            self.latest_event = self.latest_event.max(event.at);
            self.events.push_back(RecordedEvent { id: self.next_event, revision, event });
            self.next_event += 1;
        }
        let oldest = self.latest_event.checked_sub(duration(self.retention.age)).unwrap_or(Timestamp::MIN);
        let too_old = |recorded: &RecordedEvent| recorded.event.at < oldest;
        while self.events.len() > self.retention.events || self.events.front().is_some_and(too_old) {
            self.events.pop_front();
        }
    }

    pub(super) fn events(&self, filter: &EventFilter, limit: usize) -> EventPage {
        let mut wanted = self.events.iter().rev().filter(|recorded| filter.matches(recorded));
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

    pub(super) fn lead(&mut self, request: LeadershipRequest) -> Leadership {
        let LeadershipRequest { name, holder, now, hold } = request;
        let until = later(now, hold);
        let known = self.leaders.get(&name);
        let term = match known {
            Some(leader) if leader.holder == holder && now < leader.until => leader.term,
            Some(leader) if now < leader.until => {
                return Leadership::Follower { leader: leader.holder.clone(), until: leader.until };
            }
            known => known.map_or(0, |leader| leader.term) + 1,
        };
        self.leaders.insert(name, Leader { holder, term, until });
        Leadership::Leader { term, confirmed_at: now }
    }

    pub(super) fn resign(&mut self, name: &str, holder: &str) {
        if let Some(leader) = self.leaders.get_mut(name).filter(|leader| leader.holder == holder) {
            // Kept, so that the next term is a new one.
            leader.until = Timestamp::MIN;
        }
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
}

fn duration(millis: Millis) -> SignedDuration {
    SignedDuration::try_from(millis.to_duration()).unwrap_or(SignedDuration::MAX)
}

fn later(now: Timestamp, by: Millis) -> Timestamp {
    now.checked_add(duration(by)).unwrap_or(Timestamp::MAX)
}
