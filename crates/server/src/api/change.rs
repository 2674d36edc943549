//! What every change takes besides its body: a reason, and whether to wait until clients have it.

use std::time::Duration;

use daybreak_control::{Actor, Changed, Control, Reached};
use daybreak_model::Millis;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::somebody;
use crate::limits::WAIT_MAX;

/// Options of a change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeQuery {
    /// Why, for the audit log.
    pub reason: Option<String>,
    /// Wait until the clients that follow the stream have the change, at most so long, and say how many do: `2s`, and
    /// `30s` at most.
    #[param(value_type = Option<String>)]
    #[serde(deserialize_with = "wait")]
    pub wait: Option<Millis>,
}

/// Reads how long to wait.
pub(super) fn wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wait: Millis = text.parse().map_err(|error| serde::de::Error::custom(format!("`wait`: {error}")))?;
    if wait > WAIT_MAX {
        return Err(serde::de::Error::custom(format!("`wait` is {WAIT_MAX} at most, not {wait}")));
    }
    Ok(Some(wait))
}

impl ChangeQuery {
    /// Who asks, and why: what the body says goes before what the query says.
    pub(super) fn actor(&self, reason: Option<String>) -> Actor {
        Actor { waits: self.wait.is_some(), ..somebody(reason.or_else(|| self.reason.clone())) }
    }

    /// How far the change has come, where somebody waits for it.
    pub(super) async fn reached(&self, control: &Control, changed: &Changed) -> Option<Reached> {
        let wait = self.wait.filter(|_| !changed.dry_run)?;
        Some(control.reached(changed.position, Duration::from_millis(wait.get())).await)
    }
}
