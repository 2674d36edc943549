//! Which client has which revision, since when, and who waits for that.
//!
//! It reads no clock: times are handed in, on the clock that never goes back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use daybreak_guard::clients::{CLIENTS_MAX, SHOWN_AFTER_SILENCE};
use daybreak_model::InstanceId;
use daybreak_model::limits::CLIENT_SILENT_AFTER;
use daybreak_model::wire::{ClientState, Position, Report};
use tokio::sync::Notify;

use super::histogram::Histogram;

/// Changes that are waited for at once; whoever waits beyond that is told how things stand, at once.
const WAITING_MAX: usize = 100;
/// How often those are forgotten that have been silent for too long.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Deliveries to clients.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    clients: HashMap<InstanceId, Told>,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    /// The last revision that clients were asked to acknowledge.
    asked: Option<u64>,
    /// The server ends: nobody waits any longer.
    closing: bool,
    swept: Duration,
    pub(super) streamed: Histogram,
    pub(super) polled: Histogram,
}

/// What a client told last.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) service: Arc<str>,
    pub(super) state: ClientState,
    pub(super) position: Option<Position>,
    /// Since when it serves that position.
    since: Duration,
    pub(super) heard: Duration,
    goodbye: bool,
}

/// One change that somebody waits for.
#[derive(Debug)]
struct Waiting {
    position: Position,
    published: Option<Duration>,
    expected: HashSet<InstanceId>,
    seen: Seen,
    done: Arc<Notify>,
}

/// What was seen of a change that is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Clients that were live when the change was made, and have not left since.
    pub(super) clients: usize,
    /// Those of them that have it.
    pub(super) having: usize,
    /// Clients that left in good order meanwhile.
    pub(super) left: usize,
    /// The longest time that it took to one of those that have it.
    pub(super) slowest: Duration,
}

impl Told {
    fn is_live(&self, now: Duration) -> bool {
        !self.goodbye && now.saturating_sub(self.heard) <= CLIENT_SILENT_AFTER.to_duration()
    }
}

/// Whether who stands there has what was published here.
fn has(position: Option<Position>, wanted: Position) -> bool {
    position.is_some_and(|at| at.store == wanted.store && at.revision >= wanted.revision)
}

impl Deliveries {
    /// Takes in where a client stands. `published` tells when a revision of this store was published.
    pub(crate) fn heard(
        &mut self,
        report: &Report,
        now: Duration,
        own: Position,
        published: impl Fn(u64) -> Option<Duration>,
    ) {
        if now.saturating_sub(self.swept) >= SWEEP_EVERY || self.clients.len() >= CLIENTS_MAX {
            self.sweep(now);
        }
        let age = report.position_age.map_or(Duration::ZERO, |age| age.to_duration());
        let since = now.saturating_sub(age);
        let before = self.clients.get(&report.client);
        let known = before.and_then(|before| before.position);
        // What a client had when it was first heard of was no delivery: it may have come with its start.
        let later = report.position.filter(|at| at.store == own.store && known.is_some() && !has(known, *at));
        if let Some(published) = later.and_then(|at| published(at.revision)) {
            let took = since.saturating_sub(published);
            match report.state {
                ClientState::Polling => self.polled.add(took),
                _ => self.streamed.add(took),
            }
        }
        let service = before.map_or_else(|| report.service.as_str().into(), |before| Arc::clone(&before.service));
        let since = before.filter(|before| before.position == report.position).map_or(since, |before| before.since);
        let told = Told {
            service,
            state: report.state,
            position: report.position,
            since,
            heard: now,
            goodbye: report.goodbye,
        };
        for waiting in self.waiting.values_mut() {
            waiting.take_in(report.client, &told);
        }
        self.clients.insert(report.client, told);
    }

    /// Begins to wait for a change: for those that are live now and have not told that they have it. None where too many
    /// wait already.
    pub(super) fn wait(
        &mut self,
        position: Position,
        published: Option<Duration>,
        now: Duration,
    ) -> Option<(u64, Arc<Notify>)> {
        if self.waiting.len() >= WAITING_MAX {
            return None;
        }
        let waiting = self.begin(position, published, now);
        let done = Arc::clone(&waiting.done);
        self.next += 1;
        self.waiting.insert(self.next, waiting);
        Some((self.next, done))
    }

    /// How a change stands at this moment.
    pub(super) fn look(&self, position: Position, published: Option<Duration>, now: Duration) -> (Seen, Vec<Lacking>) {
        self.end(self.begin(position, published, now))
    }

