//! What the client counts, for Prometheus: OpenMetrics text, for the application to mount where it is scraped.
//!
//! Nothing is counted for it that is not counted anyway: an evaluation costs the same with it and without.

use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use daybreak_model::wire::ClientState;
use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::CounterWithExemplar;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustc_hash::FxHashSet;

use crate::core::Core;

/// The content type of [`Client::metrics`](crate::Client::metrics).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Series of evaluations, and of those that failed; what is beyond counts as [`OTHER`].
pub(crate) const SERIES_MAX: usize = 2_000;
/// What is counted together. No key begins like this.
const OTHER: &str = "_other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVariant {
    flag: String,
    variant: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFlag {
    flag: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFault {
    fault: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

/// What leads from a count to a trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTrace {
    trace_id: String,
}

/// Who has a series: who came first keeps it, since a counter that moved would seem to begin anew.
#[derive(Debug, Default)]
pub(crate) struct Series {
    served: Mutex<FxHashSet<OfVariant>>,
    failed: Mutex<FxHashSet<OfFlag>>,
}

/// These labels, if they have a series or there is room for one more; else those of what is counted together.
fn in_series<L: Clone + Eq + Hash>(known: &mut FxHashSet<L>, labels: L, others: &L) -> L {
    if known.contains(&labels) || known.len() < SERIES_MAX && known.insert(labels.clone()) {
        labels
    } else {
        others.clone()
    }
}

const STATES: [(&str, ClientState); 4] = [
    ("starting", ClientState::Starting),
    ("streaming", ClientState::Streaming),
    ("polling", ClientState::Polling),
    ("disconnected", ClientState::Disconnected),
];

/// Everything, as it is now.
pub(crate) fn write(core: &Core) -> String {
    let mut registry = Registry::with_prefix("daybreak_sdk");
    evaluations(core, &mut registry);
    faults(core, &mut registry);
    server(core, &mut registry);
    let mut text = String::new();
    // Nothing but a failing writer fails here, and a string never does.
    let _ = text::encode(&mut text, &registry);
    text
}

fn evaluations(core: &Core, registry: &mut Registry) {
    let (served, failed) = (Family::<OfVariant, Counter>::default(), Family::<OfFlag, Counter>::default());
    let (others, other) = (OfVariant { flag: OTHER.into(), variant: OTHER.into() }, OfFlag { flag: OTHER.into() });
    let (mut serving, mut failing) = (core.series.served.lock(), core.series.failed.lock());
    for (flag, counted) in core.usage.sums() {
        for (variant, count) in &counted.variants {
            let labels = OfVariant { flag: flag.to_string(), variant: variant.to_string() };
            served.get_or_create(&in_series(&mut serving, labels, &others)).inc_by(*count);
        }
        if counted.errors > 0 {
            let labels = OfFlag { flag: flag.to_string() };
            failed.get_or_create(&in_series(&mut failing, labels, &other)).inc_by(counted.errors);
        }
    }
    registry.register("evaluations", "Evaluations, by the variant that was served", served);
    registry.register("evaluation_errors", "Evaluations that were answered with the caller's default", failed);
}

fn faults(core: &Core, registry: &mut Registry) {
    let injections = Family::<OfFault, CounterWithExemplar<OfTrace>>::default();
    for (fault, injected) in core.faults.injected() {
        let counter = injections.get_or_create_owned(&OfFault { fault });
        counter.inc_by(injected.count.saturating_sub(1), None, None);
        // The last one alone is the example: it counts one.
        let (trace, at) = injected.example.unzip();
        let trace = trace.map(|trace| OfTrace { trace_id: format!("{trace:032x}") });
        counter.inc_by(1, trace, at.map(SystemTime::from));
    }
    registry.register("injections", "Faults that were injected in this process", injections);
    let gauges = [
        ("runs_active", "Runs that may strike in this process now", core.faults.leases().len() as u64),
        ("faults_in_flight", "Faults that are being injected now", u64::from(core.faults.in_flight())),
        ("faults_allowed", "Whether faults may strike in this process", u64::from(core.faults.allowed())),
    ];
    gauges.into_iter().for_each(|(name, help, value)| gauge(registry, name, help, value));
}

fn server(core: &Core, registry: &mut Registry) {
    let status = core.status();
    let states = Family::<OfState, Gauge<u64, AtomicU64>>::default();
    for (state, is) in STATES {
        states.get_or_create(&OfState { state }).set(u64::from(status.state == is));
    }
    registry.register("state", "How the client gets its changes: 1 for what it is", states);
    gauge(registry, "revision", "The revision that is served", status.position.map_or(0, |position| position.revision));
    gauge(
        registry,
        "stale",
        "Whether the server is out of reach for longer than is tolerated",
        u64::from(status.stale),
    );
    if let Some(age) = status.age {
        let heard = Gauge::<f64, AtomicU64>::default();
        heard.set(age.as_secs_f64());
        registry.register_with_unit("server_age", "How long ago the server was heard", Unit::Seconds, heard);
    }
    let reports = Family::<OfOutcome, Counter>::default();
    for (outcome, count) in core.reports.counts() {
        reports.get_or_create(&OfOutcome { outcome }).inc_by(count);
    }
    registry.register("reports", "Reports to the server, by what came of them", reports);
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<u64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::faults::FAULTS_MAX;
    use crate::{Context, TestClient};

    #[test]
    fn everything_is_told_by_its_name() {
        let client = TestClient::new();
        client.set("new-checkout", true).unwrap();
        let context = Context::default();
        (0..3).for_each(|_| assert!(client.bool("new-checkout", &context, false)));
        assert_eq!(client.string("new-checkout", &context, "x"), "x");
        client.faults().count_injection("gateway-slow", None);
        client.core().reports.count(true);
        client.core().reports.count(false);
        let text = client.metrics();
        let lines = [
            r#"daybreak_sdk_evaluations_total{flag="new-checkout",variant="set"} 3"#,
            r#"daybreak_sdk_evaluation_errors_total{flag="new-checkout"} 1"#,
            r#"daybreak_sdk_injections_total{fault="gateway-slow"} 1"#,
            "daybreak_sdk_runs_active 0",
            "daybreak_sdk_faults_in_flight 0",
            "daybreak_sdk_faults_allowed 1",
            r#"daybreak_sdk_state{state="starting"} 1"#,
            r#"daybreak_sdk_state{state="streaming"} 0"#,
            "daybreak_sdk_revision 1",
            "daybreak_sdk_stale 0",
            r#"daybreak_sdk_reports_total{outcome="delivered"} 1"#,
            r#"daybreak_sdk_reports_total{outcome="lost"} 1"#,
        ];
        for line in lines {
            assert!(text.lines().any(|one| one == line), "no `{line}` in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn labels_are_bounded_and_no_count_is_lost() {
        const FLAGS: usize = SERIES_MAX + 10;
        let client = TestClient::new();
        let context = Context::default();
        let keys: Vec<_> = (0..FLAGS).map(|number| format!("flag-{number}")).collect();
        client.set_all(keys.iter().map(|key| (key.as_str(), true))).unwrap();
        keys.iter().for_each(|key| assert!(client.bool(key, &context, false)));
        (0..FAULTS_MAX + 10).for_each(|number| client.faults().count_injection(&format!("fault-{number}"), None));
        let text = client.metrics();
        let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect::<Vec<_>>();
        let sum = |lines: &[String]| -> usize {
            lines.iter().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
        };
        let (evaluations, injections) = (of("daybreak_sdk_evaluations_total"), of("daybreak_sdk_injections_total"));
        assert_eq!((evaluations.len(), sum(&evaluations)), (SERIES_MAX + 1, FLAGS));
        assert_eq!((injections.len(), sum(&injections)), (FAULTS_MAX + 1, FAULTS_MAX + 10));
    }

    /// A flag named `other` is one like any other, and what is counted together is none.
    #[test]
    fn no_flag_and_no_fault_is_called_as_the_others_are() {
        assert!(daybreak_model::Key::new(OTHER).is_err());
        let client = TestClient::new();
        let keys: Vec<_> = (0..=SERIES_MAX).map(|number| format!("flag-{number}")).collect();
        client.set_all(keys.iter().map(String::as_str).chain(["other"]).map(|key| (key, true))).unwrap();
        let context = Context::default();
        assert!(client.bool("other", &context, false));
        let _ = client.metrics();
        keys.iter().for_each(|key| assert!(client.bool(key, &context, false)));
        client.faults().count_injection("other", None);
        (0..FAULTS_MAX).for_each(|number| client.faults().count_injection(&format!("fault-{number}"), None));
        let text = client.metrics();
        let lines = [
            r#"daybreak_sdk_evaluations_total{flag="other",variant="set"} 1"#,
            r#"daybreak_sdk_evaluations_total{flag="_other",variant="_other"} 2"#,
            r#"daybreak_sdk_injections_total{fault="other"} 1"#,
            r#"daybreak_sdk_injections_total{fault="_other"} 1"#,
        ];
        for line in lines {
            assert!(text.lines().any(|one| one == line), "no `{line}` in\n{text}");
        }
    }

    #[test]
    fn who_has_a_series_keeps_it() {
        let client = TestClient::new();
        let keys: Vec<_> = (0..SERIES_MAX).map(|number| format!("flag-{number}")).collect();
        client.set_all(keys.iter().map(String::as_str).chain(["a-new-one"]).map(|key| (key, true))).unwrap();
        let context = Context::default();
        keys.iter().for_each(|key| {
            assert!(client.bool(key, &context, false));
            assert!(client.string(key, &context, "x") == "x");
        });
        let series = |text: &str| -> BTreeSet<String> {
            text.lines().filter(|line| line.contains("flag=")).map(str::to_owned).collect()
        };
        let before = series(&client.metrics());
        assert_eq!(before.len(), SERIES_MAX * 2);
        // The first of all by its name.
        assert!(client.bool("a-new-one", &context, false) && client.string("a-new-one", &context, "x") == "x");
        let after = series(&client.metrics());
        let new: Vec<_> = after.difference(&before).map(String::as_str).collect();
        let others = [
            r#"daybreak_sdk_evaluation_errors_total{flag="_other"} 1"#,
            r#"daybreak_sdk_evaluations_total{flag="_other",variant="_other"} 1"#,
        ];
        assert_eq!((new.as_slice(), after.len()), (&others[..], before.len() + 2));
    }
}
