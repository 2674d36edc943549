//! Flags that are asked for and are not there.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use daybreak_guard::clients::SHOWN_AFTER_SILENCE;
use daybreak_model::limits::UNKNOWN_FLAGS_OF_CLIENT_MAX;
use daybreak_model::wire::Report;
use daybreak_model::{InstanceId, Key, shown_name};
use jiff::Timestamp;
use serde::Serialize;

/// Names that are kept.
const NAMES_MAX: usize = 1_000;
/// Services that are kept of one name.
const SERVICES_MAX: usize = 10;
/// Counts of clients that are kept, to tell how much they grew.
const COUNTS_MAX: usize = 100_000;
/// How often counts are forgotten, where there is no room for more.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Under what those are counted who ask by OFREP: they name no service.
const OFREP: &str = "OFREP";

/// Flags that are asked for and are not there. It begins anew with the server.
#[derive(Debug, Default)]
pub(super) struct UnknownFlags {
    names: HashMap<String, Asked>,
    /// What clients counted, by client and a hash of the name; and when that was last heard.
    counts: HashMap<(InstanceId, u64), (u64, Duration)>,
    swept: Option<Duration>,
    hasher: RandomState,
}

#[derive(Clone, Debug)]
struct Asked {
    count: u64,
    services: BTreeSet<String>,
    first: Timestamp,
    last: Timestamp,
}

/// A flag that is asked for and is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownFlag {
    /// What it was asked for as; characters that could do anything on a terminal are replaced.
    pub name: String,
    /// How often, about, since the server's start.
    pub count: u64,
    /// The services that ask; `OFREP` for those that ask by it. Ten at most.
    pub services: BTreeSet<String>,
    /// When that was first heard of.
    pub first_asked_at: Timestamp,
    /// When it was last.
    pub last_asked_at: Timestamp,
    /// The flag that was perhaps meant.
    pub near: Option<Key>,
}

impl UnknownFlags {
    /// Takes in what a client asked for. No more is taken of one client than a client tells. Of a client that was not heard
    /// from its start, what it tells for the first time may be from long ago, and only what it grows by counts.
    pub(super) fn take_in(&mut self, report: &Report, from_its_start: bool, now: Timestamp, elapsed: Duration) {
        for (name, count) in report.unknown_flags.iter().take(UNKNOWN_FLAGS_OF_CLIENT_MAX) {
            let place = (report.client, self.hasher.hash_one(name));
            if self.counts.len() >= COUNTS_MAX && !self.counts.contains_key(&place) {
                self.sweep(elapsed);
                if self.counts.len() >= COUNTS_MAX {
                    continue;
                }
            }
            let first = if from_its_start { 0 } else { *count };
            let (told, heard) = self.counts.entry(place).or_insert((first, elapsed));
            let more = count.saturating_sub(*told);
            // A report that was overtaken takes nothing back.
            (*told, *heard) = ((*told).max(*count), (*heard).max(elapsed));
            self.add(name, &report.service, more, now);
        }
    }

