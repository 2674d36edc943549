//! Telling the server soon where this client stands: somebody waits for a change, or how the client gets its changes is
//! another now.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::faults::Wish;

/// The shortest time between two acknowledgements of one client, however many changes are waited for.
const PAUSE: Duration = Duration::from_millis(25);

/// The acknowledgements of one client: wishes that come together are one.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    wish: Wish,
    pause: Mutex<Pause>,
}

/// When the next acknowledgement may come.
#[derive(Debug, Default)]
struct Pause {
    /// The spread that the server asked for last: the more clients there are, the seldomer each tells.
    spread: Duration,
    from: Option<Instant>,
}

impl Acknowledgements {
    /// Makes one due at a random moment within this time: at once where it is zero.
    pub(crate) fn want(&self, spread: Duration) {
        self.pause.lock().spread = spread;
        self.wish.within(spread);
    }

    /// A report is being made, which tells where the client stands.
    pub(crate) fn granted(&self) {
        self.wish.granted();
        let mut pause = self.pause.lock();
        pause.from = Some(Instant::now() + pause.spread.max(PAUSE));
    }

    /// Waits until one is due, and may come. It can be dropped and begun anew at any time.
    pub(crate) async fn wait(&self) {
        self.wish.wait().await;
        let from = self.pause.lock().from;
        if let Some(from) = from {
            sleep_until(from).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long until one is made.
    async fn takes(acknowledgements: &Acknowledgements) -> Option<Duration> {
        let begin = Instant::now();
        tokio::time::timeout(60 * SECOND, acknowledgements.wait()).await.ok()?;
        acknowledgements.granted();
        Some(begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_comes_at_once_and_those_after_it_together() {
        let acknowledgements = Acknowledgements::default();
        assert_eq!(takes(&acknowledgements).await, None, "nobody waits");
        acknowledgements.want(Duration::ZERO);
        assert_eq!(takes(&acknowledgements).await, Some(Duration::ZERO));
        (0..100).for_each(|_| acknowledgements.want(Duration::ZERO));
        assert_eq!(takes(&acknowledgements).await, Some(PAUSE), "a hundred changes are one acknowledgement");
        assert_eq!(takes(&acknowledgements).await, None);
        acknowledgements.want(Duration::ZERO);
        assert_eq!(takes(&acknowledgements).await, Some(Duration::ZERO), "after a pause it is the first again");
    }

    #[tokio::test(start_paused = true)]
    async fn among_many_clients_each_tells_seldom() {
        let acknowledgements = Acknowledgements::default();
        let mut first = None;
        for told in 0..10_u32 {
            acknowledgements.want(SECOND);
            assert!(takes(&acknowledgements).await.unwrap() <= SECOND);
            let since = first.get_or_insert_with(Instant::now).elapsed();
            assert!(since >= SECOND * told, "{told} within {since:?} of the first");
        }
    }
}
