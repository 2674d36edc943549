//! What is received, told again, forged and frozen.

mod pagerduty;

use std::time::Duration;

use daybreak_document::Source;
use daybreak_guard::people::Received;
use daybreak_model::Kind;
use daybreak_store::EventFilter;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, MONDAY, TestClient};
use crate::{ApplyOptions, FilesError, LoadError, Precondition, Urgency};

const ON_CALL: &str = r#"
on_call:
  payments:
    pages_per_week: 2
    off_hours_incidents_per_half_year: 1
    hours: office
    match: { receiver: payments-pager, labels: { severity: page }, service: PSVC01 }
    freeze: changes
  orders: { pages_per_week: 2, off_hours_incidents_per_half_year: 1, hours: office, match: { labels: { team: orders } } }
"#;

async fn bench() -> Bench {
    let bench = Bench::new().await;
    apply(&bench, ON_CALL, Actor::default()).await.unwrap();
    bench
}

async fn apply(bench: &Bench, text: &str, actor: Actor) -> Result<crate::Changed, Refusal> {
    bench.control.apply(vec![Source::new("more.yaml", text)], ApplyOptions::default(), actor).await
}

/// A notification of Alertmanager: of each alert its fingerprint, since when it fires, and whether it does.
fn notification(receiver: &str, alerts: &[(&str, &str, &str)]) -> Vec<u8> {
    let alert = |(fingerprint, since, status): &(&str, &str, &str)| {
        json!({
            "status": status, "labels": {"alertname": "CheckoutDown", "severity": "page"},
            "annotations": {"summary": "Checkout is down"}, "startsAt": since, "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph", "fingerprint": fingerprint,
        })
    };
    let notification = json!({
        "receiver": receiver, "status": "firing", "alerts": alerts.iter().map(alert).collect::<Vec<_>>(),
        "groupLabels": {}, "commonLabels": {"alertname": "CheckoutDown"}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example", "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0,
        "anything": {"new": [1]},
    });
    serde_json::to_vec(&notification).unwrap()
}

fn pages(answer: &ReceivedPages) -> Vec<(&str, Received)> {
    answer.pages.iter().map(|page| (page.on_call.as_str(), page.received)).collect()
}

fn count(bench: &Bench, on_call: &str) -> usize {
    bench.control.on_call_status(on_call).unwrap().state.pages.count
}

#[tokio::test]
async fn alertmanagers_repeats_are_no_pages() {
    let bench = bench().await;
    let (a, b) = (("a1", "2026-11-23T09:59:00.123456789Z", "firing"), ("b2", "2026-11-23T10:01:00+01:00", "firing"));
    let (a_over, a_again) = (("a1", a.1, "resolved"), ("a1", "2026-11-23T11:00:00Z", "firing"));
    let payments = |received| vec![("payments", received)];
    let steps = [
        ("payments-pager", vec![a], payments(Received::Counted)),
        ("payments-pager", vec![a], payments(Received::Repeat)),
        ("payments-pager", vec![a, b], payments(Received::Repeat)),
        ("payments-pager", vec![a_over, b], payments(Received::Repeat)),
        ("payments-pager", vec![a_over], vec![]),
        ("payments-mail", vec![a_again], vec![]),
        ("payments-pager", vec![a_again], payments(Received::Counted)),
        ("payments-pager", vec![a], payments(Received::Repeat)),
    ];
    for (receiver, alerts, expected) in steps {
        let answer =
            bench.control.receive_alerts(&notification(receiver, &alerts), false, Actor::named("am")).await.unwrap();
        assert_eq!(pages(&answer), expected, "{receiver} {alerts:?}");
        assert_eq!(answer.unmatched, receiver == "payments-mail", "{receiver} {alerts:?}");
    }
    assert_eq!(count(&bench, "payments"), 2);
    assert_eq!(count(&bench, "orders"), 0);
    let log = bench
        .control
        .events(EventFilter { kind: Some("page.received".to_owned()), ..EventFilter::default() }, 10)
        .await;
    let log = log.unwrap().events;
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].event.subject.as_deref(), Some("on-call/payments"));
    assert_eq!(log[0].event.data["title"], "Checkout is down");

    let bench = bench.restarted().await;
    assert_eq!(count(&bench, "payments"), 2);
    let again =
        bench.control.receive_alerts(&notification("payments-pager", &[b]), false, Actor::default()).await.unwrap();
    assert_eq!(pages(&again), payments(Received::Repeat), "what was told before the restart is known");
}

