//! Who has not said what they want: so many may wait, and the one who came first is sent away for the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Those who wait, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    /// Held for moments only.
    ones: Mutex<Ones>,
}

#[derive(Debug, Default)]
struct Ones {
    next: u64,
    /// Who is dropped from here is to go.
    stay: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One who waits, until this is dropped.
#[derive(Debug)]
pub(super) struct One {
    waiting: Waiting,
    number: u64,
    stays: oneshot::Receiver<()>,
}

impl Waiting {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, ones: Mutex::default() }))
    }

    /// One more.
    pub(super) fn begin(&self) -> One {
        let (stay, stays) = oneshot::channel();
        let mut ones = self.0.ones.lock();
        if ones.stay.len() >= self.0.most {
            ones.stay.pop_first();
        }
        let number = ones.next;
        ones.next += 1;
        ones.stay.insert(number, stay);
        One { waiting: self.clone(), number, stays }
    }

    /// Whether half of the places are taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.0.ones.lock().stay.len() > self.0.most / 2
    }

    /// Sends so many away who have waited longest, but no more than half of them: who has just come is heard.
    pub(super) fn dismiss(&self, count: usize) {
        let mut ones = self.0.ones.lock();
        for _ in 0..count.min(ones.stay.len() / 2) {
            ones.stay.pop_first();
        }
    }
}

impl One {
    /// Ready when they are to go.
    pub(super) async fn dismissed(&mut self) {
        // Nothing is ever sent: it is dropped.
        let _ = (&mut self.stays).await;
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.waiting.0.ones.lock().stay.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_came_first_goes_first() {
        let waiting = Waiting::new(2);
        let mut ones: Vec<_> = (0..4).map(|_| waiting.begin()).collect();
        let gone = |one: &mut One| one.dismissed().now_or_never().is_some();
        assert_eq!(ones.iter_mut().map(gone).collect::<Vec<_>>(), [true, true, false, false]);
        drop(ones.remove(2));
        let mut next = waiting.begin();
        assert!(!gone(&mut ones[2]) && !gone(&mut next), "there was a place again");
        waiting.dismiss(2);
        assert!(gone(&mut ones[2]) && !gone(&mut next), "half of them stay");
    }
}
