//! Scopes: the carriers of root requests inside a process.

use std::future::Future;
use std::sync::Arc;

use daybreak_model::{Arm, Context, DrawKey, Key, RunId};
use parking_lot::Mutex;

use crate::faults::Faults;

tokio::task_local! {
    static CURRENT: Scope;
}

/// One root request, from its first service on. A fault can strike only inside one.
///
/// Middleware opens scopes; [`Client::request`](crate::Client::request) does where there is none. A scope does
/// not follow `tokio::spawn` by itself: [`Scope::instrument`] carries it.
#[derive(Clone, Debug)]
pub struct Scope(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: DrawKey,
    operation: Box<str>,
    context: Context,
    eligible: bool,
    faults: Arc<Faults>,
    memory: Mutex<Memory>,
}

/// What a request has met so far. It is touched only where runs are active, and once a point.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The points it has passed.
    pub(crate) passed: Vec<Key>,
    /// Its draws, each made once.
    pub(crate) draws: Vec<Draw>,
}

/// A request's draw by one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub(crate) run: RunId,
    /// The stage at the draw; a later one changes nothing for this request.
    pub(crate) stage: u32,
    /// `None` where the request is in neither arm.
    pub(crate) arm: Option<Arm>,
    /// Passes that may still be struck have this number, from 0.
    pub(crate) passes: u32,
    pub(crate) struck: bool,
}

impl Scope {
    /// Opens a scope, and mints its draw key.
    pub(crate) fn open(faults: &Arc<Faults>, operation: &str, context: Context, eligible: bool) -> Self {
        let key = DrawKey::new(rand::random());
        let operation = faults.operation_begins(operation);
        let memory = Mutex::default();
        Self(Arc::new(Inner { key, operation, context, eligible, faults: Arc::clone(faults), memory }))
    }

    /// The scope of the task that asks, if it is inside one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs a future inside this scope: for tasks that are spawned.
    pub async fn instrument<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }

    /// Runs a function inside this scope: for threads.
    pub fn enter<T>(&self, function: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), function)
    }

    /// The root operation.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What flags and faults are evaluated with.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// What the request is drawn by.
    #[must_use]
    pub fn draw_key(&self) -> DrawKey {
        self.0.key
    }

    /// Whether faults may strike it at all.
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.0.eligible
    }

    pub(crate) fn memory(&self) -> &Mutex<Memory> {
        &self.0.memory
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.faults.operation_ends(&self.operation);
    }
}
