//! What is served now, read without a shared write and without a fence.
//!
//! Each thread keeps what it last saw, and asks with one load whether there is something newer. So an evaluation costs no
//! look-up in what threads share, and what it counts need not have reached memory before the next one begins.
//!
//! A thread that asks no more keeps an old version alive. Versions share all that did not change between them, and each
//! thread keeps but a few; whoever publishes keeps the others and drops those that no thread has any more, so that it is
//! never the application's thread that frees a whole version.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::served::Served;

/// What one client serves now.
#[derive(Debug)]
pub(crate) struct Current {
    /// No other client's, in this process.
    client: u64,
    newest: ArcSwap<Served>,
    /// The lower half of its generation.
    generation: AtomicU32,
    /// Versions that were replaced, and that some thread may still have.
    replaced: Mutex<Vec<Arc<Served>>>,
}

/// What a thread last saw of a client.
#[derive(Debug)]
struct Seen {
    client: u64,
    generation: u32,
    served: Arc<Served>,
}

/// Clients of which a thread keeps what it saw; of further ones it takes turns.
const CLIENTS: usize = 4;

thread_local! {
    static SEEN: RefCell<[Option<Seen>; CLIENTS]> = const { RefCell::new([const { None }; CLIENTS]) };
}

impl Default for Current {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            client: NEXT.fetch_add(1, Ordering::Relaxed),
            newest: ArcSwap::default(),
            generation: AtomicU32::new(0),
            replaced: Mutex::default(),
        }
    }
}

impl Current {
    /// The lower half of the generation of what is served.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// What is served, for those who ask seldom.
    pub(crate) fn load(&self) -> Arc<Served> {
        self.newest.load_full()
    }

    /// Asks what is served.
    #[inline]
    pub(crate) fn with<T>(&self, ask: impl Fn(&Served) -> T) -> T {
        let generation = self.generation();
        let asked = SEEN.try_with(|seen| {
            // Whoever is told of an evaluation may ask meanwhile.
            let seen = seen.try_borrow().ok()?;
            let mut seen = seen.iter().flatten();
            let own = seen.find(|seen| seen.client == self.client && seen.generation == generation)?;
            Some(ask(&own.served))
        });
        match asked {
            Ok(Some(answer)) => answer,
            _ => self.with_newest(ask),
        }
    }

    #[cold]
    #[inline(never)]
    fn with_newest<T>(&self, ask: impl Fn(&Served) -> T) -> T {
        let served = self.load();
        let answer = ask(&served);
        let seen = Seen { client: self.client, generation: served.generation_half(), served };
        // A thread that is ending, or is told of an evaluation, keeps nothing.
        let _ = SEEN.try_with(|known| known.try_borrow_mut().map(|mut known| seen.keep(&mut known)));
        answer
    }

    /// Serves another version from now on.
    ///
    /// The generation goes ahead: once a thread has seen the version, every other that hears of it sees it too.
    pub(crate) fn publish(&self, served: Arc<Served>) {
        self.generation.store(served.generation_half(), Ordering::Release);
        let before = self.newest.swap(served);
        self.replaced.lock().push(before);
        self.forget();
    }

    /// Drops the versions that no thread has any more. To be called now and then.
    pub(crate) fn forget(&self) {
        let mut replaced = self.replaced.lock();
        let forgotten: Vec<_> = replaced.extract_if(.., |served| Arc::strong_count(served) == 1).collect();
        drop(replaced);
        drop(forgotten);
    }
}

