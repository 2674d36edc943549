//! Invariant 6, the SDK never hurts its host: asking for a flag and passing a fault point allocate nothing.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with it; it adds nothing else")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::{Poll, Waker};

use daybreak_model::wire::{Enveloped, Position, Reply, RunGrant, RunSpec, StoreId};
use daybreak_sdk::faults::Faults;
use daybreak_sdk::scope::RootRequest;
use daybreak_sdk::{Context, TestClient};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending allocates uncounted.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl Fn()) -> u64 {
    // The first call gives this thread its counters.
    work();
    let before = ALLOCATIONS.get();
    (0..1_000).for_each(|_| work());
    ALLOCATIONS.get() - before
}

#[test]
fn invariant_6_an_evaluation_allocates_nothing() {
    let client = TestClient::new();
    client.set("boolean", true).unwrap();
    client.set("number", 2.5).unwrap();
    client.set("string", "twenty-three bytes, say").unwrap();
    let context = Context::new("user-7").with("country", "DE");
    let handle = client.flag::<bool>("boolean");

    assert_eq!(allocations(|| assert!(client.bool("boolean", &context, false))), 0, "a boolean by key");
    assert_eq!(allocations(|| assert!(handle.get(&context, false))), 0, "a boolean by handle");
    assert_eq!(allocations(|| assert!(client.number("number", &context, 0.0) > 2.0)), 0, "a number");
    assert_eq!(allocations(|| assert_eq!(client.string("string", &context, "").len(), 23)), 0, "a short string");
    assert_eq!(allocations(|| assert!(!client.bool("unknown", &context, false))), 0, "a flag that is not there");
    assert!(allocations(|| drop(Box::new(1))) > 0, "the counter counts");
}

/// Runs a future that waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing waits here"),
    }
}

/// Grants a run at this point, which treats nobody, and no other.
fn grant(faults: &Faults, run: u64, point: &str) {
    let spec: RunSpec = serde_json::from_value(serde_json::json!({
        "fault": "fault", "point": point, "by": "request", "salt": "salt", "effect": { "abort": true },
    }))
    .unwrap();
    let now = faults.now();
    let run = RunGrant {
        id: daybreak_model::RunId::new(run),
        stage: 0,
        percentage: daybreak_model::Percentage::ZERO,
        cap: 64,
        ends_at: now.wall + jiff::SignedDuration::from_hours(1),
        spec: Some(Enveloped::new(1, &spec).unwrap()),
    };
    let reply = Reply {
        environment: "test".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: now.wall,
        lease: daybreak_model::Millis::from_secs(30),
        interval: daybreak_model::Millis::from_secs(2),
        halted: false,
        first: false,
        runs: vec![run],
        stale_after: None,
        measures: Vec::new(),
        sketches: Vec::new(),
    };
    faults.grant(&reply, now);
    assert_eq!(faults.leases().len(), 1);
}

#[test]
fn invariant_6_a_pass_that_nothing_strikes_allocates_nothing() {
    let client = TestClient::new();
    let point = client.point("payment.gateway");
    let open = || client.faults().open(|| RootRequest::new("POST /checkout", Context::default()));
    let pass = || assert!(ready(point.pass()).is_ok());
    assert_eq!(allocations(pass), 0, "outside of a scope");
    let requests: Vec<_> = (0..1_001).map(|_| open()).collect();
    let next = Cell::new(0);
    let first_pass = || requests[next.replace(next.get() + 1)].scope().enter(pass);
    assert_eq!(allocations(first_pass), 0, "the first pass of a request");
    let request = open();
    request.scope().enter(|| {
        assert_eq!(allocations(pass), 0, "inside a scope");
        assert_eq!(allocations(|| assert!(ready(client.fault_point("payment.gateway")).is_ok())), 0, "by name");
        assert_eq!(allocations(|| assert!(point.pass_blocking().is_ok())), 0, "of a thread");
        grant(client.faults(), 1, "catalogue.search");
        assert_eq!(allocations(pass), 0, "with a run elsewhere");
        grant(client.faults(), 2, "payment.gateway");
        assert_eq!(allocations(pass), 0, "in the control arm");
    });
}
