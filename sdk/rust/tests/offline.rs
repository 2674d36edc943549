//! A client whose server is down: it begins at once, with what it has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use daybreak_sdk::{Builder, Client, ClientState, Context, ErrorCode, Reason};

const SNAPSHOT: &str = r#"{
    "position": "0000000000000001:7", "environment": "test",
    "flags": {
        "f": {"level": 1, "revision": 3, "resource": {"variants": {"off": false, "on": true}, "default": "on"}},
        "n": {"level": 1, "revision": 3, "resource": {"variants": {"a": 7}, "default": "a"}},
        "newer": {"level": 99, "revision": 7, "resource": {"of": "another time"}}
    }
}"#;

/// A client of a port where nobody listens, with a bootstrap file.
fn builder(folder: &tempfile::TempDir) -> Builder {
    let file = folder.path().join("bootstrap.json");
    std::fs::write(&file, SNAPSHOT).unwrap();
    Client::builder("http://127.0.0.1:9").service("test").bootstrap_file(file)
}

/// Invariant 6: a lost server costs nothing, and the flags are there.
#[test]
fn invariant_6_a_client_begins_with_its_bootstrap_file() {
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&folder).build().unwrap();
    let context = Context::default();
    let detail = client.bool_detail("f", &context, false);
    assert_eq!((detail.value, detail.reason, detail.revision), (true, Reason::Cached, Some(3)));
    assert_eq!(client.integer("n", &context, 0), 7);
    assert!((client.number("n", &context, 0.0) - 7.0).abs() < f64::EPSILON);
    assert_eq!(client.bool_detail("newer", &context, true).error_code, Some(ErrorCode::FlagNotFound));
    let status = client.status();
    assert_eq!((status.state, status.position, status.age), (ClientState::Starting, None, None));
}

#[test]
fn without_anything_defaults_are_served() {
    let client = Client::builder("http://127.0.0.1:9").service("test").build().unwrap();
    let detail = client.bool_detail("f", &Context::default(), true);
    assert_eq!((detail.value, detail.error_code), (true, Some(ErrorCode::ProviderNotReady)));
}

#[test]
fn a_hook_hears_of_each_evaluation_and_may_not_hurt() {
    let folder = tempfile::tempdir().unwrap();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let calls = AtomicU32::new(0);
    let log = Arc::clone(&heard);
    let client = builder(&folder).on_evaluation(move |evaluation| {
        log.lock().unwrap().push(format!("{} {:?} {}", evaluation.flag, evaluation.variant, evaluation.reason));
        assert!(calls.fetch_add(1, Ordering::Relaxed) < 3, "the hook gives up");
    });
    let client = client.build().unwrap();
    let (context, handle) = (Context::default(), client.flag::<bool>("f"));
    assert!(client.bool("f", &context, false));
    assert!(handle.get(&context, false) && handle.get(&context, false));
    assert!(!client.bool("x", &context, false), "a hook that panics changes no answer");
    let expected = ["f Some(\"on\") CACHED", "f Some(\"on\") CACHED", "f Some(\"on\") CACHED", "x None ERROR"];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn what_cannot_be_built_says_what_to_write() {
    let error = |builder: Builder| builder.build().unwrap_err().to_string();
    assert!(error(Client::builder("localhost:8080").service("a")).contains("`http://localhost:8080`"));
    assert!(error(Client::builder("http://localhost:8080")).contains(".service(\"shop\")"));
    assert!(error(Client::builder("http://localhost:8080").service("a").permit_points(["a b"])).contains("`a b`"));
}
