//! Who is told of changes.
//!
//! Each listener has a thread of its own, so that a slow one holds up nothing but its own news.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::Key;
use parking_lot::Mutex;

use crate::errand::Errand;

/// Keys that may wait for a listener, beside twice as many as there are flags: enough for those that went.
const WAITING_MIN: usize = 1_000;

/// The listeners of one client.
#[derive(Default)]
pub(crate) struct Listeners {
    all: Mutex<Vec<Listener>>,
    /// They are called by whoever makes the change: in users' tests.
    at_once: bool,
}

#[derive(Clone)]
enum Listener {
    Thread(Arc<Errand<BTreeSet<Key>>>),
    AtOnce(Arc<Call>),
}

type Call = dyn Fn(&[Key]) + Send + Sync;

impl Listeners {
    /// Listeners that have been called when a change is made: for users' tests.
    pub(crate) fn at_once() -> Self {
        Self { at_once: true, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.lock().is_empty()
    }

    pub(crate) fn add(&self, listener: impl Fn(&[Key]) + Send + Sync + 'static) {
        let listener = if self.at_once {
            Listener::AtOnce(Arc::new(listener))
        } else {
            let call = move |keys: BTreeSet<Key>| listener(&keys.into_iter().collect::<Vec<_>>());
            match Errand::start("daybreak-change", Duration::ZERO, call) {
                Ok(errand) => Listener::Thread(Arc::new(errand)),
                Err(error) => return tracing::error!(%error, "no thread for an on_change listener; it is not called"),
            }
        };
        self.all.lock().push(listener);
    }

    /// Tells all listeners of these flags. Keys that wait are kept to the flags that there are, once they are
    /// many more than those.
    pub(crate) fn tell(&self, keys: &BTreeSet<Key>, flags: usize, exists: impl Fn(&Key) -> bool) {
        if keys.is_empty() {
            return;
        }
        let most = flags.saturating_mul(2).saturating_add(WAITING_MIN);
        // Called without the lock: a listener may add another one.
        let all = self.all.lock().clone();
        for listener in all {
            let told = match &listener {
                Listener::Thread(errand) => errand.hand(|waiting| merge(waiting, keys, most, &exists)).is_ok(),
                Listener::AtOnce(listener) => {
                    let keys: Vec<Key> = keys.iter().cloned().collect();
                    catch_unwind(AssertUnwindSafe(|| listener(&keys))).is_ok()
                }
            };
            if !told {
                tracing::error!("an on_change listener panicked; it is called no more");
                self.all.lock().retain(|known| !known.is(&listener));
            }
        }
    }
}

impl Listener {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Thread(one), Self::Thread(other)) => Arc::ptr_eq(one, other),
            (Self::AtOnce(one), Self::AtOnce(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

fn merge(
    waiting: Option<BTreeSet<Key>>,
    keys: &BTreeSet<Key>,
    most: usize,
    exists: &impl Fn(&Key) -> bool,
) -> BTreeSet<Key> {
    let mut waiting = waiting.unwrap_or_default();
    waiting.extend(keys.iter().cloned());
    if waiting.len() > most {
        waiting.retain(exists);
    }
    waiting
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn keys(names: &[&str]) -> BTreeSet<Key> {
        names.iter().map(|name| Key::new(name).unwrap()).collect()
    }

    fn tell(listeners: &Listeners, names: &[&str]) {
        listeners.tell(&keys(names), 10, |_| true);
    }

    fn heard(news: &mpsc::Receiver<Vec<Key>>) -> Vec<String> {
        news.recv().unwrap().iter().map(ToString::to_string).collect()
    }

    /// Invariant 6: a listener is somebody else's code, and may do what it likes.
    #[test]
    fn invariant_6_a_listener_that_hangs_or_panics_costs_only_its_own_news() {
        let listeners = Listeners::default();
        let (begun, begins) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        listeners.add(move |keys| {
            let _ = begun.send(keys.to_vec());
            let _ = gone.lock().recv();
        });
        listeners.add(|_| panic!("a fault of the listener's"));
        let (send, news) = mpsc::channel();
        listeners.add(move |keys| drop(send.send(keys.to_vec())));
        tell(&listeners, &["a"]);
        assert_eq!(heard(&begins), ["a"], "it hangs from here on");
        assert_eq!(heard(&news), ["a"]);
        for _ in 0..3 {
            tell(&listeners, &["c", "b"]);
        }
        assert_eq!(heard(&news), ["b", "c"]);
        go.send(()).unwrap();
        assert_eq!(heard(&begins), ["b", "c"], "what came meanwhile comes as one");
        while listeners.all.lock().len() == 3 {
            tell(&listeners, &["a"]);
        }
        assert_eq!(listeners.all.lock().len(), 2, "one that panicked is called no more");
        drop(go);
    }

    #[test]
    fn what_waits_is_bounded_by_the_flags() {
        let mut waiting = None;
        for number in 0..10_000 {
            waiting = Some(merge(waiting, &keys(&[&format!("gone-{number}"), "a"]), 20, &|key| key.as_str() == "a"));
            assert!(waiting.as_ref().is_some_and(|waiting| waiting.len() <= 20));
        }
        assert!(waiting.unwrap().contains("a"));
    }

    #[test]
    fn in_tests_listeners_are_called_at_once() {
        let listeners = Listeners::at_once();
        let (send, news) = mpsc::channel();
        listeners.add(|_| panic!("a fault of the listener's"));
        listeners.add(move |keys| drop(send.send(keys.to_vec())));
        tell(&listeners, &["a"]);
        assert_eq!(news.try_recv().unwrap().len(), 1);
        assert_eq!(listeners.all.lock().len(), 1);
        listeners.tell(&BTreeSet::new(), 10, |_| true);
        assert!(news.try_recv().is_err(), "no change, no call");
    }
}
