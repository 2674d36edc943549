//! One stream: what comes first, and what comes then.

use std::sync::Arc;

use bytes::Bytes;
use daybreak_model::wire::{Message, Position, RunsChanged};

use crate::hub::{self, Missed, OpenStream};
use crate::live::Live;
use crate::{Control, State, packed};

/// Bytes of changes that may follow a snapshot which was encoded before them. Beyond that another is encoded.
const AFTER_SNAPSHOT_MAX: usize = 64 * 1024;

/// How a stream is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    #[default]
    Plain,
    /// As gzip. Snapshots are compressed, once for all; other messages are short, and stand as they are.
    Gzip,
}

/// One stream of encoded messages (server-sent events).
#[derive(Debug)]
pub struct Subscription {
    /// What comes first, in pieces: everything, or what was missed. It is packed already.
    pub backlog: Vec<Bytes>,
    /// What comes then; pack it. A reader that lags behind gets an error: close its stream.
    pub live: Live,
    /// How it is encoded.
    pub packing: Packing,
    /// Keep it as long as the stream is open.
    pub open: OpenStream,
}

impl Packing {
    /// A message as it is written out, in pieces.
    #[must_use]
    pub fn pack(self, message: Bytes) -> Vec<Bytes> {
        match self {
            Self::Plain => vec![message],
            Self::Gzip => packed::stored(&message),
        }
    }

    /// What stands before the first message.
    fn begin(self) -> Vec<Bytes> {
        match self {
            Self::Plain => Vec::new(),
            Self::Gzip => vec![Bytes::from_static(&packed::HEADER)],
        }
    }
}

impl Control {
    /// Listens from now on: first comes what was missed since `last`, or everything where that is not known
    /// any more; then each message as it happens. Where a run is active, or everything is halted, the backlog
    /// says so at its end.
    pub async fn subscribe(&self, last: Option<Position>) -> Subscription {
        self.subscribe_packed(last, Packing::Plain).await
    }

    /// The same, encoded in this way.
    ///
    /// Everything is the snapshot that others were sent, and what has changed since then, as long as that is little: many that
    /// come at once share one, however much changes meanwhile, and those that read slowly hold only a few.
    pub async fn subscribe_packed(&self, last: Option<Position>, packing: Packing) -> Subscription {
        let read = || {
            let state = self.state();
            (state.position(), state)
        };
        let sent = self.inner.sent.lock().clone();
        let (state, missed, live, open) = self.inner.hub.listen(&[last, sent.as_deref().map(State::position)], read);
        let now = {
            let runs = self.inner.runs.lock();
            RunsChanged { started: runs.active_ids(), halted: runs.halted(), ..RunsChanged::default() }
        };
        let (snapshot, mut messages) = match (missed, sent) {
            (Some(Missed { from: 0, messages }), _) => (None, messages),
            (Some(Missed { messages, .. }), Some(sent)) if length(&messages) <= AFTER_SNAPSHOT_MAX => {
                (Some(sent), messages)
            }
            _ => {
                *self.inner.sent.lock() = Some(Arc::clone(&state));
                (Some(state), Vec::new())
            }
        };
        if now.halted || !now.started.is_empty() {
            messages.push(hub::frame(&Message::Runs(now)));
        }
        let mut backlog = packing.begin();
        if let Some(snapshot) = snapshot {
            backlog.extend(snapshot.first_message(packing).await);
        }
        backlog.extend(messages.into_iter().flat_map(|message| packing.pack(message)));
        Subscription { backlog, live, packing, open }
    }
}

fn length(messages: &[Bytes]) -> usize {
    messages.iter().map(Bytes::len).sum()
}