#[tokio::test]
async fn invariant_9_what_is_no_notification_changes_nothing() {
    let bench = bench().await;
    let whole: Value = serde_json::from_slice(&notification("payments-pager", &[("a", MONDAY, "firing")])).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let cases = [
        (String::new(), "no JSON object"),
        ("[\"4\", \"payments-pager\", {}, []]".to_owned(), "no JSON object"),
        ("{".to_owned(), "EOF"),
        (with("/version", json!("3")), "its version is `3`"),
        (with("/version", json!(4)), "expected a string"),
        (with("/alerts", json!({})), "expected a sequence"),
        (with("/alerts/0/status", json!("flapping")), "`firing` or `resolved`"),
        (with("/alerts/0/startsAt", json!("yesterday")), "startsAt"),
        (with("/alerts/0/labels/severity", json!(1)), "expected a string"),
    ];
    for (body, why) in cases {
        let refusal = bench.control.receive_alerts(body.as_bytes(), false, Actor::default()).await.unwrap_err();
        assert_eq!(refusal.code(), "malformed", "{body}");
        // How a time is wrong its parser says, without its field.
        assert!(why == "startsAt" || refusal.to_string().contains(why), "{body}: {refusal}");
    }
    let status = bench.control.on_call_status("payments").unwrap();
    assert!(status.page_history.is_empty() && status.state.sources.iter().all(|source| source.last_heard_at.is_none()));
}

/// A typo in `match` would else look like a quiet week.
#[tokio::test]
async fn invariant_5_a_page_of_nobody_is_told_of_and_is_no_sign_of_life() {
    let bench = bench().await;
    let mut control = bench.control.clone();
    let heard = |control: &Control| {
        let sources = control.on_call_status("payments").unwrap().state.sources;
        sources.iter().any(|source| source.last_heard_at.is_some())
    };
    let log = |control: Control| async move {
        let of = EventFilter { kind: Some("page.unmatched".to_owned()), ..EventFilter::default() };
        control.events(of, 10).await.unwrap().events
    };
    let body = notification("paymets", &[("a1", MONDAY, "firing")]);
    for _ in 0..3 {
        assert!(control.receive_alerts(&body, false, Actor::named("am")).await.unwrap().unmatched);
    }
    assert!(!heard(&control));
    assert_eq!(control.unmatched_pages().first().map(|(_, count)| *count), Some(3));
    let events = log(control.clone()).await;
    assert_eq!(events.len(), 1, "many within a minute are one event");
    let of = "receiver `paymets`, labels alertname=CheckoutDown, severity=page";
    assert_eq!(events[0].event.data, json!({"source": "alertmanager", "of": of}));
    assert_eq!(events[0].event.subject.as_deref(), Some("pages/alertmanager"));

    let warned = |control: &Control| control.health().warnings.iter().any(|warning| warning.contains(of));
    let bench = bench.restarted().await;
    control = bench.control.clone();
    assert!(warned(&control), "{:?}", control.health().warnings);
    let told = |on_call: &str| control.on_call_status(on_call).unwrap().unmatched;
    assert_eq!(told("payments").iter().map(|page| page.of.as_str()).collect::<Vec<_>>(), [of]);
    // Once `match` is mended nothing is amiss any more.
    apply(&bench, &ON_CALL.replace("receiver: payments-pager", "receiver: paymets"), Actor::default()).await.unwrap();
    assert!(!warned(&control) && told("payments").is_empty());

    // What is no page cannot be one of nobody; nor does it show that those come which are of somebody.
    let over = notification("elsewhere", &[("z1", MONDAY, "resolved")]);
    assert!(!control.receive_alerts(&over, false, Actor::named("am")).await.unwrap().unmatched);
    assert!(!heard(&control) && !warned(&control) && told("payments").is_empty());

    // What always fires shows that Alertmanager lives, where the URL says that it is for this.
    let watchdog = notification("watchdog", &[("w", MONDAY, "firing")]);
    assert!(!control.receive_alerts(&watchdog, true, Actor::named("am")).await.unwrap().unmatched);
    assert!(heard(&control) && !warned(&control));
    assert_eq!(count(&bench, "payments"), 0);
    assert!(control.receive_alerts(b"{}", true, Actor::default()).await.is_err());
}

