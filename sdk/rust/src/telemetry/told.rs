//! Which attributes a span has been told: OpenTelemetry's own SDK does not replace one that is there, it adds another.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashSet, FxHasher};

use crate::scope::Scope;

/// So many are remembered.
const TOLD_MAX: usize = 512;

/// The attributes that spans have been told, each by a hash of both.
#[derive(Debug, Default)]
pub(super) struct Told(FxHashSet<u64>);

thread_local! {
    /// Outside of requests.
    static OF_THREAD: RefCell<Told> = RefCell::default();
}

impl Told {
    /// What was told within the current request; outside of any, by this thread.
    pub(super) fn here<T>(f: impl FnOnce(&mut Self) -> T) -> T
    where
        T: Default,
    {
        if let Some(scope) = Scope::current()
            && let Some(trace) = scope.trace()
        {
            return trace.told(f);
        }
        OF_THREAD.with(|told| told.try_borrow_mut().map(|mut told| f(&mut told)).unwrap_or_default())
    }

    /// Whether a span is not known to have this attribute; it has, from now on.
    pub(super) fn is_new(&mut self, span: u64, name: &(impl Hash + ?Sized)) -> bool {
        if self.0.len() >= TOLD_MAX {
            // A span that is still there after so many may be told something twice.
            self.0.clear();
        }
        let mut hasher = FxHasher::default();
        (span, name).hash(&mut hasher);
        self.0.insert(hasher.finish())
    }
}
