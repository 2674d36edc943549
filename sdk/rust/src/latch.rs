//! Waiting for what happens once, in async tasks of any runtime and in threads.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot};

/// Something that happens once, with how it came out.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    outcome: Mutex<Option<bool>>,
    threads: Condvar,
    tasks: Notify,
}

impl Latch {
    /// It has happened. Only the first outcome counts.
    pub(crate) fn set(&self, outcome: bool) {
        self.outcome.lock().get_or_insert(outcome);
        self.threads.notify_all();
        self.tasks.notify_waiters();
    }

    /// Waits until it has happened.
    pub(crate) async fn wait(&self) -> bool {
        loop {
            let mut told = std::pin::pin!(self.tasks.notified());
            told.as_mut().enable();
            if let Some(outcome) = *self.outcome.lock() {
                return outcome;
            }
            told.await;
        }
    }

    /// Waits until it has happened, but no longer than this.
    pub(crate) fn wait_blocking(&self, patience: Duration) -> Option<bool> {
        let mut outcome = self.outcome.lock();
        self.threads.wait_while_for(&mut outcome, |outcome| outcome.is_none(), patience);
        *outcome
    }
}

/// What a future gives, unless it takes longer than this. The host may have no runtime, or one without timers: a
/// short-lived thread holds the clock.
pub(crate) async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (over, time) = oneshot::channel::<()>();
    let (done, early) = mpsc::channel::<()>();
    let clock = move || {
        // It also returns once `done` is dropped.
        let _ = early.recv_timeout(patience);
        drop(over);
    };
    // Where there is no thread to spare, there is no patience either.
    let _ = std::thread::Builder::new().name("daybreak-patience".into()).spawn(clock);
    let outcome = tokio::select! {
        biased;
        outcome = future => Some(outcome),
        _ = time => None,
    };
    drop(done);
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn everybody_is_told_and_the_first_outcome_counts() {
        let latch = Arc::new(Latch::default());
        assert!(latch.wait().now_or_never().is_none());
        assert_eq!(latch.wait_blocking(Duration::ZERO), None);
        let other = Arc::clone(&latch);
        let thread = std::thread::spawn(move || other.wait_blocking(LONG));
        latch.set(true);
        latch.set(false);
        assert_eq!(thread.join().unwrap(), Some(true));
        assert_eq!(latch.wait().now_or_never(), Some(true));
    }

    /// Waits by parking the thread: there is no runtime.
    fn block_on<F: Future>(future: F) -> F::Output {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Arc::new(Unpark(std::thread::current())).into();
        let mut context = std::task::Context::from_waker(&waker);
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                std::task::Poll::Ready(output) => return output,
                std::task::Poll::Pending => std::thread::park(),
            }
        }
    }

    #[test]
    fn patience_needs_no_runtime() {
        assert_eq!(block_on(within(LONG, async { 7 })), Some(7));
        assert_eq!(block_on(within(Duration::from_millis(1), std::future::pending::<()>())), None);
        let latch = Arc::new(Latch::default());
        let other = Arc::clone(&latch);
        let thread = std::thread::spawn(move || block_on(within(LONG, other.wait())));
        latch.set(true);
        assert_eq!(thread.join().unwrap(), Some(true));
    }
}