impl Seen {
    /// Takes the place of what was seen of the same client, or else a free one, or else that of the client that was seen
    /// first.
    fn keep(self, known: &mut [Option<Self>; CLIENTS]) {
        let own = known.iter().position(|known| known.as_ref().is_none_or(|known| known.client == self.client));
        let place = own.unwrap_or_else(|| {
            known.rotate_left(1);
            CLIENTS - 1
        });
        known[place] = Some(self);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn served(generation: u64) -> Arc<Served> {
        Arc::new(Served { generation, ..Served::default() })
    }

    #[test]
    fn what_is_published_is_what_every_thread_sees_next() {
        let current = Current::default();
        let (ask, asked) = mpsc::channel::<()>();
        let (answer, answered) = mpsc::channel();
        thread::scope(|threads| {
            let current = &current;
            threads.spawn(move || {
                for () in asked {
                    let _ = answer.send(current.with(|served| served.generation));
                }
            });
            for generation in [0, 1, 2, u64::from(u32::MAX), 1 << 32, (1 << 32) + 1] {
                if generation > 0 {
                    current.publish(served(generation));
                }
                for _ in 0..2 {
                    assert_eq!(current.with(|served| served.generation), generation);
                    ask.send(()).unwrap();
                    assert_eq!(answered.recv().unwrap(), generation, "on another thread");
                }
            }
            drop(ask);
        });
    }

    #[test]
    fn clients_do_not_see_each_others_flags_however_many_there_are() {
        let clients: Vec<Current> = (1..=10).map(|_| Current::default()).collect();
        for round in 1..4 {
            for (number, client) in (1..).zip(&clients) {
                client.publish(served(round));
                assert_eq!(client.with(|served| served.generation), round, "{number}");
            }
            for client in clients.iter().rev().chain(&clients) {
                assert_eq!(client.with(|served| served.generation), round);
            }
        }
    }

    #[test]
    fn who_is_told_of_an_evaluation_may_ask_again() {
        let current = Current::default();
        for generation in 1..4 {
            current.publish(served(generation));
            let both = current.with(|own| (own.generation, current.with(|inner| inner.generation)));
            assert_eq!(both, (generation, generation));
        }
        // What is published while it asks is seen by whoever asks next, inside or not.
        let inside = current.with(|_| {
            current.publish(served(9));
            current.with(|inner| inner.generation)
        });
        assert_eq!((inside, current.with(|served| served.generation)), (9, 9));
    }

    #[test]
    fn a_version_goes_when_no_thread_has_it_and_not_before() {
        let current = Current::default();
        let first = served(1);
        let weak = Arc::downgrade(&first);
        current.publish(first);
        let (sent, go_on) = mpsc::channel::<()>();
        let (told, seen) = mpsc::channel();
        thread::scope(|threads| {
            let current = &current;
            let other = threads.spawn(move || {
                current.with(|_| ());
                told.send(()).unwrap();
                go_on.recv().unwrap();
                current.with(|_| ());
                told.send(()).unwrap();
                go_on.recv().unwrap();
            });
            seen.recv().unwrap();
            current.publish(served(2));
            current.forget();
            assert!(weak.upgrade().is_some(), "the other thread has it still");
            sent.send(()).unwrap();
            seen.recv().unwrap();
            assert!(weak.upgrade().is_some(), "the application's thread frees nothing");
            current.forget();
            assert!(weak.upgrade().is_none());
            sent.send(()).unwrap();
            other.join().unwrap();
        });
        current.publish(served(3));
        assert_eq!(current.replaced.lock().len(), 0, "a thread that ended has none");
    }

    #[test]
    fn a_thread_that_is_ending_still_asks() {
        struct Late(Arc<Current>, mpsc::Sender<u64>);
        impl Drop for Late {
            fn drop(&mut self) {
                let _ = self.1.send(self.0.with(|served| served.generation));
            }
        }
        thread_local! { static LATE: std::cell::Cell<Option<Late>> = const { std::cell::Cell::new(None) }; }
        let current = Arc::new(Current::default());
        current.publish(served(5));
        let (told, heard) = mpsc::channel();
        let late = Late(Arc::clone(&current), told);
        thread::spawn(move || {
            LATE.set(Some(late));
            current.with(|_| ());
        })
        .join()
        .unwrap();
        assert_eq!(heard.recv(), Ok(5));
    }
}
