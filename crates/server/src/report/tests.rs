use serde_json::{Value as Json, json};

use super::{NOTHING_KEPT, html};

/// A run with a ramp that did harm.
fn run() -> Json {
    let arm = |requests, error| json!({ "requests": requests, "struck": 0, "error": error, "slow": 0, "cancelled": 0 });
    let moment = |second: u32, treated: (u64, u64), control: (u64, u64), ln: f64, upper: Option<f64>| {
        json!({
            "at": format!("2026-11-23T10:00:{second:02}Z"), "stage": second / 20,
            "treated": arm(treated.0, treated.1), "control": arm(control.0, control.1),
            "harm_ln_e": ln, "harm_upper": upper,
        })
    };
    json!({
        "id": "00c0ffee00c0ffee", "fault": "slow", "point": "payment.gateway", "operation": "POST /checkout",
        "percentage": "2%", "effect": { "latency": "300ms" }, "shadow": false, "hypothesis": "the queue takes over",
        "started_by": "ada", "started_at": "2026-11-23T10:00:00Z", "ends_at": "2026-11-23T10:10:00Z", "hours": "office",
        "ended": "aborted: harm", "ended_at": "2026-11-23T10:00:40Z",
        "end_reason": "treated requests do worse: the e-value of harm is 105, where 100 ends a run",
        "verdict": "harmful", "ramp": [{ "percentage": "1%", "until": "2026-11-23T10:00:20Z" }],
        "slo": "checkout", "tolerated": "1%",
        "evidence": {
            "verdict": "harmful", "sentence": "treated requests did worse than control", "reached": 3,
            "harm_ln_e": 4.654, "harm": { "lower": 0.02, "estimate": 0.05, "upper": 0.11 }, "treated_needed": 4_000,
            "treated": { "requests": 120, "struck": 119, "error": 5, "slow": 1, "cancelled": 0, "bad": 6,
                         "rate": { "lower": 0.01, "upper": 0.14 } },
            "control": { "requests": 8_000, "error": 8, "slow": 0, "cancelled": 0, "bad": 8,
                         "rate": { "lower": 0.000_3, "upper": 0.002_5 } },
            "spent": { "bad": 6, "max": 20.4 },
            "latency": { "treated": { "p50_ms": 310.2, "p90_ms": 400.0, "p99_ms": 912.0,
                         "p50_bounds_ms": { "lower": 262.143, "upper": 393.215 }, "p99_bounds_ms": { "lower": 327.679 } } },
            "timeline": [
                moment(0, (0, 0), (0, 0), 0.0, None),
                moment(15, (30, 1), (3_000, 3), 0.9, Some(0.2)),
                moment(30, (90, 4), (6_000, 6), 3.0, Some(0.13)),
                moment(40, (120, 6), (8_000, 8), 4.654, Some(0.11)),
            ],
        },
        "warnings": [],
    })
}

fn events() -> Vec<Json> {
    vec![
        json!({ "at": "2026-11-23T10:00:00Z", "kind": "run.started", "actor": "ada", "reason": "game day" }),
        json!({ "at": "2026-11-23T10:00:40Z", "kind": "run.ended", "reason": "treated requests do worse" }),
    ]
}

#[test]
fn a_report_is_as_recorded() {
    let page = html(&run(), &events(), "staging");
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/golden.html");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &page).unwrap();
    }
    let recorded = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        page == recorded,
        "the report has changed; if it was meant to: UPDATE=1 cargo test -p daybreak-server report"
    );
}

/// Every text in the run and its events, whoever wrote it, comes out as text.
#[test]
fn nothing_that_anybody_wrote_is_markup() {
    const MARKUP: &str = "\"'><script src=//evil></script><svg/onload=x>&";
    let (mut run, mut events) = (run(), events());
    spoil(&mut run, MARKUP);
    events.iter_mut().for_each(|event| spoil(event, MARKUP));
    let page = html(&run, &events, MARKUP);
    assert!(page.matches("&lt;script src=//evil&gt;").count() > 15, "{page}");
    for forbidden in ["<script", "<svg/", "'><", "\"'>"] {
        assert!(!page.contains(forbidden), "{forbidden}: {page}");
    }
}

/// Puts a text in the place of every text that is no moment.
fn spoil(value: &mut Json, with: &str) {
    match value {
        Json::String(text) if text.parse::<jiff::Timestamp>().is_err() => *text = with.to_owned(),
        Json::Array(items) => items.iter_mut().for_each(|item| spoil(item, with)),
        Json::Object(members) => members.values_mut().for_each(|member| spoil(member, with)),
        _ => {}
    }
}

#[test]
fn a_run_that_has_just_begun_has_a_report() {
    let page = html(&json!({ "id": "1", "started_at": "2026-11-23T10:00:00Z" }), &[], "test");
    assert!(page.contains("no verdict yet") && page.contains("it goes on until") && !page.contains("<svg"), "{page}");
}

/// What is not known is not shown as none.
#[test]
fn a_run_of_which_nothing_was_kept_says_so() {
    let page = html(
        &json!({ "id": "1", "started_at": "2026-11-23T10:00:00Z", "verdict": "inconclusive", "ended": "aborted: server_restarted" }),
        &[],
        "test",
    );
    assert!(page.contains(NOTHING_KEPT) && !page.contains("0 of 0") && !page.contains("success rate"), "{page}");
}

#[test]
fn a_report_needs_nothing_from_elsewhere() {
    let page = html(&run(), &events(), "test");
    for forbidden in ["<script", "http://", "https://", "src=", "url(", "@import", "href="] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}
