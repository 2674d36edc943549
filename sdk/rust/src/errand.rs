//! Work on a thread of its own, for what may be slow or hang: nobody waits for it, and what comes meanwhile is
//! merged.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// One thread, and what waits for it. Dropped, the thread does what still waits, and ends.
#[derive(Debug)]
pub(crate) struct Errand<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    news: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: Option<T>,
    ended: bool,
}

/// The work panicked, and is done no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl<T: Send + 'static> Errand<T> {
    /// Starts the thread. After each piece of work it rests for the pause.
    pub(crate) fn start(name: &str, pause: Duration, work: impl FnMut(T) + Send + 'static) -> io::Result<Self> {
        let state = Mutex::new(State { waiting: None, ended: false });
        let shared = Arc::new(Shared { state, news: Condvar::new() });
        let own = Arc::clone(&shared);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || own.work(pause, work))?;
        Ok(Self { shared })
    }

    /// Hands over what is new, merged with what still waits.
    ///
    /// # Errors
    /// When the work panicked before.
    pub(crate) fn hand(&self, merge: impl FnOnce(Option<T>) -> T) -> Result<(), Broken> {
        let mut state = self.shared.state.lock();
        if state.ended {
            return Err(Broken);
        }
        let waiting = state.waiting.take();
        state.waiting = Some(merge(waiting));
        drop(state);
        self.shared.news.notify_one();
        Ok(())
    }
}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        self.shared.state.lock().ended = true;
        self.shared.news.notify_one();
    }
}

impl<T> Shared<T> {
    fn work(&self, pause: Duration, mut work: impl FnMut(T)) {
        while let Some(next) = self.next() {
            if catch_unwind(AssertUnwindSafe(|| work(next))).is_err() {
                self.state.lock().ended = true;
                return;
            }
            let mut state = self.state.lock();
            self.news.wait_while_for(&mut state, |state| !state.ended, pause);
        }
    }

    /// What waits next; `None` once it has ended, and nothing waits.
    fn next(&self) -> Option<T> {
        let mut state = self.state.lock();
        self.news.wait_while(&mut state, |state| state.waiting.is_none() && !state.ended);
        state.waiting.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn add(more: u32) -> impl FnOnce(Option<Vec<u32>>) -> Vec<u32> {
        move |waiting| waiting.into_iter().flatten().chain([more]).collect()
    }

    #[test]
    fn what_comes_while_it_works_is_merged() {
        let (begun, begins) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let work = move |numbers: Vec<u32>| {
            begun.send(numbers).unwrap();
            let _ = gone.recv();
        };
        let errand = Errand::start("errand", Duration::ZERO, work).unwrap();
        errand.hand(add(1)).unwrap();
        assert_eq!(begins.recv().unwrap(), [1]);
        (2..5).for_each(|number| errand.hand(add(number)).unwrap());
        go.send(()).unwrap();
        assert_eq!(begins.recv().unwrap(), [2, 3, 4], "one piece of work, not three");
        errand.hand(add(5)).unwrap();
        drop((errand, go));
        assert_eq!(begins.recv().unwrap(), [5], "what waits when it is dropped is still done");
        assert!(begins.recv().is_err(), "and then the thread ends");
    }

    #[test]
    fn a_pause_does_not_hold_up_the_end() {
        let (done, results) = mpsc::channel();
        let work = move |numbers: Vec<u32>| done.send(numbers).unwrap();
        let errand = Errand::start("errand", Duration::from_secs(3_600), work).unwrap();
        errand.hand(add(1)).unwrap();
        assert_eq!(results.recv().unwrap(), [1]);
        errand.hand(add(2)).unwrap();
        drop(errand);
        assert_eq!(results.recv().unwrap(), [2]);
    }

    #[test]
    fn work_that_panics_is_done_no_more() {
        let (begun, begins) = mpsc::channel();
        let work = move |numbers: Vec<u32>| {
            begun.send(numbers).unwrap();
            panic!("a fault of the work's");
        };
        let errand = Errand::start("errand", Duration::ZERO, work).unwrap();
        errand.hand(add(1)).unwrap();
        assert_eq!(begins.recv().unwrap(), [1]);
        assert!(begins.recv().is_err(), "its thread has ended");
        while errand.hand(add(2)).is_ok() {
            std::thread::yield_now();
        }
    }
}
