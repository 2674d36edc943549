//! Requests that are open, to be counted as too slow at their deadline and not only at their end: a request that
//! hangs for ever is one that users feel.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;

use crate::scope::{Scope, WeakScope};

/// For each request that comes, so many that are watched already are looked at, and taken out where they have ended. It
/// takes two for the search to get ahead of what comes.
const LOOKED_AT: usize = 2;

/// Open requests by when they began, each with its deadline.
#[derive(Debug, Default)]
pub(crate) struct Open(Mutex<Queue<WeakScope>>);

impl Open {
    /// Watches a request until its deadline on the monotonic clock.
    pub(crate) fn watch(&self, deadline: Duration, scope: &Scope) {
        self.0.lock().push(deadline, scope.downgrade(), WeakScope::has_ended);
    }

    /// Takes out those that are open beyond their deadline.
    pub(crate) fn overdue(&self, now: Duration) -> Vec<Scope> {
        let due = self.0.lock().due(now, WeakScope::has_ended);
        // A scope that ends with this look is dropped without the lock.
        due.into_iter().filter_map(|scope| scope.upgrade()).collect()
    }
}

/// What is watched, the earliest deadline first. One that stays long keeps none of those behind it that have ended: each
/// push moves the search for them on, so that as many places are held as were open at once in the last rounds.
#[derive(Debug)]
struct Queue<T> {
    places: VecDeque<Option<(Duration, T)>>,
    /// The search has come so far; what it has passed and kept is before `kept`, and what is between is empty.
    searched: usize,
    kept: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { places: VecDeque::new(), searched: 0, kept: 0 }
    }
}

impl<T> Queue<T> {
    fn push(&mut self, deadline: Duration, watched: T, has_ended: impl Fn(&T) -> bool) {
        (0..LOOKED_AT).for_each(|_| self.search(&has_ended));
        self.places.push_back(Some((deadline, watched)));
    }

    /// Looks at one place; after the last one it begins anew.
    fn search(&mut self, has_ended: impl Fn(&T) -> bool) {
        let Some(place) = self.places.get_mut(self.searched) else {
            self.places.truncate(self.kept);
            (self.searched, self.kept) = (0, 0);
            return;
        };
        let open = place.take().filter(|(_, watched)| !has_ended(watched));
        if let (Some(open), Some(place)) = (open, self.places.get_mut(self.kept)) {
            *place = Some(open);
            self.kept += 1;
        }
        self.searched += 1;
    }

    /// Takes out what is due, and what has ended before it.
    fn due(&mut self, now: Duration, has_ended: impl Fn(&T) -> bool) -> Vec<T> {
        let mut due = Vec::new();
        let over = |place: &Option<(Duration, T)>| {
            place.as_ref().is_none_or(|(deadline, watched)| *deadline <= now || has_ended(watched))
        };
        while self.places.front().is_some_and(over) {
            let first = self.places.pop_front().flatten().filter(|(deadline, _)| *deadline <= now);
            due.extend(first.map(|(_, watched)| watched));
            self.searched = self.searched.saturating_sub(1);
            self.kept = self.kept.saturating_sub(1);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn invariant_6_one_that_hangs_keeps_nothing_of_those_behind_it() {
        let mut queue = Queue::default();
        let latest = RefCell::new(0_u64);
        // The first hangs; of the others ten are open at any time.
        let has_ended = |number: &u64| *number != 0 && *number + 10 < *latest.borrow();
        for number in 0..100_000 {
            *latest.borrow_mut() = number;
            queue.push(at(number), number, has_ended);
            assert!(queue.places.len() <= 50, "{} places after {number}", queue.places.len());
        }
        assert_eq!(queue.due(at(0), has_ended), [0], "it is counted all the same");
    }

    /// More than any bound that was ever set are watched, each until its deadline.
    #[test]
    fn all_that_are_open_are_watched() {
        let mut queue = Queue::default();
        (0..300_000).for_each(|number| queue.push(at(number), number, |_| false));
        assert_eq!(queue.due(at(299_998), |_| false).len(), 299_999);
        assert_eq!(queue.due(at(299_999), |_| false), [299_999]);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Begin,
        /// The open one of this index.
        End(usize),
        /// So many milliseconds pass, and those that are due are taken out.
        Pass(u64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![4 => Just(Step::Begin), 4 => (0..50_usize).prop_map(Step::End), 1 => (0..40_u64).prop_map(Step::Pass)]
    }

    proptest! {
        /// Whatever begins and ends: those that are open at their deadline are taken out, once each, and no others.
        #[test]
        fn whoever_is_open_at_its_deadline_is_found(steps in prop::collection::vec(any_step(), 0..400)) {
            let (mut queue, open) = (Queue::default(), RefCell::new(BTreeSet::new()));
            let (mut now, mut next) = (0_u64, 0_u64);
            for step in steps {
                let has_ended = |watched: &(u64, u64)| !open.borrow().contains(watched);
                match step {
                    Step::Begin => {
                        let watched = (now + 100, next);
                        open.borrow_mut().insert(watched);
                        queue.push(at(now + 100), watched, has_ended);
                        next += 1;
                    }
                    Step::End(index) => {
                        let ended = open.borrow().iter().nth(index).copied();
                        if let Some(ended) = ended {
                            open.borrow_mut().remove(&ended);
                        }
                    }
                    Step::Pass(millis) => {
                        now += millis;
                        let due: Vec<_> = queue.due(at(now), has_ended).into_iter().filter(|one| !has_ended(one)).collect();
                        let expected: Vec<_> = open.borrow().iter().filter(|(deadline, _)| *deadline <= now).copied().collect();
                        prop_assert_eq!(&due, &expected);
                        for due in due {
                            open.borrow_mut().remove(&due);
                        }
                    }
                }
            }
        }
    }
}
