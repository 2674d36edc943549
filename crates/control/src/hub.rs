//! Who listens: each message is encoded once, and handed to all streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use daybreak_model::wire::{Message, Position};
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

use crate::clock::Clock;
use crate::delivery::Published;
use crate::live::{Kept, LAG_MAX, Live, Sent};
use crate::ring::Ring;

/// All open streams.
#[derive(Debug)]
pub(crate) struct Hub {
    sender: broadcast::Sender<Sent>,
    ring: Mutex<Ring>,
    /// Held only by who holds the ring.
    kept: Mutex<Kept>,
    /// The revision that readers see, for those who only want to know that there is another.
    moved: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    /// Held for moments only; who holds it takes no other.
    published: Mutex<Published>,
    open: Arc<AtomicUsize>,
}

/// Counts one stream as open until it is dropped.
#[derive(Debug)]
pub struct OpenStream(Arc<AtomicUsize>);

/// What a listener missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    /// From which of the positions that were asked for.
    pub(crate) from: usize,
    /// The messages since then.
    pub(crate) messages: Vec<Bytes>,
}

impl Hub {
    pub(crate) fn new(revision: u64, clock: Arc<dyn Clock>) -> Self {
        Self {
            sender: broadcast::Sender::new(LAG_MAX),
            ring: Mutex::new(Ring::new(revision)),
            kept: Mutex::default(),
            moved: watch::Sender::new(revision),
            clock,
            published: Mutex::default(),
            open: Arc::default(),
        }
    }

    /// Sends a message that reaches no position: it is not kept for those who reconnect.
    pub(crate) fn send(&self, message: &Message) {
        let encoded = frame(message);
        let _ring = self.ring.lock();
        self.hand_out(encoded);
    }

    /// Sends a message of what readers see at this moment: nothing that they see later comes before it. It is not kept for
    /// those who reconnect.
    pub(crate) fn send_of_now(&self, message: impl FnOnce() -> Message) {
        let _ring = self.ring.lock();
        self.hand_out(frame(&message()));
    }

    /// Makes a change visible to readers (`publish`) and sends its message, as one step: who subscribes sees
    /// both or none.
    pub(crate) fn publish(&self, revision: u64, message: &Message, publish: impl FnOnce()) {
        let encoded = frame(message);
        let mut ring = self.ring.lock();
        self.published.lock().push(revision, self.clock.elapsed());
        publish();
        ring.push(revision, encoded.clone());
        self.hand_out(encoded);
        self.moved.send_replace(revision);
    }

    /// The caller holds the ring.
    fn hand_out(&self, encoded: Bytes) {
        let sent = self.kept.lock().push(encoded);
        // An error only says that nobody listens.
        let _ = self.sender.send(sent);
    }

    /// Tells when readers see another revision.
    pub(crate) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Listens from now on. `read` reads what readers see at this moment; with it comes from which of some positions the
    /// listener can go on, the first that is possible, and the messages missed since then.
    pub(crate) fn listen<T>(
        &self,
        from: &[Option<Position>],
        read: impl FnOnce() -> (Position, T),
    ) -> (T, Option<Missed>, Live, OpenStream) {
        let ring = self.ring.lock();
        let live = Live::new(self.sender.subscribe());
        let (position, seen) = read();
        let missed = from.iter().enumerate().find_map(|(from, last)| {
            let last = last.filter(|last| last.store == position.store && last.revision <= position.revision)?;
            ring.since(last.revision).map(|messages| Missed { from, messages })
        });
        self.open.fetch_add(1, Ordering::Relaxed);
        (seen, missed, live, OpenStream(Arc::clone(&self.open)))
    }

    /// When a revision was published, as far as that is remembered: on the clock that never goes back.
    pub(crate) fn published_at(&self, revision: u64) -> Option<Duration> {
        self.published.lock().at(revision)
    }

    /// How many streams are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A message as a server-sent event.
pub(crate) fn frame(message: &Message) -> Bytes {
    // None of the messages lacks a JSON form; an empty event would be ignored by clients.
    let data = message.data().unwrap_or_default();
    encode(message.event(), message.position(), &data)
}

fn encode(event: &str, position: Option<Position>, data: &str) -> Bytes {
    debug_assert!(!data.contains('\n'), "the data of an event is one line");
    Bytes::from(format!("{}{data}\n\n", head(event, position)))
}

/// How a server-sent event of this name and position begins; then comes its data, one line of JSON, and an empty line.
pub(crate) fn head(event: &str, position: Option<Position>) -> String {
    let id = position.map_or_else(String::new, |position| format!("id: {position}\n"));
    format!("event: {event}\n{id}data: ")
}

#[cfg(test)]
mod tests {
    use daybreak_model::wire::{RunsChanged, StoreId};

    use super::*;
    use crate::clock::SystemClock;

    const fn at(revision: u64) -> Position {
        Position { store: StoreId::new(7), revision }
    }

    fn runs(revision: u64) -> Message {
        Message::Runs(RunsChanged { position: Some(at(revision)), ..RunsChanged::default() })
    }

    #[test]
    fn frames() {
        assert_eq!(frame(&Message::Heartbeat), "event: heartbeat\ndata: {}\n\n");
        let expected =
            "event: runs\nid: 0000000000000007:3\ndata: {\"position\":\"0000000000000007:3\",\"jitter\":0}\n\n";
        assert_eq!(frame(&runs(3)), expected);
    }

    #[test]
    fn a_listener_gets_each_message_once() {
        let hub = Hub::new(0, Arc::new(SystemClock));
        hub.publish(1, &runs(1), || ());
        hub.publish(2, &runs(2), || ());
        let (_, missed, mut live, open) = hub.listen(&[Some(at(1))], || (at(2), ()));
        hub.publish(3, &runs(3), || ());
        assert_eq!(missed, Some(Missed { from: 0, messages: vec![frame(&runs(2))] }));
        assert_eq!(live.try_recv(), Ok(frame(&runs(3))));
        assert!(live.try_recv().is_err());
        assert_eq!(hub.open(), 1);
        drop(open);
        assert_eq!(hub.open(), 0);
    }

    #[test]
    fn who_cannot_go_on_gets_everything() {
        let hub = Hub::new(5, Arc::new(SystemClock));
        let elsewhere = Position { store: StoreId::new(8), revision: 5 };
        for (last, resumes) in
            [(None, false), (Some(at(4)), false), (Some(at(5)), true), (Some(at(6)), false), (Some(elsewhere), false)]
        {
            let (_, missed, ..) = hub.listen(&[last], || (at(5), ()));
            assert_eq!(missed.is_some(), resumes, "{last:?}");
            let (_, missed, ..) = hub.listen(&[last, Some(at(5))], || (at(5), ()));
            assert_eq!(missed.map(|missed| missed.from), Some(usize::from(!resumes)), "{last:?}");
        }
    }

    #[test]
    fn a_slow_listener_is_dropped_and_never_waited_for() {
        let hub = Hub::new(0, Arc::new(SystemClock));
        let (_, _, mut live, _open) = hub.listen(&[], || (at(0), ()));
        (0..=LAG_MAX).for_each(|_| hub.send(&Message::Heartbeat));
        assert_eq!(live.try_recv(), Err(broadcast::error::TryRecvError::Lagged(1)));
    }
}
