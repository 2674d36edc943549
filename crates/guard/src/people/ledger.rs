//! What is remembered of pages and incidents: so much that a repeat is known as one, and no more than is bounded.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::Key;
use daybreak_model::limits::{PAGE_KEYS_MAX, PAGES_MAX, WORKS_MAX};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::page::Worked;
use super::unmatched::{Missed, unmatched_name};
use super::{
    Incident, KNOWN_FOR, KnownPage, OFF_HOURS_WINDOW, PAGES_WINDOW, Page, Received, Repeat, Source, Unmatched, Urgency,
    Work,
};
use crate::span::after;

/// When a source was last heard from is stored this often at most; a restart may forget as much.
const HEARD_STEP: SignedDuration = SignedDuration::from_secs(60);
/// A repeat so long after the last one is stored, so that a restart goes on knowing the page.
const SEEN_STEP: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered of all on-calls. It is a number of [`Record`]s, which are stored one by one.
#[derive(Clone, Debug, Default)]
pub struct People {
    pages: BTreeMap<u64, KnownPage>,
    incidents: BTreeMap<u64, Incident>,
    heard: BTreeMap<Heard, LastHeard>,
    /// The last page of each source that was of no on-call.
    pub(super) missed: BTreeMap<Source, Missed>,
    /// The pages by their keys.
    known: BTreeMap<(Key, String), u64>,
    /// The number of the next page or incident.
    next: u64,
    /// What a store does not have yet, or still has, by name.
    pub(super) unsaved: BTreeSet<String>,
}

/// Who was heard from; of what is posted for an on-call also for which.
type Heard = (Source, Option<Key>);

#[derive(Clone, Copy, Debug)]
struct LastHeard {
    at: Timestamp,
    /// When it last had to be stored.
    stored: Timestamp,
}

/// One thing that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A page.
    Page(KnownPage),
    /// An incident.
    Incident(Incident),
    /// When a source was last heard from.
    Heard {
        /// Which.
        source: Source,
        /// For which on-call, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_call: Option<Key>,
        /// When.
        at: Timestamp,
    },
    /// The last page of a source that was of no on-call.
    Unmatched(Unmatched),
}

impl People {
    /// What was stored, by name. A name that is none of its own is left out.
    pub fn restore(records: impl IntoIterator<Item = (String, Record)>) -> Self {
        let mut people = Self::default();
        for (name, record) in records {
            let number = name.split('-').next_back().and_then(|digits| u64::from_str_radix(digits, 16).ok());
            match (record, number) {
                (Record::Heard { source, on_call, at }, _) => {
                    people.heard.insert((source, on_call), LastHeard { at, stored: at });
                }
                (Record::Unmatched(last), _) => people.restore_unmatched(last),
                (Record::Page(page), Some(number)) => {
                    people.next = people.next.max(number.saturating_add(1));
                    people.index(number, &page);
                    people.pages.insert(number, page);
                }
                (Record::Incident(incident), Some(number)) => {
                    people.next = people.next.max(number.saturating_add(1));
                    people.incidents.insert(number, incident);
                }
                (_, None) => {}
            }
        }
        people
    }

    /// What is to be stored, or removed from the store, by name, since it was last [saved](Self::saved).
    #[must_use]
    pub fn unsaved(&self) -> BTreeMap<String, Option<Record>> {
        self.unsaved.iter().map(|name| (name.clone(), self.record(name))).collect()
    }

    /// The store has these now. What changed since it was asked for is not among them.
    pub fn saved(&mut self, stored: &BTreeMap<String, Option<Record>>) {
        let done: Vec<String> = stored
            .iter()
            .filter(|(name, record)| self.record(name) == **record)
            .map(|(name, _)| name.clone())
            .collect();
        self.unsaved.retain(|name| !done.contains(name));
    }

    /// Notes that a source was heard from, whatever it said; of an on-call where it is known of which.
    pub fn hear(&mut self, source: Source, on_call: Option<&Key>, now: Timestamp) {
        let who = (source, on_call.cloned());
        let stored = self.heard.get(&who).map(|last| last.stored);
        let stored = match stored.filter(|stored| now.duration_since(*stored).abs() < HEARD_STEP) {
            Some(stored) => stored,
            None => {
                self.unsaved.insert(heard_name(&who));
                now
            }
        };
        self.heard.insert(who, LastHeard { at: now, stored });
    }

