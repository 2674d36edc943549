//! The operators' side: one short curl line for everything.

pub mod asked;
pub mod backup;
pub mod clients;
pub mod delivery;
pub mod documents;
pub mod events;
pub mod faults;
pub mod files;
pub mod flags;
pub mod halt;
pub mod health;
pub mod history;
pub mod hours;
pub mod life;
pub mod metrics;
pub mod on_call;
pub mod origins;
pub mod pages;
pub mod reason;
pub mod resources;
pub mod root;
pub mod runs;
pub mod slos;
pub mod tokens;
pub mod webhooks;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use asked::{Because, ChangeQuery, Wait};

/// A query of a route that takes none: a parameter that nobody heeds is a mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// Reads a switch of a query: `?dry_run` is `?dry_run=true`.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Error::custom(format!("`{other}` is neither `true` nor `false`"))),
    }
}
