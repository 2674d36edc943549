//! What every change may be asked with: why, and whether to wait until clients have it.

use std::time::Duration;

use daybreak_control::{Actor, Control, HaltView, Reached};
use daybreak_model::Millis;
use daybreak_model::wire::Position;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::body::Options;
use crate::caller::Caller;
use crate::limits::CONFIRM_WAIT;
use crate::problem::{Code, Problem};
use crate::telemetry::facts;

/// The longest wait for clients.
const WAIT_MAX: Millis = Millis::from_secs(30);

/// The options of commands that ask for nothing but a reason.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Because {
    /// Why, for the audit log.
    #[schema(example = "the gateway is on fire")]
    pub(super) reason: Option<String>,
}

impl Options for Because {}

/// Options of a change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeQuery {
    /// Why, for the audit log.
    reason: Option<String>,
    /// Why a freeze of changes is overridden; an admin's alone.
    r#override: Option<String>,
    /// Answer once every client that follows the stream has the change, or after this time, 30 s at most: `2s`.
    wait: Option<String>,
}

/// How long to wait until clients have a change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait(Option<Duration>);

impl ChangeQuery {
    /// Who asks, why (in the body or in the query), and how long to wait.
    ///
    /// # Errors
    /// When the wait is no length of time, or too long.
    pub(super) fn asks(self, caller: &Caller, reason: Option<String>) -> Result<(Actor, Wait), Problem> {
        let wait = Wait::read(self.wait.as_deref())?;
        facts::note(|facts| facts.override_reason.clone_from(&self.r#override));
        Ok((
            Actor { waits: wait.0.is_some(), ..caller.actor(reason.or(self.reason)).overriding(self.r#override) },
            wait,
        ))
    }
}

impl Wait {
    /// Reads a length of time.
    ///
    /// # Errors
    /// When it is none, or too long.
    pub(super) fn read(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text else { return Ok(Self(None)) };
        let refused = |why: String| Problem::new(Code::BadRequest, format!("`wait`: {why}"));
        let wait: Millis = text.parse().map_err(|error| refused(format!("{error}")))?;
        if wait > WAIT_MAX {
            return Err(refused(format!("{wait} is too long; write {WAIT_MAX} or less")));
        }
        Ok(Self(Some(wait.to_duration())))
    }

    /// The same; none where this holds.
    pub(super) fn unless(self, without: bool) -> Self {
        if without { Self::default() } else { self }
    }

    /// Waits until all live clients have confirmed a halt: for a moment where nobody asked.
    pub(super) async fn confirmed(self, control: &Control) -> HaltView {
        control.halt_confirmed(self.0.unwrap_or(CONFIRM_WAIT)).await
    }

    /// Whether there is anything to wait for.
    pub(super) fn is_asked(self) -> bool {
        self.0.is_some()
    }

    /// Waits, and says how far a change has come; nothing where nobody asked.
    pub(super) async fn reached(self, control: &Control, position: Position) -> Option<Reached> {
        Some(control.reached(position, self.0?).await)
    }
}
