//! Evaluating allocates nothing.
#![expect(unsafe_code, reason = "a global allocator that counts can only be written with it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use daybreak_engine::compile;
use daybreak_model::{Condition, Context, Flag, Key};
use serde_json::json;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn evaluating_allocates_nothing() {
    let tests = json!([
        {"equals": "x"}, {"in": ["x", "y"]}, {"not_in": ["2026-01-01T00:00:00Z"]}, {"contains": "zz"},
        {"starts_with": ["q"]}, {"ends_with": ["q"]}, {"matches": {"regex": "(?i)(firefox|chrome|safari)/[0-9]{2,3}.*(mobile|tablet)"}}, {"gt": 1.0},
        {"before": "2020-01-01T00:00:00Z"}, {"semver": ">=2.3.0"}, {"cidr": ["10.0.0.0/8"]}, {"exists": false}
    ]);
    let mut rules = Vec::new();
    for (at, test) in tests.as_array().unwrap().iter().enumerate() {
        let when = json!({"all": [
            {"attribute": {"attribute": "a", "test": test, "ignore_case": at % 2 == 0}}, {"segment": "never"}
        ]});
        rules.push(json!({"name": format!("r{at}"), "when": when, "serve": "on"}));
    }
    rules.push(json!({"name": "share", "percentage": 1, "by": "n", "serve": "on"}));
    rules.push(json!({"name": "all", "rollout": {"on": 50_000, "off": 50_000}}));
    let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "rules": rules});
    let flag: Flag = serde_json::from_value(flag).unwrap();
    let never = json!({"attribute": {"attribute": "none.at.all", "test": {"exists": true}}});
    let never: Condition = serde_json::from_value(never).unwrap();
    let key: Key = "f".parse().unwrap();
    let snapshot = compile([(&key, &flag, 1)], &BTreeMap::from([("never".parse().unwrap(), never)]));
    for value in [
        json!("2019-01-01T00:00:00Z"),
        json!("::ffff:10.0.0.1"),
        json!("2.4.0-rc.1"),
        json!(["X", 5]),
        json!(7),
        json!("Chrome/91 (tablet)"),
        json!("firefox/8"),
        json!("Mozilla Safari/605 of some mobile"),
    ] {
        let json = json!({"targetingKey": "user-1", "n": 5, "a": value});
        let context = Context::from_json(&json).unwrap();
        let before = COUNT.with(Cell::get);
        let detail = snapshot.evaluate("f", &context);
        let after = COUNT.with(Cell::get);
        assert!(detail.rule().is_some());
        assert_eq!(after - before, 0, "{json}");
    }
}
