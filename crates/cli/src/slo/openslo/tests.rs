//! What comes back as it went, and what is refused by its name.

use serde_json::{Value, json};

use super::{export, import};

const EXAMPLE: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: { name: search, displayName: Search }
spec:
  description: Searches are answered
  service: catalogue
  indicator:
    metadata: { name: search }
    spec:
      ratioMetric:
        counter: true
        good: { metricSource: { type: Prometheus, spec: { query: 'http_requests_total{code!~"5.."}' } } }
        total: { metricSource: { type: Prometheus, spec: { query: http_requests_total } } }
  timeWindow: [{ duration: 4w, isRolling: true }]
  budgetingMethod: Occurrences
  objectives: [{ displayName: good, target: 0.995 }]
"#;

fn slo(text: &str, key: &str) -> Value {
    let document: Value = serde_yaml::from_str(&import(text).unwrap().document).unwrap();
    document["slos"][key].clone()
}

#[test]
fn what_can_be_counted_is_taken() {
    let expected = json!({
        "description": "Searches are answered", "objective": "99.5%", "window": "28d",
        "sli": { "prometheus": { "good": "http_requests_total{code!~\"5..\"}", "total": "http_requests_total" } },
    });
    assert_eq!(slo(EXAMPLE, "search"), expected);
}

#[test]
fn what_is_left_out_is_named_and_what_is_no_counter_is_warned_of() {
    let notes = import(EXAMPLE).unwrap().notes;
    let expected = ["search: metadata.displayName", "search: spec.service", "search: spec.objectives[0].displayName"];
    assert!(expected.iter().all(|path| notes.contains(&format!("left out: {path};"))), "{notes}");
    assert_eq!(notes.lines().count(), 3, "{notes}");
    let rated = EXAMPLE.replace("query: http_requests_total }", "query: 'sum(rate(http_requests_total[5m]))' }");
    let notes = import(&rated).unwrap().notes;
    assert!(notes.contains("`rate` gives no counter"), "{notes}");
    let bare = EXAMPLE.replace("  description: Searches are answered\n", "");
    assert!(!import(&bare).unwrap().notes.contains("metadata.displayName"), "it is the description");
}

#[test]
fn exported_and_imported_is_the_same() {
    let slos = [
        json!({ "owner": "payments", "objective": "99.9%", "window": "28d",
                "sli": { "operation": "POST /checkout", "good": { "status": "<500", "latency": "<400ms" } } }),
        json!({ "description": "x", "objective": "99.995%", "window": "7d",
                "sli": { "prometheus": { "good": "a", "total": "b" } } }),
    ];
    for document in slos {
        assert_eq!(slo(&export("checkout", &document).unwrap(), "checkout"), document);
    }
}

#[test]
fn what_cannot_be_said_is_not_exported() {
    let with = |window: &str, sli: Value| json!({ "objective": "99%", "window": window, "sli": sli });
    let operation = json!({ "operation": "GET /", "good": { "status": "<500" } });
    let mut both = operation.clone();
    both["prometheus"] = json!({ "good": "a", "total": "b" });
    let cases = [
        ("checkout", with("month", operation.clone()), "calendar month"),
        ("checkout", with("28d", both), "both"),
        ("Checkout.v2", with("28d", operation), "lower-case"),
    ];
    for (key, document, why) in cases {
        let error = export(key, &document).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn everything_else_is_refused_by_its_name() {
    let cases = [
        ("budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "search: spec.budgetingMethod"),
        ("isRolling: true", "isRolling: false", "timeWindow[0].isRolling"),
        ("isRolling: true", "isRolling: true, calendar: {}", "timeWindow[0].calendar"),
        ("duration: 4w", "duration: 1M", "`28d` or `4w`"),
        ("duration: 4w", "duration: 400d", "from 1 to 366 whole days"),
        ("target: 0.995", "target: 0.995, timeSliceTarget: 0.9", "objectives[0].timeSliceTarget"),
        ("target: 0.995", "target: 0.9999999", "steps of 0.001%"),
        ("target: 0.995", "targetPercent: 80", "could never fire"),
        ("[{ displayName: good, target: 0.995 }]", "[{ target: 0.9 }, { target: 0.99 }]", "exactly one"),
        ("counter: true", "counter: false", "ratioMetric.counter"),
        ("        good: {", "        bad: {", "ratioMetric.bad"),
        ("ratioMetric:", "thresholdMetric:", "spec.thresholdMetric"),
        (
            "{ type: Prometheus, spec: { query: http",
            "{ type: Datadog, spec: { query: http",
            "`Prometheus` and `Daybreak`",
        ),
        ("  service: catalogue", "  service: catalogue\n  alertPolicies: []", "spec.alertPolicies"),
        ("kind: SLO", "kind: Service", "it is a Service"),
        ("openslo/v1", "openslo/v2", "openslo/v1"),
    ];
    for (this, that, why) in cases {
        assert!(EXAMPLE.contains(this), "{this}");
        let error = format!("{:#}", import(&EXAMPLE.replacen(this, that, 1)).unwrap_err());
        assert!(error.contains(why), "{that}: {error}");
    }
    assert!(import("").is_err() && import("a: [").is_err());
    let twice = import(&format!("{EXAMPLE}\n---{EXAMPLE}")).unwrap_err().to_string();
    assert!(twice.contains("two of this name"), "{twice}");
}
