//! What streams are sent as it happens, and how far one may be behind.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Messages that a slow stream may be behind before it is dropped.
pub(crate) const LAG_MAX: usize = 1024;
/// Bytes that it may be behind, beyond the message that it has to read next: what nobody reads is not kept for them, but one long
/// message is not gone as soon as a short one follows.
pub(crate) const LAG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A message on its way. Whoever reads it too late finds it gone.
pub(crate) type Sent = Weak<Bytes>;

/// The messages that are kept for who reads slowly: the last ones, at least one.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    messages: VecDeque<Arc<Bytes>>,
    bytes: usize,
}

/// Messages as they happen.
#[derive(Debug)]
pub struct Live(broadcast::Receiver<Sent>);

/// The reader is too far behind, or there is nothing to be read any more: its stream is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream lags behind, or the server is gone")]
pub struct Lagged;

impl Kept {
    /// Keeps one more; the oldest ones go where there are too many.
    pub(crate) fn push(&mut self, message: Bytes) -> Sent {
        self.bytes += message.len();
        let message = Arc::new(message);
        let sent = Arc::downgrade(&message);
        self.messages.push_back(message);
        while let Some(oldest) = self.messages.front() {
            if self.messages.len() <= LAG_MAX && self.bytes - oldest.len() <= LAG_BYTES_MAX {
                break;
            }
            self.bytes -= oldest.len();
            self.messages.pop_front();
        }
        sent
    }
}

impl Live {
    pub(crate) const fn new(receiver: broadcast::Receiver<Sent>) -> Self {
        Self(receiver)
    }

    /// The next message.
    ///
    /// # Errors
    /// When the reader lags behind: close its stream.
    pub async fn next(&mut self) -> Result<Bytes, Lagged> {
        let sent = self.0.recv().await.map_err(|_: RecvError| Lagged)?;
        sent.upgrade().map(|message| Bytes::clone(&message)).ok_or(Lagged)
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    /// When there is none, or the reader lags behind.
    pub fn try_recv(&mut self) -> Result<Bytes, TryRecvError> {
        let sent = self.0.try_recv()?;
        sent.upgrade().map(|message| Bytes::clone(&message)).ok_or(TryRecvError::Lagged(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let large = Bytes::from(vec![0; LAG_BYTES_MAX / 4]);
        let mut kept = Kept::default();
        let sent: Vec<_> = (0..6).map(|_| kept.push(large.clone())).collect();
        let there: Vec<_> = sent.iter().map(|sent| sent.upgrade().is_some()).collect();
        assert_eq!(there, [false, true, true, true, true, true]);
        let huge = kept.push(Bytes::from(vec![0; LAG_BYTES_MAX + 1]));
        assert!(huge.upgrade().is_some(), "the last one is kept, whatever its length");
        assert_eq!(kept.messages.len(), 1);
        let small = kept.push(Bytes::from_static(b"small"));
        assert!(small.upgrade().is_some() && huge.upgrade().is_some(), "nor does a short one drive it out");
        kept.push(Bytes::from(vec![0; LAG_BYTES_MAX]));
        assert!(small.upgrade().is_some() && huge.upgrade().is_none());
        assert_eq!(kept.bytes, LAG_BYTES_MAX + 5);
    }

    #[tokio::test]
    async fn who_reads_what_is_gone_lags_behind() {
        let (sender, mut kept) = (broadcast::Sender::new(LAG_MAX), Kept::default());
        let (mut slow, mut quick) = (Live::new(sender.subscribe()), Live::new(sender.subscribe()));
        let large = Bytes::from(vec![0; LAG_BYTES_MAX / 2 + 1]);
        for _ in 0..3 {
            sender.send(kept.push(large.clone())).unwrap();
            assert_eq!(quick.next().await, Ok(large.clone()));
        }
        assert_eq!(slow.next().await, Err(Lagged));
        drop(sender);
        assert_eq!(quick.next().await, Err(Lagged));
    }
}
