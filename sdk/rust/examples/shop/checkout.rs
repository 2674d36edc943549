//! Checkout: where most of the flags are asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daybreak_sdk::Client;
use daybreak_sdk::Context;
use serde::Serialize;

use crate::cart::{self, Carts};
use crate::payments::{Charge, Gateway, PaymentError};
use crate::queue::PaymentQueue;
use crate::strikes::Strikes;
use crate::traces;

/// What a customer gets for a cart.
#[derive(Serialize)]
pub(crate) struct Receipt {
    order: u64,
    /// In cents.
    total: u64,
    /// `new` or `classic`: which checkout it was.
    checkout: &'static str,
    /// `paid`, or `queued` where the gateway did not answer and payment follows.
    payment: &'static str,
    took_ms: u128,
}

/// Why there is no receipt.
pub(crate) enum CheckoutError {
    /// Nothing to pay for.
    EmptyCart,
    /// The payment failed, and there was no falling back. The cart is still there.
    Payment(PaymentError),
}

/// The checkout desk.
pub(crate) struct Desk {
    daybreak: Client,
    gateway: Gateway,
    queue: PaymentQueue,
    orders: AtomicU64,
}

impl Desk {
    /// A desk that takes payments through this gateway.
    pub(crate) fn new(daybreak: Client, gateway: Gateway) -> Self {
        let queue = PaymentQueue::start(gateway.clone());
        Self { daybreak, gateway, queue, orders: AtomicU64::new(0) }
    }

    /// Turns a customer's cart into an order.
    pub(crate) async fn check_out(
        &self,
        carts: &Carts,
        user: &str,
        context: &Context,
        strikes: &mut Strikes,
    ) -> Result<Receipt, CheckoutError> {
        let began = Instant::now();
        let cart = carts.take(user);
        if cart.is_empty() {
            return Err(CheckoutError::EmptyCart);
        }
        let order = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let charge = Charge { order, amount: cart::total(&cart) };
        let payment = match self.pay(&charge, context, strikes).await {
            Ok(payment) => payment,
            Err(error) => {
                carts.put_back(user, cart);
                return Err(CheckoutError::Payment(error));
            }
        };
        let checkout = if self.daybreak.bool("new-checkout", context, false) { "new" } else { "classic" };
        Ok(Receipt { order, total: charge.amount, checkout, payment, took_ms: began.elapsed().as_millis() })
    }

    async fn pay(
        &self,
        charge: &Charge,
        context: &Context,
        strikes: &mut Strikes,
    ) -> Result<&'static str, PaymentError> {
        let patience = self.daybreak.number("gateway-timeout", context, 1_000.0).clamp(10.0, 10_000.0);
        match self.gateway.pay(charge, Duration::from_secs_f64(patience / 1_000.0), strikes).await {
            Ok(()) => Ok("paid"),
            Err(error) if self.daybreak.bool("payment-fallback", context, true) && self.queue.push(charge.clone()) => {
                traces::fell_back(&error.to_string());
                Ok("queued")
            }
            Err(error) => Err(error),
        }
    }

    /// How many payments wait, and how many were settled late.
    pub(crate) fn queue_counts(&self) -> (usize, u64) {
        self.queue.counts()
    }
}