    /// Takes a page, unless it is known.
    pub fn page(&mut self, page: Page, now: Timestamp) -> Received {
        if page.urgency == Urgency::Low {
            return Received::NotUrgent;
        }
        let known: Vec<u64> = page.keys.iter().filter_map(|key| self.number_of(&page.on_call, key)).collect();
        let repeats = match page.repeat {
            Repeat::AnyKnown => !known.is_empty(),
            Repeat::AllKnown => known.len() == page.keys.len(),
        };
        if let Some(number) = known.first().copied().filter(|_| repeats) {
            self.see(number, page.keys, now);
            return Received::Repeat;
        }
        let at = page.at.min(now);
        let mut keys = page.keys;
        keys.retain(|key| !self.known.contains_key(&(page.on_call.clone(), key.clone())));
        let keys = keys.into_iter().take(PAGE_KEYS_MAX).collect();
        let Page { source, on_call, title, .. } = page;
        let known = KnownPage { source, on_call: on_call.clone(), keys, at, received_at: now, seen_at: now, title };
        let number = self.number();
        self.index(number, &known);
        self.pages.insert(number, known);
        self.unsaved.insert(page_name(number));
        self.bound(&on_call, now);
        if after(at, PAGES_WINDOW) > now { Received::Counted } else { Received::TooOld }
    }

    /// Takes work on an incident; telling of the same again changes nothing. Whether it was new.
    pub fn work(&mut self, work: Work, now: Timestamp) -> bool {
        let Work { source, on_call, key, at, person, title, off_hours } = work;
        let worked = Worked { at: at.min(now), person, off_hours };
        let same =
            |incident: &Incident| (incident.source, &incident.on_call, &incident.key) == (source, &on_call, &key);
        let found = self.incidents.iter_mut().find(|(_, incident)| same(incident));
        if let Some((number, incident)) = found {
            let Err(place) = incident.works.binary_search(&worked) else { return false };
            incident.works.insert(place, worked);
            if incident.works.len() > WORKS_MAX {
                incident.works.remove(0);
            }
            incident.seen_at = incident.seen_at.max(now);
            self.unsaved.insert(incident_name(*number));
            return true;
        }
        let number = self.number();
        let incident = Incident { source, on_call: on_call.clone(), key, title, works: vec![worked], seen_at: now };
        self.incidents.insert(number, incident);
        self.unsaved.insert(incident_name(number));
        self.bound(&on_call, now);
        true
    }

    /// Forgets what counts no more, and would be no repeat any more. To be called now and then.
    pub fn forget(&mut self, now: Timestamp) {
        let is_old = |page: &&KnownPage| after(page.at, PAGES_WINDOW) <= now && after(page.seen_at, KNOWN_FOR) <= now;
        let old: Vec<u64> = self.pages.iter().filter(|(_, page)| is_old(page)).map(|(number, _)| *number).collect();
        old.into_iter().for_each(|number| self.forget_page(number));
        let is_over =
            |incident: &Incident| incident.works.last().is_none_or(|last| after(last.at, OFF_HOURS_WINDOW) <= now);
        let over: Vec<u64> =
            self.incidents.iter().filter(|(_, incident)| is_over(incident)).map(|(number, _)| *number).collect();
        over.into_iter().for_each(|number| self.forget_incident(number));
        self.forget_unmatched(now);
    }

    /// The number that the next page or incident gets. It only grows, as long as a server runs.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// How many pages of an on-call came since this was the [next](Self::next) number, and were no older than what counts.
    #[must_use]
    pub fn pages_since(&self, on_call: &Key, next: u64) -> usize {
        let since = self.pages.range(next..).map(|(_, page)| page);
        since.filter(|page| page.on_call == *on_call && after(page.at, PAGES_WINDOW) > page.received_at).count()
    }

    /// The pages of an on-call, in the order in which they were received.
    pub fn pages_of(&self, on_call: &Key) -> impl Iterator<Item = &KnownPage> {
        self.pages.values().filter(move |page| page.on_call == *on_call)
    }

