//! What PagerDuty sends, in the form that it publishes.

use std::path::PathBuf;

use super::*;

/// A delivery of PagerDuty: what happened when, and to an incident of which urgency and whose.
fn delivery(kind: &str, at: &str, data: &Value) -> Vec<u8> {
    let agent = json!({"id": "PADA", "type": "user_reference", "summary": "Ada"});
    let agent = with_links("users", agent);
    let event = json!({
        "id": format!("event-{kind}-{at}"), "event_type": kind, "resource_type": "incident", "occurred_at": at,
        "agent": agent, "client": null, "data": data,
    });
    serde_json::to_vec(&json!({ "event": event })).unwrap()
}

/// A reference as PagerDuty writes each one.
fn with_links(kind: &str, mut reference: Value) -> Value {
    let id = reference["id"].as_str().unwrap().to_owned();
    reference["self"] = format!("https://api.pagerduty.example/{kind}/{id}").into();
    reference["html_url"] = format!("https://shop.pagerduty.example/{kind}/{id}").into();
    reference
}

fn person(id: &str) -> Value {
    with_links("users", json!({"id": id, "type": "user_reference", "summary": id}))
}

/// In the form that is published, with everything that Daybreak does not ask for.
fn incident(id: &str, urgency: &str, assignees: &[&str]) -> Value {
    let people: Vec<_> = assignees.iter().map(|id| person(id)).collect();
    let service = json!({"id": "PSVC01", "summary": "Checkout", "type": "service_reference"});
    let policy = json!({"id": "PPOL01", "summary": "Payments", "type": "escalation_policy_reference"});
    let team = json!({"id": "PTEAM1", "summary": "Payments", "type": "team_reference"});
    let incident = json!({
        "id": id, "type": "incident", "number": 7, "status": "triggered", "incident_key": "0badcafe",
        "created_at": "2026-11-22T01:59:58Z", "title": "Checkout is down", "service": with_links("services", service),
        "assignees": people, "escalation_policy": with_links("escalation_policies", policy),
        "teams": [with_links("teams", team)], "priority": null, "urgency": urgency,
        "conference_bridge": {"conference_number": "+49 30 0000", "conference_url": "https://meet.example"},
        "resolve_reason": null,
    });
    with_links("incidents", incident)
}

/// What hangs on an incident: it names the incident, and no service.
fn on_incident(id: &str, kind: &str, mut rest: Value) -> Value {
    let reference = json!({"id": id, "type": "incident_reference", "summary": "Checkout is down"});
    rest["incident"] = with_links("incidents", reference);
    rest["type"] = kind.into();
    rest
}

fn secret_file(folder: &tempfile::TempDir) -> PathBuf {
    let file = folder.path().join("secrets");
    std::fs::write(&file, "old\nJefe\n").unwrap();
    file
}

fn signed(body: &[u8]) -> String {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"Jefe").unwrap();
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

