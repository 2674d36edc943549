//! A run that is granted, and attributes as people would write them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use daybreak_model::wire::{Enveloped, Position, Reply, RunGrant, RunSpec, StoreId};
use daybreak_model::{Millis, Percentage, RunId};
use daybreak_sdk::TestClient;
use daybreak_sdk::faults::Faults;

pub(crate) type Attributes = BTreeMap<String, String>;

pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Runs a future that waits for nothing.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing waits here"),
    }
}

/// An effect that waits for longer than any test.
pub(crate) fn endless() -> serde_json::Value {
    serde_json::json!({ "latency": { "distribution": { "fixed": 30_000 }, "max": 30_000 }, "error": {} })
}

/// Passes the point, and has all faults halted while the strike waits.
pub(crate) fn cut_short(client: &TestClient) {
    let mut passing = pin!(client.fault_point("payment.gateway"));
    let mut poll = || passing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending(), "it waits");
    client.halt_faults();
    assert!(matches!(poll(), Poll::Ready(Ok(_))), "it goes on, and is not failed");
}

/// Grants runs of these ids, each of a fault of its own at `payment.gateway` with this effect, which treat everybody or
/// nobody.
pub(crate) fn grant(faults: &Faults, runs: &[(u64, bool)], effect: &serde_json::Value) {
    let now = faults.now();
    let run = |(id, treats): &(u64, bool)| {
        let spec: RunSpec = serde_json::from_value(serde_json::json!({
            "fault": format!("fault-{id}"), "point": "payment.gateway", "by": "request", "salt": "salt", "effect": effect,
        }))
        .unwrap();
        RunGrant {
            id: RunId::new(*id),
            stage: 0,
            percentage: if *treats { Percentage::FULL } else { Percentage::ZERO },
            cap: 64,
            ends_at: now.wall + jiff::SignedDuration::from_hours(1),
            spec: Some(Enveloped::new(1, &spec).unwrap()),
        }
    };
    let reply = Reply {
        environment: "test".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: now.wall,
        lease: Millis::from_secs(30),
        interval: Millis::from_secs(2),
        halted: false,
        first: false,
        runs: runs.iter().map(run).collect(),
        stale_after: None,
        measures: Vec::new(),
        sketches: Vec::new(),
    };
    faults.grant(&reply, now);
    assert_eq!(faults.leases().len(), runs.len());
}
