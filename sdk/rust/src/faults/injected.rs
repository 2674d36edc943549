//! An injected failure, as the application meets it.

use std::fmt;
use std::sync::Arc;

use daybreak_model::{ErrorEffect, Key, RunId};

use super::run::ActiveRun;

/// What a struck pass fails with. It is injected: nothing is wrong but what the run's operator asked for.
#[derive(Clone)]
pub struct InjectedFault {
    run: Arc<ActiveRun>,
}

impl InjectedFault {
    pub(super) fn new(run: Arc<ActiveRun>) -> Self {
        Self { run }
    }

    fn error(&self) -> Option<&ErrorEffect> {
        self.run.compiled().spec().effect.error.as_ref()
    }

    /// The fault's key.
    #[must_use]
    pub fn fault(&self) -> &Key {
        &self.run.compiled().spec().fault
    }

    /// The point where it struck.
    #[must_use]
    pub fn point(&self) -> &Key {
        &self.run.compiled().spec().point
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run.id()
    }

    /// Whether the connection is to break, rather than an error to be answered.
    #[must_use]
    pub fn is_abort(&self) -> bool {
        self.error().is_none()
    }

    /// The HTTP status, 400 to 599: the fault's own, or 500; 503 for a broken connection that cannot be broken.
    #[must_use]
    pub fn status(&self) -> u16 {
        let default = if self.error().is_some() { 500 } else { 503 };
        let own = self.error().and_then(|error| error.status);
        own.filter(|status| (400..600).contains(status)).unwrap_or(default)
    }

    /// A word for programs, where the fault has one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.error()?.code.as_deref()
    }

    /// A sentence for people, where the fault has one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.error()?.message.as_deref()
    }
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_abort() { "the connection broke" } else { "the call failed" };
        let message = self.message().unwrap_or(what);
        write!(f, "{message} (injected by fault `{}` at `{}`, run {})", self.fault(), self.point(), self.run())
    }
}

impl fmt::Debug for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fault = f.debug_struct("InjectedFault");
        fault.field("key", self.fault()).field("point", self.point()).field("run", &self.run());
        fault.field("abort", &self.is_abort()).field("status", &self.status()).finish()
    }
}

impl std::error::Error for InjectedFault {}
