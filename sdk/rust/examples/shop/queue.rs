//! The fall-back: payments that wait until the gateway answers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::payments::{Charge, Gateway};

/// Payments that wait.
pub(crate) struct PaymentQueue {
    waiting: mpsc::Sender<Charge>,
    settled: Arc<AtomicU64>,
}

/// As many as may wait; beyond that an order fails, which is honest.
const WAITING_MAX: usize = 10_000;

impl PaymentQueue {
    /// A queue whose payments a task settles in the background, outside any request: no fault strikes there.
    pub(crate) fn start(gateway: Gateway) -> Self {
        let (waiting, mut charges) = mpsc::channel::<Charge>(WAITING_MAX);
        let settled = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&settled);
        actix_web::rt::spawn(async move {
            while let Some(charge) = charges.recv().await {
                while gateway.settle(&charge).await.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { waiting, settled }
    }

    /// Queues a payment; whether there was room.
    pub(crate) fn push(&self, charge: Charge) -> bool {
        self.waiting.try_send(charge).is_ok()
    }

    /// How many payments wait, and how many were settled late.
    pub(crate) fn counts(&self) -> (usize, u64) {
        (WAITING_MAX - self.waiting.capacity(), self.settled.load(Ordering::Relaxed))
    }
}