    fn begin(&self, position: Position, published: Option<Duration>, now: Duration) -> Waiting {
        let (seen, done) = (Seen::default(), Arc::new(Notify::new()));
        let live = self.clients.iter().filter(|(_, told)| told.is_live(now));
        let expected = live.clone().map(|(id, _)| *id).collect();
        let mut waiting = Waiting { position, published, expected, seen, done };
        waiting.seen.clients = waiting.expected.len();
        live.for_each(|(id, told)| waiting.take_in(*id, told));
        // Room for thousands that it no longer needs: there may be as many waits as are allowed.
        waiting.expected.shrink_to_fit();
        if waiting.expected.is_empty() || self.closing {
            waiting.done.notify_one();
        }
        waiting
    }

    /// Whether clients are to be asked now to acknowledge what this one waits for: some have not told that they have it, and
    /// none was asked for that yet, or for something later.
    pub(super) fn asks(&mut self, number: u64) -> bool {
        let lacks = |waiting: &&Waiting| !waiting.expected.is_empty() && !self.closing;
        let Some(waiting) = self.waiting.get(&number).filter(lacks) else { return false };
        let revision = waiting.position.revision;
        self.asked(revision)
    }

    /// Clients are asked to acknowledge this revision; whether that is new.
    pub(super) fn asked(&mut self, revision: u64) -> bool {
        let new = self.asked < Some(revision);
        self.asked = self.asked.max(Some(revision));
        new
    }

    /// Ends all waits, also those that are to come.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.waiting.values().for_each(|waiting| waiting.done.notify_one());
    }

    /// Ends to wait: what was seen, and who does not have it.
    pub(super) fn give_up(&mut self, number: u64) -> Option<(Seen, Vec<Lacking>)> {
        let waiting = self.waiting.remove(&number)?;
        Some(self.end(waiting))
    }

    fn end(&self, waiting: Waiting) -> (Seen, Vec<Lacking>) {
        let lacking = |id: InstanceId| Some((id, self.clients.get(&id)?.clone()));
        let mut lacking: Vec<_> = waiting.expected.into_iter().filter_map(lacking).collect();
        lacking.sort_by(|(one, a), (other, b)| (&a.service, one).cmp(&(&b.service, other)));
        (waiting.seen, lacking)
    }

    fn sweep(&mut self, now: Duration) {
        self.swept = now;
        let shown = SHOWN_AFTER_SILENCE.to_duration();
        self.clients.retain(|_, told| now.saturating_sub(told.heard) <= shown);
    }
}

/// A client that does not have a change, and what it told last.
pub(super) type Lacking = (InstanceId, Told);