    /// The incidents of an on-call, in the order in which they were first told of.
    pub fn incidents_of(&self, on_call: &Key) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(move |incident| incident.on_call == *on_call)
    }

    /// When a source was last heard from, as far as it concerns an on-call.
    #[must_use]
    pub fn last_heard(&self, source: Source, on_call: &Key) -> Option<Timestamp> {
        let of = match source {
            Source::Plain => Some(on_call.clone()),
            Source::Alertmanager | Source::Pagerduty => None,
        };
        self.heard.get(&(source, of)).map(|last| last.at)
    }

    fn number_of(&self, on_call: &Key, key: &str) -> Option<u64> {
        self.known.get(&(on_call.clone(), key.to_owned())).copied()
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = number.saturating_add(1);
        number
    }

    fn index(&mut self, number: u64, page: &KnownPage) {
        for key in &page.keys {
            self.known.insert((page.on_call.clone(), key.clone()), number);
        }
    }

    /// A page was told of again, perhaps with more that it is about.
    fn see(&mut self, number: u64, keys: BTreeSet<String>, now: Timestamp) {
        let Some(page) = self.pages.get_mut(&number) else { return };
        let mut is_changed = now.duration_since(page.seen_at) >= SEEN_STEP;
        if is_changed {
            page.seen_at = now;
        }
        for key in keys {
            let place = (page.on_call.clone(), key);
            if page.keys.len() < PAGE_KEYS_MAX && !self.known.contains_key(&place) {
                page.keys.insert(place.1.clone());
                self.known.insert(place, number);
                is_changed = true;
            }
        }
        if is_changed {
            self.unsaved.insert(page_name(number));
        }
    }

    /// Makes room: what counts no more goes first, then what was not told of for longest.
    fn bound(&mut self, on_call: &Key, now: Timestamp) {
        let counts = |page: &KnownPage| after(page.at, PAGES_WINDOW) > now;
        if self.pages_of(on_call).count() > PAGES_MAX {
            let of_it = self.pages.iter().filter(|(_, page)| page.on_call == *on_call);
            let least = of_it.min_by_key(|(_, page)| (counts(page), page.seen_at)).map(|(number, _)| *number);
            least.into_iter().for_each(|number| self.forget_page(number));
        }
        if self.incidents_of(on_call).count() > PAGES_MAX {
            let of_it = self.incidents.iter().filter(|(_, incident)| incident.on_call == *on_call);
            let least = of_it.min_by_key(|(_, incident)| incident.seen_at).map(|(number, _)| *number);
            least.into_iter().for_each(|number| self.forget_incident(number));
        }
    }

    fn forget_page(&mut self, number: u64) {
        let Some(page) = self.pages.remove(&number) else { return };
        for key in page.keys {
            self.known.remove(&(page.on_call.clone(), key));
        }
        self.unsaved.insert(page_name(number));
    }

    fn forget_incident(&mut self, number: u64) {
        self.incidents.remove(&number);
        self.unsaved.insert(incident_name(number));
    }

    /// What a name stands for now; none of what is gone.
    fn record(&self, name: &str) -> Option<Record> {
        let (kind, rest) = name.split_once('-')?;
        let number = || u64::from_str_radix(rest, 16).ok();
        match kind {
            "page" => self.pages.get(&number()?).cloned().map(Record::Page),
            "incident" => self.incidents.get(&number()?).cloned().map(Record::Incident),
            "unmatched" => {
                let mut missed = self.missed.iter();
                missed
                    .find(|(source, _)| unmatched_name(**source) == name)
                    .map(|(_, one)| Record::Unmatched(one.last.clone()))
            }
            _ => self.heard.iter().find(|(who, _)| heard_name(who) == name).map(|(who, last)| {
                let (source, on_call) = who.clone();
                Record::Heard { source, on_call, at: last.at }
            }),
        }
    }
}

fn page_name(number: u64) -> String {
    format!("page-{number:016x}")
}

fn incident_name(number: u64) -> String {
    format!("incident-{number:016x}")
}

fn heard_name((source, on_call): &Heard) -> String {
    on_call.as_ref().map_or_else(|| format!("heard-{source}"), |on_call| format!("heard-{source}-{on_call}"))
}