    /// Forgets the counts of clients that are gone. It looks at every one, so it is not done for each report.
    fn sweep(&mut self, elapsed: Duration) {
        if self.swept.is_some_and(|swept| elapsed.saturating_sub(swept) < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(elapsed);
        let shown = SHOWN_AFTER_SILENCE.to_duration();
        self.counts.retain(|_, (_, heard)| elapsed.saturating_sub(*heard) <= shown);
    }

    /// Somebody asks by OFREP.
    pub(super) fn asked_by_ofrep(&mut self, name: &str, now: Timestamp) {
        self.add(name, OFREP, 1, now);
    }

    fn add(&mut self, name: &str, service: &str, count: u64, now: Timestamp) {
        let name = shown_name(name);
        if count == 0 || name.is_empty() {
            return;
        }
        if self.names.len() >= NAMES_MAX && !self.names.contains_key(&*name) {
            self.make_room();
        }
        let fresh = || Asked { count: 0, services: BTreeSet::new(), first: now, last: now };
        let asked = self.names.entry(name.into_owned()).or_insert_with(fresh);
        asked.count = asked.count.saturating_add(count);
        asked.last = asked.last.max(now);
        if asked.services.len() < SERVICES_MAX {
            asked.services.insert(shown_name(service).into_owned());
        }
    }

    /// Forgets the name that matters least: one that only strangers asked for, seldom, and long ago.
    fn make_room(&mut self) {
        let worth = |asked: &Asked| {
            let by_clients = asked.services.iter().any(|service| service != OFREP);
            (by_clients, asked.count, asked.last)
        };
        let least = self.names.iter().min_by_key(|(_, asked)| worth(asked)).map(|(name, _)| name.clone());
        least.into_iter().for_each(|name| drop(self.names.remove(&name)));
    }

    /// Those that are asked for most first. What is there by now is forgotten.
    pub(super) fn list(&mut self, exists: impl Fn(&str) -> bool) -> Vec<UnknownFlag> {
        self.names.retain(|name, _| !exists(name));
        let unknown = |(name, asked): (&String, &Asked)| UnknownFlag {
            name: name.clone(),
            count: asked.count,
            services: asked.services.clone(),
            first_asked_at: asked.first,
            last_asked_at: asked.last,
            near: None,
        };
        let mut list: Vec<_> = self.names.iter().map(unknown).collect();
        list.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClient;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn told(unknown: &mut UnknownFlags, client: u128, names: &[(&str, u64)]) {
        told_at(unknown, client, names, (true, 0));
    }

    fn told_at(unknown: &mut UnknownFlags, client: u128, names: &[(&str, u64)], (from_its_start, at): (bool, u64)) {
        let mut report = TestClient::new(client).report;
        report.unknown_flags = names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        unknown.take_in(&report, from_its_start, now(), Duration::from_secs(at));
    }

    fn counts(unknown: &mut UnknownFlags) -> Vec<(String, u64)> {
        unknown.list(|name| name == "known").into_iter().map(|flag| (flag.name, flag.count)).collect()
    }

    #[test]
    fn what_grew_is_counted_once() {
        let mut unknown = UnknownFlags::default();
        told(&mut unknown, 1, &[("chekout", 3), ("known", 9)]);
        told(&mut unknown, 1, &[("chekout", 5), ("known", 9)]);
        told(&mut unknown, 1, &[("chekout", 5)]);
        told(&mut unknown, 2, &[("chekout", 10)]);
        unknown.asked_by_ofrep("a\u{1b}b", now());
        assert_eq!(counts(&mut unknown), [("chekout".to_owned(), 15), ("a\u{fffd}b".to_owned(), 1)]);
        let list = unknown.list(|_| false);
        assert_eq!(list[0].services, ["shop".to_owned()].into());
        assert_eq!(list[1].services, [OFREP.to_owned()].into());
    }

    #[test]
    fn what_may_be_long_ago_does_not_count() {
        let mut unknown = UnknownFlags::default();
        told_at(&mut unknown, 1, &[("chekout", 5_000)], (false, 0));
        assert_eq!(counts(&mut unknown), [], "a client that has run for days meets a server that has just started");
        told_at(&mut unknown, 1, &[("chekout", 5_002)], (false, 1));
        assert_eq!(counts(&mut unknown), [("chekout".to_owned(), 2)]);
    }

    #[test]
    fn a_report_that_was_overtaken_takes_nothing_back() {
        let mut unknown = UnknownFlags::default();
        for count in [5, 3, 5, 6] {
            told(&mut unknown, 1, &[("chekout", count)]);
        }
        assert_eq!(counts(&mut unknown), [("chekout".to_owned(), 6)]);
    }

    #[test]
    fn what_clients_count_is_forgotten_now_and_then() {
        let mut unknown = UnknownFlags::default();
        let shown = SHOWN_AFTER_SILENCE.to_duration().as_secs();
        let names: Vec<String> = (0..UNKNOWN_FLAGS_OF_CLIENT_MAX).map(|number| format!("n{number}")).collect();
        let names: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let clients = (COUNTS_MAX / UNKNOWN_FLAGS_OF_CLIENT_MAX) as u128;
        // The first is silent for a second longer than all others.
        (0..clients).for_each(|client| told_at(&mut unknown, client, &names, (true, u64::from(client > 0))));
        let mut new = |at| {
            told_at(&mut unknown, clients + 1, &[("new", 1), ("n0", 1)], (true, at));
            (unknown.counts.len(), unknown.swept.map(|swept| swept.as_secs()))
        };
        assert_eq!(new(shown - 5), (COUNTS_MAX, Some(shown - 5)), "all may still come back");
        assert_eq!(new(shown + 1), (COUNTS_MAX, Some(shown - 5)), "it has looked a moment ago");
        assert_eq!(new(shown + 5).1, Some(shown + 5));
        told_at(&mut unknown, clients - 1, &[("n0", 3)], (true, shown + 6));
        assert!(unknown.counts.len() < COUNTS_MAX);
    }

    #[test]
    fn strangers_cannot_drive_out_what_clients_ask_for() {
        let mut unknown = UnknownFlags::default();
        told(&mut unknown, 1, &[("chekout", 1)]);
        (0..5_000).for_each(|number| unknown.asked_by_ofrep(&format!("n{number}"), now()));
        let all = counts(&mut unknown);
        assert_eq!(all.len(), NAMES_MAX);
        assert!(all.iter().any(|(name, _)| name == "chekout"));
    }

    #[test]
    fn one_client_tells_no_more_than_it_may() {
        let mut unknown = UnknownFlags::default();
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let names: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        told(&mut unknown, 1, &names);
        assert_eq!(counts(&mut unknown).len(), UNKNOWN_FLAGS_OF_CLIENT_MAX);
    }
}