fn plain(key: &str) -> PlainPage {
    PlainPage { on_call: "orders".to_owned(), key: Some(key.to_owned()), ..PlainPage::default() }
}

#[tokio::test]
async fn pages_of_ones_own_form() {
    let bench = bench().await;
    let send = |page: PlainPage| bench.control.receive_page(page, Actor::named("nagios"));
    let received = |answer: Result<ReceivedPages, Refusal>| answer.unwrap().pages.first().map(|page| page.received);
    assert_eq!(received(send(plain("1")).await), Some(Received::Counted));
    assert_eq!(received(send(plain("1")).await), Some(Received::Repeat));
    assert_eq!(received(send(PlainPage { key: None, ..plain("") }).await), Some(Received::Counted));
    assert_eq!(received(send(PlainPage { urgency: Urgency::Low, ..plain("2") }).await), Some(Received::NotUrgent));
    let heartbeat = PlainPage { on_call: "orders".to_owned(), heartbeat: true, ..PlainPage::default() };
    assert_eq!(received(send(heartbeat).await), None);
    let long_ago = "2026-11-01T10:00:00Z".parse().ok();
    assert_eq!(received(send(PlainPage { at: long_ago, ..plain("3") }).await), Some(Received::TooOld));
    assert_eq!(count(&bench, "orders"), 2);
    // Later it turns out that somebody worked on it at night: the same page, and an incident.
    for worked in [true, false] {
        let answer = send(PlainPage { off_hours_work: Some(true), ..plain("1") }).await.unwrap();
        let pages: Vec<_> = answer.pages.iter().map(|page| (page.received, page.worked)).collect();
        assert_eq!(pages, [(Received::Repeat, worked)], "the same work again is not new");
    }
    let status = bench.control.on_call_status("orders").unwrap();
    assert_eq!((status.state.pages.count, status.state.off_hours_incidents.count), (2, 1));
    // At eleven on a Monday somebody works in the office.
    send(PlainPage { person: Some("ada".to_owned()), ..plain("1") }).await.unwrap();
    assert_eq!(bench.control.on_call_status("orders").unwrap().state.off_hours_incidents.count, 1);

    let refusals = [
        (PlainPage { on_call: "order".to_owned(), ..plain("1") }, "did you mean `orders`?"),
        (plain(""), "`key` has 0 bytes"),
        (PlainPage { title: Some("t".repeat(501)), ..plain("1") }, "`title` has 501 bytes"),
        (PlainPage { heartbeat: true, ..plain("1") }, "a `heartbeat` is no page"),
    ];
    for (page, why) in refusals {
        let refusal = send(page.clone()).await.unwrap_err();
        assert!(refusal.to_string().contains(why), "{page:?}: {refusal}");
    }
    assert_eq!(count(&bench, "orders"), 2);
}

