//! Runs that draw by an attribute: what is told of keys.

use daybreak_model::limits::BAD_KEYS_OF_CLIENT_MAX;
use daybreak_model::wire::{ArmKeys, SketchWanted};
use daybreak_model::{DrawBy, Effect, Key, KeyHash, Percentage};

use super::super::fixtures::{error, reply, run_grant, spec};
use super::*;
use crate::scope::{Outcome, RootRequest};

/// Faults with a run that draws this share of accounts, and whose server wants accounts counted.
fn sticky(share: Percentage, effect: Effect) -> (Faults, Arc<TestClock>) {
    let (faults, clock) = faults(Settings::default());
    let spec = RunSpec { by: DrawBy::Attribute("account".into()), ..spec(POINT, effect) };
    let mut grant = run_grant(&faults, 1, &spec);
    grant.percentage = share;
    let mut reply = reply(&faults, vec![grant]);
    let wanted =
        SketchWanted { point: Key::new(POINT).unwrap(), attribute: "account".to_owned(), salt: "s".to_owned() };
    reply.sketches = vec![wanted];
    faults.grant(&reply, faults.now());
    (faults, clock)
}

/// A request of this account passes the point, and comes to this; none is one whose client leaves.
fn request(faults: &Faults, account: Option<u64>, outcome: Option<Outcome>) {
    let context = account
        .map_or_else(Context::default, |account| Context::default().with("account", format!("account-{account}")));
    let mut open = faults.open(|| RootRequest::new(OPERATION, context));
    open.scope().enter(|| drop(faults.fault_point_blocking(POINT)));
    outcome.into_iter().for_each(|outcome| open.end(outcome));
}

fn keys(faults: &Faults, arm: Arm) -> ArmKeys {
    let arms = report(faults).arms.into_iter().filter(|counts| counts.arm == arm);
    arms.filter_map(|counts| counts.keys).next().unwrap_or_default()
}

fn bad(keys: &ArmKeys, metric: Metric) -> Vec<KeyHash> {
    keys.bad.get(&metric).map(|keys| keys.iter().collect()).unwrap_or_default()
}

#[test]
fn a_key_that_is_bad_ten_times_is_told_once() {
    let (first, _) = sticky(Percentage::FULL, error(503));
    for _ in 0..10 {
        request(&first, Some(1), Some(Outcome::Status(500)));
    }
    request(&first, Some(2), Some(Outcome::Status(200)));
    // Without its key a request is in neither arm.
    request(&first, None, Some(Outcome::Status(500)));
    let told = keys(&first, Arm::Treated);
    assert_eq!((told.drawn.count(), told.struck.count(), told.full), (2, 2, false));
    assert_eq!((bad(&told, Metric::Error).len(), bad(&told, Metric::Cancelled).len()), (1, 0));
    assert_eq!(counted(&first, 1, Arm::Treated, Metric::Requests), 11);
    // By its first bad outcome.
    request(&first, Some(1), None);
    request(&first, Some(3), None);
    let told = keys(&first, Arm::Treated);
    assert_eq!((bad(&told, Metric::Error).len(), bad(&told, Metric::Cancelled).len()), (1, 1));
    // Another process tells the same of it.
    let (second, _) = sticky(Percentage::FULL, error(503));
    request(&second, Some(1), Some(Outcome::Status(500)));
    assert_eq!(bad(&keys(&second, Arm::Treated), Metric::Error), bad(&told, Metric::Error));
    let seen = report(&second).keys.remove(0);
    assert_eq!((seen.requests, seen.keys.count(), seen.heaviest.len()), (1, 1, 1));
    assert!(!seen.heaviest.contains_key(&bad(&told, Metric::Error)[0]), "the salts differ");
}

#[test]
fn more_bad_keys_than_are_told() {
    let (faults, _) = sticky(Percentage::ZERO, error(503));
    for account in 0..BAD_KEYS_OF_CLIENT_MAX as u64 + 10 {
        request(&faults, Some(account), Some(Outcome::Status(500)));
        request(&faults, Some(account), Some(Outcome::Status(500)));
    }
    let told = keys(&faults, Arm::Control);
    assert_eq!((bad(&told, Metric::Error).len(), told.full), (BAD_KEYS_OF_CLIENT_MAX, true));
    let bytes = serde_json::to_vec(&report(&faults)).unwrap().len();
    assert!(bytes < daybreak_model::limits::REPORT_PART_BYTES_MAX * 3 / 4, "{bytes} bytes");
}
