//! What a handler learns of the change that it makes, for whoever tells of it once it is answered.

use std::cell::RefCell;
use std::rc::Rc;

use daybreak_control::{Changed, RefusalCode};
use daybreak_document::Difference;
use daybreak_model::RunId;
use daybreak_model::wire::Position;

use crate::caller::Caller;
use crate::problem::Code;

/// Resources that are named of one change.
const SUBJECTS_MAX: usize = 20;

/// What is known of a change.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Who asked for it; none where they were not let in.
    pub caller: Option<Caller>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// Why a freeze was overridden.
    pub override_reason: Option<String>,
    /// What changed: `flags/new-checkout`; of many only the first.
    pub subjects: Vec<String>,
    /// Where the server stood after it.
    pub position: Option<Position>,
    /// Whether anything changed.
    pub changed: Option<bool>,
    /// Whether it was only tried.
    pub dry_run: bool,
    /// The run that it started.
    pub run: Option<RunId>,
    /// The runs that it ended.
    pub ended: Vec<RunId>,
    /// Why it was refused.
    pub problem: Option<Code>,
    /// What stood against a start.
    pub refusals: Vec<RefusalCode>,
}

impl Facts {
    /// Takes in what a change of resources did.
    pub fn changed(&mut self, changed: &Changed) {
        let subject = |difference: &Difference| format!("{}/{}", difference.kind.path(), difference.key);
        self.subjects = changed.differences.iter().take(SUBJECTS_MAX).map(subject).collect();
        self.acted(changed.position, changed.changed, &changed.ended);
        self.dry_run = changed.dry_run;
    }

    /// Takes in where the server stood after it, whether that is new, and which runs it ended.
    pub fn acted(&mut self, position: Position, changed: bool, ended: &[RunId]) {
        (self.position, self.changed) = (Some(position), Some(changed));
        self.ended = ended.to_vec();
    }
}

tokio::task_local! {
    /// The change that is being made.
    static FACTS: Rc<RefCell<Facts>>;
}

/// Notes something of the change that is being made; nothing where none is.
pub fn note(write: impl FnOnce(&mut Facts)) {
    let _ = FACTS.try_with(|facts| facts.try_borrow_mut().map(|mut facts| write(&mut facts)));
}

/// Does some work, and gathers what is noted meanwhile.
pub(super) async fn gather<T>(work: impl Future<Output = T>) -> (T, Facts) {
    let facts = Rc::default();
    let done = FACTS.scope(Rc::clone(&facts), work).await;
    (done, facts.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_noted_is_of_the_change_that_is_being_made() {
        note(|facts| facts.dry_run = true);
        let of = |reason: &'static str| {
            gather(async move {
                tokio::task::yield_now().await;
                note(|facts| facts.reason = Some(reason.to_owned()));
            })
        };
        let (((), a), ((), b)) = tokio::join!(of("a"), of("b"));
        assert_eq!((a.reason.as_deref(), b.reason.as_deref()), (Some("a"), Some("b")));
        assert!(!a.dry_run && !b.dry_run);
    }
}
