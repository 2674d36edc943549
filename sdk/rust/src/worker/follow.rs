//! Following the stream for ever, and polling while it says nothing.

use std::sync::Arc;
use std::time::Duration;

use daybreak_model::wire::ClientState;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::Backoff;
use super::pace::Pace;
use super::{Worker, poll, stream};
use crate::core::Core;

/// Whether the stream speaks.
#[derive(Debug)]
pub(super) struct Speech {
    pace: Pace,
    /// When polling begins, unless the stream speaks before.
    polls_from: Mutex<Instant>,
    sooner: Notify,
}

impl Speech {
    fn new(pace: Pace) -> Self {
        Self { pace, polls_from: Mutex::new(Instant::now() + pace.poll_after), sooner: Notify::new() }
    }

    /// The stream has said something.
    pub(super) fn heard(&self) {
        *self.polls_from.lock() = Instant::now() + self.pace.poll_after_speech;
    }

    /// The stream ended in good order, and another one comes within this time.
    fn pauses(&self, within: Duration) {
        *self.polls_from.lock() = Instant::now() + within + self.pace.poll_after;
    }

    /// The stream is gone, or cannot be had.
    fn lost(&self) {
        let soon = Instant::now() + self.pace.poll_after_loss.mul_f64(rand::random());
        let mut from = self.polls_from.lock();
        *from = soon.min(*from);
        drop(from);
        self.sooner.notify_one();
    }

    fn is_silent(&self) -> bool {
        *self.polls_from.lock() <= Instant::now()
    }

    /// Waits until it is time to poll.
    async fn silence(&self) {
        while !self.is_silent() {
            let from = *self.polls_from.lock();
            tokio::select! {
                () = sleep_until(from) => {}
                () = self.sooner.notified() => {}
            }
        }
    }
}

/// Why something does not work, logged once for each reason.
#[derive(Debug, Default)]
struct Complaint(String);

impl Complaint {
    fn log(&mut self, what: &str, why: &str) {
        if self.0 == why {
            tracing::debug!(why, "{what}");
        } else {
            tracing::warn!(why, "{what}");
            why.clone_into(&mut self.0);
        }
    }

    fn settle(&mut self) {
        self.0.clear();
    }
}

impl Worker {
    /// Follows the stream for ever, and polls while it says nothing.
    pub(super) async fn follow(&self) {
        let speech = Speech::new(self.pace);
        tokio::select! {
            () = self.stream(&speech) => {}
            () = self.poll(&speech) => {}
        }
    }

    async fn stream(&self, speech: &Speech) {
        let mut backoff = Backoff::new(self.pace.longest_pause);
        let mut complaint = Complaint::default();
        let own = stream::Stream {
            core: &self.core,
            http: &self.http.follows,
            pace: self.pace,
            speech,
            keep: &|| self.keep(),
        };
        loop {
            let (spoke, end) = own.follow().await;
            if spoke {
                backoff.reset();
                complaint.settle();
            }
            match end {
                stream::End::Goodbye(jitter) => {
                    let jitter = jitter.to_duration();
                    speech.pauses(jitter);
                    sleep(jitter.mul_f64(rand::random())).await;
                }
                stream::End::Lost(why) => {
                    complaint.log("the stream ended", &why);
                    speech.lost();
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    async fn poll(&self, speech: &Speech) {
        let mut backoff = Backoff::new(self.pace.longest_pause);
        let mut complaint = Complaint::default();
        loop {
            speech.silence().await;
            let polled = poll::once(&self.core, &self.http.asks, self.pace).await;
            let mut pause = self.pace.poll_every.mul_f64(0.75 + 0.5 * rand::random::<f64>());
            match polled {
                Ok(news) => {
                    if news {
                        self.keep();
                        // Nobody could ask for it.
                        self.core.tell_soon();
                    }
                    tell(speech, &self.core, |core| core.heard(ClientState::Polling));
                    backoff.reset();
                    complaint.settle();
                }
                Err(why) => {
                    complaint.log("polling failed, too", &why);
                    tell(speech, &self.core, Core::lost);
                    pause = pause.max(backoff.next());
                }
            }
            sleep(pause).await;
        }
    }
}

/// What polling finds matters only while the stream is still silent.
fn tell(speech: &Speech, core: &Arc<Core>, tell: impl FnOnce(&Core)) {
    if speech.is_silent() {
        tell(core);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    async fn waits(speech: &Speech) -> Option<Duration> {
        let begin = Instant::now();
        tokio::time::timeout(LONG, speech.silence()).await.ok()?;
        Some(begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn polling_begins_when_the_stream_says_nothing() {
        let pace = Pace::default();
        let speech = Speech::new(pace);
        assert!(waits(&speech).await.unwrap() >= pace.poll_after, "a new stream is given a moment");
        assert!(waits(&speech).await.unwrap().is_zero(), "and stays silent");
        speech.heard();
        assert!(waits(&speech).await.unwrap() >= pace.poll_after_speech, "heartbeats are enough");
        speech.heard();
        speech.lost();
        assert!(waits(&speech).await.unwrap() <= pace.poll_after_loss + Duration::from_millis(2));
        speech.lost();
        assert!(waits(&speech).await.unwrap().is_zero(), "another loss puts nothing off");
        speech.pauses(Duration::from_secs(9));
        assert!(waits(&speech).await.unwrap() >= Duration::from_secs(9), "a goodbye is no loss");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_wakes_who_waits() {
        let speech = Speech::new(Pace::default());
        speech.pauses(LONG * 2);
        let (waited, ()) = futures_util::future::join(waits(&speech), async { speech.lost() }).await;
        assert!(waited.is_some());
    }
}
