//! The operators' side: one short curl line for everything.

pub mod clients;
pub mod documents;
pub mod events;
pub mod faults;
pub mod flags;
pub mod halt;
pub mod health;
pub mod history;
pub mod hours;
pub mod resources;
pub mod runs;

use daybreak_control::Actor;
use serde::Deserialize;
use utoipa::ToSchema;

/// The options of commands that ask for nothing but a reason.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Because {
    /// Why, for the audit log.
    #[schema(example = "the gateway is on fire")]
    reason: Option<String>,
}

/// Who asks. Without tokens the server knows no name.
fn somebody(reason: Option<String>) -> Actor {
    Actor::default().because(reason)
}
