//! Invariant 6, the SDK never hurts its host: asking for a flag allocates nothing.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with it; it adds nothing else")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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
