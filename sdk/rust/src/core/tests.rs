//! How old flags may be, and what is asked for in vain.

use daybreak_model::wire::{Snapshot, StoreId};

use super::*;
use crate::faults::{self, TestClock};
use crate::flag::FlagType;
use crate::served::Begin;

const SECOND: Duration = Duration::from_secs(1);

/// A client with the flag `f`, as old as the cache that it was kept in.
fn core(stale_after: Option<Duration>) -> (Arc<TestClock>, Core) {
    core_with(stale_after, None)
}

fn core_with(stale_after: Option<Duration>, telemetry: Option<Telemetry>) -> (Arc<TestClock>, Core) {
    let clock = Arc::new(TestClock::new());
    let settings = Settings {
        url: "http://test".to_owned(),
        environment: None,
        service: "test".to_owned(),
        token: None,
        client_certificate: None,
        instance: InstanceId::new(0),
        stale_after,
        on_evaluation: None,
        telemetry,
    };
    let faults = Faults::with_clock(faults::Settings::default(), Arc::<TestClock>::clone(&clock));
    let core = Core::new(settings, faults, Listeners::at_once());
    core.update(true, |documents| documents.begin_with(&Begin::Cache(snapshot(1)))).unwrap();
    (clock, core)
}

fn at(revision: u64) -> Position {
    Position { store: StoreId::new(1), revision }
}

fn snapshot(revision: u64) -> Snapshot {
    let flag = serde_json::json!({"variants": {"off": false, "on": true}, "default": "on"});
    serde_json::from_value(serde_json::json!({
        "position": at(revision), "environment": "test",
        "flags": { "f": { "level": 1, "revision": 1, "resource": flag } },
    }))
    .unwrap()
}

fn serve(core: &Core, revision: u64) {
    core.update(false, |documents| documents.replace(&snapshot(revision))).unwrap();
}

/// The reason after so many seconds, with the age in seconds.
fn after(clock: &TestClock, core: &Core, seconds: u32) -> (Reason, Option<u64>) {
    clock.pass(SECOND * seconds);
    core.look_at_age();
    let detail = core.detail("f", &Context::default(), false, FlagType::read);
    assert!(detail.value, "the answer stays as it is");
    assert_eq!(core.status().stale, detail.reason == Reason::Stale);
    (detail.reason, detail.age.map(|age| age.as_secs()))
}

#[test]
fn what_is_older_than_tolerated_is_stale_and_says_how_old_it_is() {
    let (clock, core) = core(Some(10 * SECOND));
    assert_eq!(after(&clock, &core, 10), (Reason::Cached, None));
    assert_eq!(after(&clock, &core, 1), (Reason::Stale, Some(11)), "never heard, for too long");
    core.heard(ClientState::Streaming);
    serve(&core, 2);
    assert_eq!(after(&clock, &core, 0), (Reason::Static, None));
    assert_eq!(after(&clock, &core, 10), (Reason::Static, None));
    assert_eq!(after(&clock, &core, 2), (Reason::Stale, Some(12)));
    clock.suspend(SECOND);
    assert_eq!(after(&clock, &core, 0), (Reason::Stale, Some(13)), "asleep, it hears nothing either");
    core.heard(ClientState::Polling);
    assert_eq!(after(&clock, &core, 0), (Reason::Static, None));
}

#[test]
fn the_server_tells_what_is_tolerated_unless_the_builder_does() {
    let (clock, core) = core(None);
    core.heard(ClientState::Streaming);
    serve(&core, 2);
    assert_eq!(after(&clock, &core, 100_000), (Reason::Static, None), "for ever, unless told otherwise");
    core.tolerate(Some(30 * SECOND));
    assert_eq!(after(&clock, &core, 0), (Reason::Stale, Some(100_000)));
    core.heard(ClientState::Streaming);
    assert_eq!(after(&clock, &core, 31), (Reason::Stale, Some(31)));
    core.tolerate(None);
    assert_eq!(after(&clock, &core, 0), (Reason::Static, None));
    let (clock, core) = self::core(Some(10 * SECOND));
    core.heard(ClientState::Streaming);
    serve(&core, 2);
    core.tolerate(Some(30 * SECOND));
    assert_eq!(after(&clock, &core, 11), (Reason::Stale, Some(11)));
}

/// The ages that events tell.
#[derive(Clone, Default)]
struct Ages(Arc<Mutex<Vec<u64>>>);

impl tracing::field::Visit for Ages {
    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "daybreak.flag.age_ms" {
            self.0.lock().push(value);
        }
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Ages {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

#[test]
fn an_event_of_an_evaluation_tells_how_old_a_stale_answer_may_be() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let ages = Ages::default();
    let (clock, core) = core_with(Some(10 * SECOND), Some(Telemetry::tracing()));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(ages.clone()), || {
        assert_eq!(after(&clock, &core, 10), (Reason::Cached, None));
        assert_eq!(after(&clock, &core, 1), (Reason::Stale, Some(11)));
    });
    assert_eq!(*ages.0.lock(), [11_000]);
}

#[test]
fn how_long_a_position_is_served() {
    let (clock, core) = core(None);
    serve(&core, 2);
    clock.pass(3 * SECOND);
    assert_eq!(core.age_of(Some(at(2))), Some(3 * SECOND));
    serve(&core, 2);
    assert_eq!(core.age_of(Some(at(2))), Some(3 * SECOND), "the same once more is nothing new");
    core.reach(at(5));
    clock.pass(SECOND);
    assert_eq!((core.age_of(Some(at(2))), core.age_of(Some(at(5)))), (None, Some(SECOND)));
    assert_eq!(core.age_of(None), None);
}

#[test]
fn what_is_asked_for_in_vain_is_counted_once_flags_are_there() {
    let (_, core) = core(None);
    let ask = |key: &str| core.value::<bool>(key, &Context::default());
    assert_eq!(ask("g"), None);
    assert!(core.usage.unknown.counts().is_empty(), "nobody knows yet what there is");
    serve(&core, 2);
    (0..3).for_each(|_| assert_eq!(ask("g"), None));
    assert_eq!(ask("f"), Some(true));
    assert_eq!(core.usage.unknown.counts(), [("g".to_owned(), 3)].into());
}