#[tokio::test]
async fn invariant_8_what_is_not_stored_is_not_acknowledged() {
    let bench = bench().await;
    bench.store.fail(true);
    let refusal = bench.control.receive_page(plain("1"), Actor::default()).await.unwrap_err();
    assert_eq!(refusal.code(), "page_not_recorded");
    assert_eq!(count(&bench, "orders"), 1, "what takes risk away counts at once");
    bench.store.fail(false);
    let again = bench.control.receive_page(plain("1"), Actor::default()).await.unwrap();
    assert_eq!(pages(&again), [("orders", Received::Repeat)]);
    let log = bench.control.events(EventFilter { kind: Some("page".to_owned()), ..EventFilter::default() }, 10).await;
    assert_eq!(log.unwrap().events.len(), 1);
    assert_eq!(count(&bench.restarted().await, "orders"), 1);
}

/// A bench whose payments rotation was paged twice.
async fn spent() -> Bench {
    let bench = bench().await;
    for key in ["1", "2"] {
        bench
            .control
            .receive_page(PlainPage { on_call: "payments".to_owned(), ..plain(key) }, Actor::default())
            .await
            .unwrap();
    }
    bench
}

#[tokio::test]
async fn a_spent_budget_freezes_changes_that_do_not_only_turn_off() {
    let bench = spent().await;
    let cases = [
        ("flags: { new: { default: on } }", false),
        ("flags: { new-checkout: { default: on } }", false),
        ("segments: { eu: { when: { country: US } } }", false),
        ("protect: []", false),
        ("protect: [vip, eu]", true),
        ("on_call: { payments: { pages_per_week: 9, off_hours_incidents_per_half_year: 1, hours: office } }", false),
        ("{ protect: [vip, eu], flags: { new: { default: on } } }", false),
    ];
    for (text, expected) in cases {
        let taken = apply(&bench, text, Actor::named("ada")).await;
        assert_eq!(taken.is_ok(), expected, "{text}");
        assert!(taken.err().is_none_or(|refusal| refusal.code() == "frozen"), "{text}");
    }
    let actor = || Actor::named("ada");
    let only = Precondition::None;
    let control = &bench.control;
    control.disable(Kind::Flag, "new-checkout", only, actor()).await.unwrap();
    assert_eq!(control.enable(Kind::Flag, "new-checkout", only, actor()).await.unwrap_err().code(), "frozen");
    control.disable(Kind::Fault, "gateway-slow", only, actor()).await.unwrap();
    control.delete(Kind::Fault, "gateway-slow", only, actor()).await.unwrap();
    assert_eq!(control.delete(Kind::Flag, "new-checkout", only, actor()).await.unwrap_err().code(), "frozen");
}

/// What is refused ends no run, though stopping waits for nothing.
#[tokio::test]
async fn a_frozen_change_ends_no_run_on_the_way() {
    let bench = spent().await;
    TestClient::new(1).report(&bench.control);
    let run = bench.start("gateway-slow").await.unwrap().run.id;
    let is_active = || bench.control.runs().iter().any(|one| one.id == run && one.ended.is_none());
    let off = "gateway-slow: { enabled: false, point: payment.gateway, percentage: 1%, when: { segment: eu }, \
               effect: { latency: 300ms }, hours: always, guard: none, max_duration: 30m }";
    let mixed = format!("{{ faults: {{ {off} }}, flags: {{ new: {{ default: on }} }} }}");
    assert_eq!(apply(&bench, &mixed, Actor::named("ada")).await.unwrap_err().code(), "frozen");
    assert!(is_active());
    apply(&bench, &format!("faults: {{ {off} }}"), Actor::named("ada")).await.unwrap();
    assert!(!is_active());
}

