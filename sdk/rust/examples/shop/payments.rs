//! Calls to the payment gateway: with a timeout, one retry, and a fault point.

use std::time::Duration;

use daybreak_sdk::{Client, Point, Scope};
use serde::{Deserialize, Serialize};

use crate::strikes::Strikes;
use crate::traces;

/// What the gateway is asked to take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    /// The order it is for.
    pub(crate) order: u64,
    /// In cents.
    pub(crate) amount: u64,
}

/// Why a payment did not go through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PaymentError {
    /// Twice no answer in time.
    #[error("the gateway did not answer in time")]
    Timeout,
    /// It answered, and badly; or it did not answer at all.
    #[error("the gateway failed: {0}")]
    Failed(String),
}

/// The gateway, as the shop knows it.
#[derive(Clone)]
pub(crate) struct Gateway {
    http: reqwest::Client,
    charges: String,
    daybreak: Client,
    /// Named once, so that operators see the point before its first pass.
    point: Point,
}

const TRIES: u32 = 2;

impl Gateway {
    /// The gateway at this URL.
    pub(crate) fn new(url: &str, daybreak: &Client) -> Self {
        let point = daybreak.point("payment.gateway");
        Self { http: reqwest::Client::new(), charges: format!("{url}/charges"), daybreak: daybreak.clone(), point }
    }

    /// Takes a payment while a customer waits: twice at most, each time no longer than `patience`.
    pub(crate) async fn pay(
        &self,
        charge: &Charge,
        patience: Duration,
        strikes: &mut Strikes,
    ) -> Result<(), PaymentError> {
        let mut last = PaymentError::Timeout;
        for _ in 0..TRIES {
            last = match tokio::time::timeout(patience, self.attempt(charge, strikes)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => PaymentError::Timeout,
            };
        }
        Err(last)
    }

    /// One try as a customer's request makes it. Whatever a fault does here, the timeout around it sees as
    /// the gateway's doing.
    async fn attempt(&self, charge: &Charge, strikes: &mut Strikes) -> Result<(), PaymentError> {
        let passed = strikes.pass(&self.daybreak, &self.point).await;
        passed.map_err(|injected| PaymentError::Failed(injected.to_string()))?;
        self.settle(charge).await
    }

    /// One try without a fault point.
    pub(crate) async fn settle(&self, charge: &Charge) -> Result<(), PaymentError> {
        let failed = |error: reqwest::Error| PaymentError::Failed(error.to_string());
        let mut request = self.http.post(&self.charges).json(charge);
        // What this request was drawn for goes along: a gateway that knows Daybreak strikes no other.
        if let Some(baggage) = Scope::current().and_then(|scope| scope.baggage()) {
            request = request.header("baggage", baggage.to_string());
        }
        let answer = traces::call(request).await.map_err(failed)?;
        answer.error_for_status().map_err(failed)?;
        Ok(())
    }
}