#[tokio::test]
async fn pagerdutys_incidents_page_and_are_worked() {
    let (bench, folder) = (bench().await, tempfile::tempdir().unwrap());
    bench.control.know_pagerduty(secret_file(&folder)).await.unwrap();
    let night = "2026-11-22T02:00:00Z";
    let note =
        on_incident("Q1", "incident_note", json!({"id": "PNOTE", "content": "it is the disk", "trimmed": false}));
    let responder = |id: &str| {
        let asked = json!({"user": person(id), "message": "please help", "state": "pending"});
        on_incident("Q1", "incident_responder", asked)
    };
    let steps = [
        ("pagey.ping", MONDAY, json!({"message": "Hello from your friend Pagey!", "type": "ping"}), None, 0),
        ("incident.triggered", night, incident("Q1", "high", &["PADA"]), Some(Received::Counted), 0),
        ("incident.triggered", night, incident("Q1", "high", &["PADA"]), Some(Received::Repeat), 0),
        ("incident.annotated", night, note, None, 1),
        ("incident.acknowledged", night, incident("Q1", "high", &["PADA"]), None, 1),
        ("incident.escalated", night, incident("Q1", "high", &["PBOB"]), Some(Received::Counted), 1),
        ("incident.reassigned", night, incident("Q1", "high", &["PADA"]), Some(Received::Repeat), 1),
        ("incident.delegated", night, incident("Q1", "high", &["PBOB"]), Some(Received::Repeat), 1),
        ("incident.delegated", night, incident("Q1", "high", &["PCYD"]), Some(Received::Counted), 1),
        ("incident.responder.added", night, responder("PDEE"), Some(Received::Counted), 1),
        ("incident.responder.added", night, responder("PADA"), Some(Received::Repeat), 1),
        ("incident.responder.replied", night, responder("PEVE"), None, 1),
        ("incident.unacknowledged", night, incident("Q1", "high", &["PADA"]), None, 1),
        ("incident.triggered", night, incident("Q2", "low", &["PADA"]), Some(Received::NotUrgent), 1),
        ("incident.reopened", night, incident("Q1", "high", &[]), Some(Received::Counted), 1),
        ("incident.reopened", night, incident("Q1", "high", &[]), Some(Received::Repeat), 1),
        ("incident.resolved", MONDAY, incident("Q3", "high", &["PADA"]), None, 1),
        ("incident.priority_updated", night, incident("Q9", "high", &["PADA"]), None, 1),
        ("service.created", night, json!({"id": "PSVC01"}), None, 1),
    ];
    for (kind, at, data, expected, incidents) in steps {
        let body = delivery(kind, at, &data);
        let answer = bench.control.receive_pagerduty(Some(&signed(&body)), &body).await.unwrap();
        assert_eq!(answer.pages.first().map(|page| page.received), expected, "{kind} {at}");
        let status = bench.control.on_call_status("payments").unwrap();
        assert_eq!(status.state.off_hours_incidents.count, incidents, "{kind} {at}");
    }
    assert_eq!(bench.control.unmatched_pages().last().map(|(_, count)| *count), Some(0));
    let mut others = incident("Q7", "high", &["PADA"]);
    others["service"]["id"] = "PSVC10".into();
    let body = delivery("incident.triggered", night, &others);
    assert!(bench.control.receive_pagerduty(Some(&signed(&body)), &body).await.unwrap().unmatched);
    for (kind, urgency) in
        [("incident.acknowledged", "high"), ("incident.resolved", "high"), ("incident.triggered", "low")]
    {
        others["urgency"] = urgency.into();
        let body = delivery(kind, night, &others);
        assert!(
            !bench.control.receive_pagerduty(Some(&signed(&body)), &body).await.unwrap().unmatched,
            "{kind} {urgency}"
        );
    }
    assert_eq!(bench.control.unmatched_pages().last().map(|(_, count)| *count), Some(1));
    let status = bench.control.on_call_status("payments").unwrap();
    assert_eq!(status.unmatched.first().map(|page| page.of.as_str()), Some("service `PSVC10` (`Checkout`)"));
    assert_eq!((status.state.pages.count, status.spent), (5, true));
    assert!(status.page_history.iter().all(|page| page.title.as_deref() == Some("Checkout is down")));
    assert!(status.incident_history.iter().all(|incident| incident.people.contains("Ada")));
}

#[tokio::test]
async fn invariant_10_nobody_else_is_pagerduty() {
    let (bench, folder) = (bench().await, tempfile::tempdir().unwrap());
    let body = delivery("incident.triggered", MONDAY, &incident("Q1", "high", &["PADA"]));
    let refused = |signature: Option<String>| {
        let (control, body) = (bench.control.clone(), body.clone());
        async move { control.receive_pagerduty(signature.as_deref(), &body).await.unwrap_err().code() }
    };
    assert_eq!(refused(Some(signed(&body))).await, "no_secret");
    assert!(bench.control.know_pagerduty(folder.path().join("none")).await.is_err());
    let file = secret_file(&folder);
    bench.control.know_pagerduty(file.clone()).await.unwrap();
    for signature in [None, Some(String::new()), Some(signed(b"another")), Some("v1=".to_owned())] {
        assert_eq!(refused(signature).await, "bad_signature");
    }
    std::fs::write(&file, "new\n").unwrap();
    assert_eq!(refused(Some(signed(&body))).await, "bad_signature", "the file is read anew");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(refused(Some(signed(&body))).await, "secret_unreadable");
    assert_eq!(count(&bench, "payments"), 0);
    assert!(
        bench.control.on_call_status("payments").unwrap().state.sources.iter().all(|one| one.last_heard_at.is_none())
    );
}