#[tokio::test]
async fn only_an_admin_overrides_a_freeze_and_says_why() {
    let bench = spent().await;
    let over = |reason: &str, may_override| Actor {
        override_reason: Some(reason.to_owned()),
        may_override,
        ..Actor::named("ada")
    };
    let new = "flags: { new: { default: on } }";
    assert!(apply(&bench, new, over("the fix", false)).await.is_err());
    assert!(apply(&bench, new, over(" ", true)).await.is_err());
    apply(&bench, new, over("the fix", true)).await.unwrap();
    let log =
        bench.control.events(EventFilter { subject: Some("flags/new".to_owned()), ..EventFilter::default() }, 1).await;
    let data = &log.unwrap().events[0].event.data;
    assert_eq!(data["override"], json!({"frozen_by": ["payments"], "reason": "the fix"}));
}

#[tokio::test]
async fn a_freeze_ends_with_the_budgets_return() {
    let bench = spent().await;
    let until = match apply(&bench, "flags: { new: { default: on } }", Actor::default()).await {
        Err(Refusal::Frozen(frozen)) => frozen.clears_at,
        other => panic!("{other:?}"),
    };
    assert_eq!(until, "2026-11-30T10:00:00Z".parse().ok());
    bench.clock.advance(Duration::from_secs(168 * 3_600));
    apply(&bench, "flags: { new: { default: on } }", Actor::default()).await.unwrap();
}

/// Files are held back as a whole while changes are frozen; edits that only turn off are taken.
#[tokio::test]
async fn files_wait_for_the_freeze_to_end() {
    let bench = spent().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let enabled = |bench: &Bench| bench.control.state().resources().flags.get("new-checkout").map(|flag| flag.enabled);
    write("flags: { filed: { default: on } }");
    bench.control.start_files(folder.path()).await.unwrap();
    let refused = |bench: &Bench| bench.control.files_status().unwrap().last_refused.map(|refused| refused.summary);
    assert!(refused(&bench).is_some_and(|why| why.contains("frozen")), "the server starts all the same");
    assert!(!bench.control.state().resources().flags.contains_key("filed"));
    bench.clock.advance(Duration::from_secs(168 * 3_600));
    bench.control.look(folder.path()).await;
    assert_eq!(refused(&bench), None);
    assert!(bench.control.state().resources().flags.contains_key("filed"));
    assert_eq!(enabled(&bench), Some(true));
}

/// What an admin brings through is the edit that waits: what operators changed by hand stays as it is.
#[tokio::test]
async fn only_the_edit_that_waits_is_brought_through() {
    let (bench, folder) = (bench().await, tempfile::tempdir().unwrap());
    let write = |text: &str| std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    write("flags: { kept: { default: on }, filed: { default: on } }");
    let over =
        |may_override| Actor { override_reason: Some("the fix".to_owned()), may_override, ..Actor::named("ada") };
    assert!(matches!(bench.control.take_files(over(true)).await, Err(LoadError::Files(FilesError::NotServed))));
    bench.control.start_files(folder.path()).await.unwrap();
    bench.control.disable(Kind::Flag, "kept", Precondition::None, Actor::named("bob")).await.unwrap();
    for key in ["1", "2"] {
        let page = PlainPage { on_call: "payments".to_owned(), ..plain(key) };
        bench.control.receive_page(page, Actor::default()).await.unwrap();
    }
    write("flags: { kept: { default: on }, filed: { default: off } }");
    bench.control.look(folder.path()).await;
    assert!(bench.control.files_status().unwrap().last_refused.is_some_and(|edit| edit.summary.contains("held back")));
    let refused = bench.control.take_files(over(false)).await;
    assert!(matches!(refused, Err(LoadError::Refused { refusal: Refusal::Frozen(_), .. })), "{refused:?}");
    let changed = bench.control.take_files(over(true)).await.unwrap();
    let keys: Vec<_> = changed.differences.iter().map(|difference| difference.key.as_str()).collect();
    assert_eq!(keys, ["filed"]);
    assert!(!bench.control.state().resources().flags["kept"].enabled);
    assert!(bench.control.files_status().unwrap().last_refused.is_none());
    // The file has it from now on: another look changes nothing.
    let position = bench.control.position();
    bench.control.look(folder.path()).await;
    assert_eq!(bench.control.position(), position);
}
