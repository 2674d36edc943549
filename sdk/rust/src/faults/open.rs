//! Requests that are open, to be counted as too slow at their deadline and not only at their end: a request that
//! hangs for ever is one that users feel.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;

use crate::scope::{Scope, WeakScope};

/// As many as are watched at once; one beyond is counted at its end.
const WATCHED_MAX: usize = 100_000;
/// So many that have ended are taken out for each one that comes.
const TAKEN_OUT: usize = 2;

/// Open requests by when they began, each with its deadline.
#[derive(Debug, Default)]
pub(crate) struct Open(Mutex<VecDeque<(Duration, WeakScope)>>);

impl Open {
    /// Watches a request until its deadline on the monotonic clock.
    pub(crate) fn watch(&self, deadline: Duration, scope: &Scope) {
        let mut open = self.0.lock();
        for _ in 0..TAKEN_OUT {
            let ended = open.front().is_some_and(|(_, scope)| scope.has_ended());
            if !ended || open.pop_front().is_none() {
                break;
            }
        }
        if open.len() < WATCHED_MAX {
            open.push_back((deadline, scope.downgrade()));
        }
    }

    /// Takes out those that are open beyond their deadline.
    pub(crate) fn overdue(&self, now: Duration) -> Vec<Scope> {
        let mut overdue = Vec::new();
        let mut open = self.0.lock();
        while open.front().is_some_and(|(deadline, scope)| *deadline <= now || scope.has_ended()) {
            let due = open.pop_front().filter(|(deadline, _)| *deadline <= now);
            overdue.extend(due.and_then(|(_, scope)| scope.upgrade()));
        }
        overdue
    }
}
