//! When this client wants to report before its interval is over.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A wish to report, kept until a report is made.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    due: Mutex<Option<Instant>>,
    changed: Notify,
}

impl Wish {
    /// At once.
    pub(crate) fn now(&self) {
        self.at(Instant::now());
    }

    /// At a random moment within this time, so that not all clients report together.
    pub(crate) fn within(&self, jitter: Duration) {
        let wait = jitter.min(Duration::from_secs(10)).mul_f64(rand::random());
        self.at(Instant::now() + wait);
    }

    fn at(&self, moment: Instant) {
        let mut due = self.due.lock();
        *due = Some(due.map_or(moment, |known| known.min(moment)));
        drop(due);
        self.changed.notify_one();
    }

    /// A report is being made: it says everything that is known by now.
    pub(crate) fn granted(&self) {
        *self.due.lock() = None;
    }

    /// Waits until a report is due. It can be dropped and begun anew at any time.
    pub(crate) async fn wait(&self) {
        loop {
            let due = *self.due.lock();
            match due {
                Some(moment) if moment <= Instant::now() => return,
                Some(moment) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(moment) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    async fn waits(wish: &Wish) -> Option<Duration> {
        let begin = Instant::now();
        tokio::time::timeout(Duration::from_secs(60), wish.wait()).await.ok()?;
        Some(begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_lasts_until_a_report_is_made() {
        let wish = Wish::default();
        assert_eq!(waits(&wish).await, None);
        wish.within(SOON);
        let _ = tokio::time::timeout(Duration::ZERO, wish.wait()).await;
        assert!(waits(&wish).await.unwrap() <= SOON, "dropping the wait keeps the wish");
        assert_eq!(waits(&wish).await, Some(Duration::ZERO), "and so does waiting for it");
        wish.within(SOON);
        wish.now();
        assert_eq!(waits(&wish).await, Some(Duration::ZERO), "the earliest wish counts");
        wish.granted();
        assert_eq!(waits(&wish).await, None);
    }
}
