//! What every store must do, as a suite that runs against any.
//!
//! Call [`run`] in a test, on a runtime with several threads.

mod commits;
mod events;
mod others;
mod watches;

use std::future::Future;
use std::sync::Arc;

use daybreak_model::{Key, Kind};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Change, Event, Store, StoreError};

type Done = Result<(), StoreError>;

/// Runs the whole suite; each check begins with a store of its own, fresh and empty.
///
/// # Panics
/// At the first check that fails.
pub async fn run<F>(open: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn Store>>,
{
    macro_rules! check {
        ($($check:path),+ $(,)?) => {
            $({
                let done = $check(open().await).await;
                assert!(done.is_ok(), "{}: {done:?}", stringify!($check));
            })+
        };
    }
    check!(
        commits::a_fresh_store_is_empty,
        commits::a_commit_puts_and_removes,
        commits::a_conflict_changes_nothing,
        commits::several_commits_are_all_or_none,
        commits::one_commit_wins_at_each_revision,
        commits::commits_at_any_revision_all_succeed,
        commits::nothing_is_seen_half_committed,
        watches::a_watch_sees_every_commit_in_order,
        watches::a_watch_waits,
        watches::a_watch_from_the_future_fails,
        events::events_are_numbered_and_paged,
        events::events_are_filtered,
        events::events_are_read_in_either_order,
        others::reports_are_replaced_and_dropped,
        others::one_holder_leads,
        others::messages_arrive_at_least_once,
        others::notes_last_and_change_nothing,
        others::a_halt_holds_until_it_is_lifted,
    );
}

/// A moment, and so many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_428_000 + seconds).unwrap_or_default()
}

fn flag(key: &str) -> (Kind, Key) {
    // A key that is none would be the suite's own mistake.
    (Kind::Flag, key.parse().unwrap_or_else(|error| panic!("{key}: {error}")))
}

pub(crate) fn event(kind: &str, subject: &str, seconds: i64) -> Event {
    Event {
        at: at(seconds),
        kind: kind.to_owned(),
        subject: Some(subject.to_owned()),
        actor: None,
        reason: None,
        data: Value::Null,
    }
}

/// A change that puts one flag.
fn put(key: &str, value: u64) -> Change {
    let mut change = Change::default();
    change.resources.insert(flag(key), Some(json!({ "value": value }).into()));
    change
}