impl Waiting {
    fn take_in(&mut self, client: InstanceId, told: &Told) {
        if has(told.position, self.position) && self.expected.remove(&client) {
            self.seen.having += 1;
            let took = told.since.saturating_sub(self.published.unwrap_or(told.since));
            self.seen.slowest = self.seen.slowest.max(took);
        } else if told.goodbye && self.expected.remove(&client) {
            self.seen.left += 1;
            self.seen.clients -= 1;
        } else {
            return;
        }
        if self.expected.is_empty() {
            self.done.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use daybreak_model::Millis;
    use daybreak_model::wire::StoreId;

    use super::*;
    use crate::testing::TestClient;

    fn at(revision: u64) -> Position {
        Position { store: StoreId::new(1), revision }
    }

    fn ms(length: u64) -> Duration {
        Duration::from_millis(length)
    }

    /// The revision `r` was published at `r` seconds.
    fn published(revision: u64) -> Option<Duration> {
        (revision > 0).then(|| Duration::from_secs(revision))
    }

    struct Table(Deliveries);

    impl Table {
        /// Clients of these numbers stand at revision 1.
        fn of(clients: std::ops::Range<u128>) -> Self {
            let mut table = Self(Deliveries::default());
            clients.for_each(|id| table.tell(id, 1, 0, 1_000, |_| {}));
            table
        }

        fn tell(&mut self, id: u128, revision: u64, age: u64, now: u64, change: impl FnOnce(&mut Report)) {
            let mut report = TestClient::new(id).report;
            report.position = Some(at(revision));
            report.position_age = Some(Millis::new(age));
            change(&mut report);
            self.0.heard(&report, ms(now), at(9), published);
        }

        fn look(&self, revision: u64, now: u64) -> (Seen, Vec<u128>) {
            let (seen, lacking) = self.0.look(at(revision), published(revision), ms(now));
            let number = |(id, _): Lacking| u128::from_str_radix(&id.to_string(), 16).unwrap();
            (seen, lacking.into_iter().map(number).collect())
        }
    }

    fn seen(clients: usize, having: usize, left: usize, slowest: u64) -> Seen {
        Seen { clients, having, left, slowest: ms(slowest) }
    }

    #[test]
    fn a_late_report_tells_how_fast_a_change_was() {
        let mut table = Table::of(0..3);
        table.tell(0, 2, 700, 2_741, |_| {});
        table.tell(1, 2, 0, 2_012, |_| {});
        assert_eq!(table.look(2, 3_000), (seen(3, 2, 0, 41), vec![2]));
        // It has had it since then, whatever it tells later.
        table.tell(0, 2, 0, 2_900, |_| {});
        assert_eq!(table.look(2, 3_000).0.slowest, ms(41));
        // A client that says it had it before it was published is believed no more than that.
        table.tell(2, 2, 1_000_000, 2_950, |_| {});
        assert_eq!(table.look(2, 3_000), (seen(3, 3, 0, 41), vec![]));
        assert_eq!((table.0.streamed.count(), table.0.streamed.max, table.0.polled.count()), (3, ms(41), 0));
    }

    #[test]
    fn who_waits_is_told_once_all_have_it_or_left() {
        let mut table = Table::of(0..4);
        let (number, done) = table.0.wait(at(2), published(2), ms(2_001)).unwrap();
        let told = || {
            use futures_util::FutureExt;
            done.notified().now_or_never().is_some()
        };
        table.tell(0, 2, 0, 2_010, |_| {});
        table.tell(1, 3, 0, 3_010, |report| report.state = ClientState::Polling);
        table.tell(9, 1, 0, 3_010, |_| {});
        assert!(!told(), "one that came later is not waited for, and two are");
        table.tell(2, 1, 0, 3_020, |report| report.goodbye = true);
        assert!(!told());
        // Another store's revision is none of ours.
        table.tell(3, 7, 0, 3_025, |report| report.position = Some(Position { store: StoreId::new(2), revision: 7 }));
        assert!(!told());
        table.tell(3, 2, 0, 3_030, |_| {});
        assert!(told());
        let (all, lacking) = table.0.give_up(number).unwrap();
        assert_eq!((all, lacking.len()), (seen(3, 3, 1, 1_030), 0));
        assert!(table.0.waiting.is_empty() && table.0.give_up(number).is_none());
    }

    #[test]
    fn nobody_to_wait_for_is_no_wait() {
        use futures_util::FutureExt;
        let mut table = Table::of(0..1);
        let (_, done) = table.0.wait(at(1), published(1), ms(1_500)).unwrap();
        assert!(done.notified().now_or_never().is_some(), "all have it already");
        let silent = 1_000 + CLIENT_SILENT_AFTER.to_duration().as_millis() as u64 + 1;
        assert_eq!(table.look(2, silent - 1), (seen(1, 0, 0, 0), vec![0]));
        assert_eq!(table.look(2, silent), (seen(0, 0, 0, 0), vec![]));
        let (_, done) = table.0.wait(at(2), published(2), ms(silent)).unwrap();
        assert!(done.notified().now_or_never().is_some());
    }

    #[test]
    fn a_wait_keeps_no_room_for_those_that_have_it() {
        let mut table = Table::of(0..2_000);
        (1..2_000).for_each(|id| table.tell(id, 2, 0, 2_001, |_| {}));
        let (number, _) = table.0.wait(at(2), published(2), ms(2_002)).unwrap();
        let expected = &table.0.waiting[&number].expected;
        assert_eq!(expected.len(), 1);
        assert!(expected.capacity() < 100, "{}", expected.capacity());
    }

    #[test]
    fn what_a_client_starts_with_is_no_delivery() {
        let mut table = Table::of(0..1);
        table.tell(1, 5, 0, 60_000, |_| {});
        table.tell(2, 5, 0, 60_000, |report| report.position = None);
        table.tell(2, 5, 0, 61_000, |_| {});
        assert_eq!(table.0.streamed.count(), 0);
        table.tell(2, 6, 500, 61_000, |report| report.state = ClientState::Polling);
        assert_eq!((table.0.polled.count(), table.0.polled.max), (1, ms(54_500)));
    }

    #[test]
    fn everything_is_bounded() {
        let mut table = Table::of(0..2);
        for _ in 0..WAITING_MAX {
            assert!(table.0.wait(at(2), published(2), ms(2_000)).is_some());
        }
        assert!(table.0.wait(at(2), published(2), ms(2_000)).is_none());
        assert_eq!(table.0.waiting.len(), 100, "each may hold as many names as there are clients");
        let shown = SHOWN_AFTER_SILENCE.to_duration().as_millis() as u64;
        table.tell(1, 1, 0, 1_000 + shown, |_| {});
        table.tell(2, 1, 0, 20_000 + shown, |_| {});
        assert_eq!(table.0.clients.len(), 2, "who has been silent for long is forgotten");
    }
}
