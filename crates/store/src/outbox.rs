//! The outbox: messages to the outside that must arrive at least once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message that waits to be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Where to: the name of a webhook.
    pub to: String,
    /// When it may first be tried.
    pub at: Timestamp,
    /// What to say.
    pub body: Value,
}

/// A message that was taken out to be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number: the order in which messages came.
    pub id: u64,
    /// How often it was taken before.
    pub attempts: u32,
    /// The message.
    pub message: Message,
}
