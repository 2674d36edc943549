//! How a client's thread is ended, and how its end is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::latch::Latch;

/// The life of a client's thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Life {
    stop: watch::Sender<Option<Duration>>,
    ended: Arc<Latch>,
}

/// The thread's side of it.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<Option<Duration>>);

impl Life {
    pub(super) fn new() -> (Self, Stop) {
        let (stop, stopped) = watch::channel(None);
        (Self { stop, ended: Arc::default() }, Stop(stopped))
    }

    /// That of a client that has no thread.
    pub(crate) fn without_thread() -> Self {
        let (life, _) = Self::new();
        life.ended.set(true);
        life
    }

    /// Ends the thread; it may take so long to say goodbye.
    pub(crate) fn end(&self, patience: Duration) {
        self.stop.send_replace(Some(patience));
    }

    /// When the thread has ended; whether the server knows.
    pub(crate) const fn ended(&self) -> &Arc<Latch> {
        &self.ended
    }
}

impl Stop {
    /// Waits for the end; how long the goodbye may take, where somebody waits for it.
    pub(super) async fn wait(&mut self) -> Option<Duration> {
        // An error says that the last client was dropped.
        self.0.wait_for(Option::is_some).await.ok().and_then(|patience| *patience)
    }
}
