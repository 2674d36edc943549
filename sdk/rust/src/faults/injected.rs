//! What a fault point hands back.

use std::fmt;

use daybreak_model::{Key, RunId};
use serde_json::Value;

/// A pass that goes on: perhaps later than it would have, perhaps with data to use instead of the real.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    pub(super) data: Option<Value>,
}

impl Pass {
    /// What a fault of effect `data` hands to the application; `None` where there is no such fault.
    #[must_use]
    pub const fn data(&self) -> Option<&Value> {
        self.data.as_ref()
    }
}

/// A pass that a fault made fail. It was injected on purpose; treat it as you would the real failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedFault {
    pub(super) fault: Key,
    pub(super) run: RunId,
    pub(super) abort: bool,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

impl InjectedFault {
    /// The fault's key.
    #[must_use]
    pub const fn fault(&self) -> &Key {
        &self.fault
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// Whether the connection is to break, rather than an error to be answered.
    #[must_use]
    pub const fn is_abort(&self) -> bool {
        self.abort
    }

    /// The HTTP status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(500)
    }

    /// The fault's word for programs.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The fault's sentence for people.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.abort { "connection aborted" } else { "failed" };
        write!(f, "{} (injected by the fault `{}`)", self.message.as_deref().unwrap_or(what), self.fault)
    }
}

impl std::error::Error for InjectedFault {}
