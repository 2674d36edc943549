//! What is sent to whom: one event in the form of the receiver.

use daybreak_store::RecordedEvent;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::config::{Template, Webhook};
use super::sign;

/// A request that is ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outgoing {
    /// What comes after the webhook's URL.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// An event for a webhook, sent at this moment under an id that is the same for every try.
pub(super) fn outgoing(
    hook: &Webhook,
    recorded: &RecordedEvent,
    id: &str,
    environment: &str,
    now: Timestamp,
) -> Outgoing {
    let secret = hook.secret.as_ref().map(|secret| secret.0.as_str()).unwrap_or_default();
    let (path, mut headers, body) = match hook.template {
        Template::Json => (String::new(), Vec::new(), event(recorded, environment)),
        Template::Slack => (String::new(), Vec::new(), json!({"text": slack(recorded, environment)})),
        Template::Grafana => {
            let bearer = vec![("authorization", format!("Bearer {secret}"))];
            ("/api/annotations".to_owned(), bearer, grafana(recorded, environment))
        }
        Template::Honeycomb => {
            let path = format!("/1/markers/{}", hook.dataset.as_deref().unwrap_or("__all__"));
            (path, vec![("x-honeycomb-team", secret.to_owned())], honeycomb(recorded, environment))
        }
    };
    let body = body.to_string();
    if hook.template == Template::Json {
        let signature = sign::signature(secret, id, now.as_second(), &body);
        headers.extend([("webhook-id", id.to_owned()), ("webhook-timestamp", now.as_second().to_string())]);
        headers.push(("webhook-signature", signature));
    }
    Outgoing { path, headers, body }
}

/// The payload of a Standard Webhook: type, timestamp, data.
fn event(recorded: &RecordedEvent, environment: &str) -> Value {
    let event = &recorded.event;
    json!({
        "type": event.kind,
        "timestamp": event.at,
        "data": {
            "environment": environment,
            "id": recorded.id,
            "revision": recorded.revision,
            "subject": event.subject,
            "actor": event.actor,
            "reason": event.reason,
            "data": event.data,
        },
    })
}

/// A sentence, in plain text.
fn sentence(recorded: &RecordedEvent, environment: &str) -> String {
    let event = &recorded.event;
    let mut text = format!("{environment}: {}", event.kind);
    for (before, part) in [(" ", &event.subject), (" by ", &event.actor), (" because: ", &event.reason)] {
        part.iter().for_each(|part| text.extend([before, part]));
    }
    text += &told(&event.data);
    if let Some(missed) = event.data["at_most"].as_u64() {
        text += &format!(", up to {missed} events: the log no longer has them");
    }
    text
}

/// What an event's data tell that people want to know at once: of which fault a run is, how wide, what came of it, why a start was
/// refused.
fn told(data: &Value) -> String {
    let of = |name: &str| data[name].as_str();
    let mut text = String::new();
    if let (Some(fault), Some(point)) = (of("fault"), of("point")) {
        text += &format!(", {fault} at {point}");
    } else if let Some(fault) = of("fault") {
        text += &format!(", {fault}");
    }
    if data["shadow"] == true {
        text += ", a shadow run";
    }
    if let (Some(percentage), Some(duration)) = (of("percentage"), of("duration")) {
        text += &format!(", {percentage} for {duration}");
    }
    for (before, name) in [(", believed: ", "hypothesis"), (", ", "ended"), (", ", "verdict"), (", ", "title")] {
        of(name).into_iter().for_each(|part| text.extend([before, part]));
    }
    if let (Some(struck), Some(treated)) = (data["struck"].as_u64(), data["treated"].as_u64()) {
        text += &format!(", struck {struck} of {treated} treated requests");
    }
    let reasons = data["reasons"].as_array().into_iter().flatten();
    let reasons: Vec<&str> = reasons.filter_map(|reason| reason["sentence"].as_str()).collect();
    if !reasons.is_empty() {
        text += &format!(": {}", reasons.join("; "));
    }
    text
}

/// The sentence in Slack's form, in which three characters have a meaning.
/// <https://docs.slack.dev/messaging/formatting-message-text/>
fn slack(recorded: &RecordedEvent, environment: &str) -> String {
    sentence(recorded, environment).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// When a run that ended had begun.
fn began(recorded: &RecordedEvent) -> Option<Timestamp> {
    recorded.event.data["started_at"].as_str()?.parse().ok()
}

/// A point in time, or the stretch of a run that has ended.
/// <https://grafana.com/docs/grafana/latest/developers/http_api/annotations/>
fn grafana(recorded: &RecordedEvent, environment: &str) -> Value {
    let event = &recorded.event;
    let tags = ["daybreak", environment, event.kind.as_str()];
    let tags: Vec<&str> = tags.into_iter().chain(event.subject.as_deref()).collect();
    let mut body = json!({"time": event.at.as_millisecond(), "tags": tags, "text": sentence(recorded, environment)});
    if let Some(began) = began(recorded) {
        body["time"] = json!(began.as_millisecond());
        body["timeEnd"] = json!(event.at.as_millisecond());
    }
    body
}

/// A marker at a second, or over the seconds of a run that has ended.
/// <https://docs.honeycomb.io/api/markers/>
fn honeycomb(recorded: &RecordedEvent, environment: &str) -> Value {
    let event = &recorded.event;
    let mut body = json!({
        "message": sentence(recorded, environment),
        "type": event.kind,
        "start_time": event.at.as_second(),
    });
    if let Some(began) = began(recorded) {
        body["start_time"] = json!(began.as_second());
        body["end_time"] = json!(event.at.as_second());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::super::config::{Secrets, read};
    use super::*;

    struct Fixed;

    impl Secrets for Fixed {
        fn variable(&self, _name: &str) -> Option<String> {
            Some("key".to_owned())
        }

        fn file(&self, _path: &str) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    fn sent(template: &str, event: Value) -> Outgoing {
        let hook = format!("webhooks: {{ h: {{ url: 'https://h.example', secret_env: K, {template} }} }}");
        let recorded: RecordedEvent = serde_json::from_value(event).unwrap();
        let now = "2026-11-25T10:00:00Z".parse().unwrap();
        outgoing(&read(&hook, &Fixed).unwrap()[0], &recorded, "store-7", "production", now)
    }

    fn disabled() -> Value {
        json!({"id": 7, "revision": 3, "at": "2026-11-25T09:59:58.5Z", "kind": "flag.disabled",
               "subject": "flags/new-checkout", "actor": "ada", "reason": "p99 > 1 s"})
    }

    fn ended() -> Value {
        json!({"id": 8, "at": "2026-11-25T09:59:58.5Z", "kind": "run.ended", "subject": "runs/1",
               "data": {"ended": "completed", "started_at": "2026-11-25T09:49:58.5Z"}})
    }

    #[test]
    fn people_learn_what_it_is_about() {
        let cases = [
            (
                "run.started",
                json!({"fault": "slow", "point": "gateway.charge", "percentage": "1%", "duration": "10m", "shadow": false,
                    "hypothesis": "the fall-back holds"}),
                ", slow at gateway.charge, 1% for 10m, believed: the fall-back holds",
            ),
            (
                "run.ended",
                json!({"fault": "slow", "point": "gateway.charge", "ended": "aborted: harm", "shadow": true}),
                ", slow at gateway.charge, a shadow run, aborted: harm",
            ),
            (
                "run.concluded",
                json!({"fault": "slow", "verdict": "harmful", "treated": 69, "struck": 68}),
                ", slow, harmful, struck 68 of 69 treated requests",
            ),
            (
                "start.refused",
                json!({"reasons": [{"code": "halted", "sentence": "everything is halted"},
                                                 {"code": "hours_closed", "sentence": "the hours `office` are closed"}]}),
                ": everything is halted; the hours `office` are closed",
            ),
            ("flag.enabled", json!(null), ""),
        ];
        for (kind, data, expected) in cases {
            let event =
                json!({"id": 9, "at": "2026-11-25T09:59:58.5Z", "kind": kind, "subject": "runs/1", "data": data});
            let sent = sent("template: slack", event);
            let body: Value = serde_json::from_str(&sent.body).unwrap();
            assert_eq!(body["text"], format!("production: {kind} runs/1{expected}"));
        }
    }

    #[test]
    fn each_receiver_gets_its_form() {
        let body = |outgoing: &Outgoing| serde_json::from_str::<Value>(&outgoing.body).unwrap();
        let slack = sent("template: slack", disabled());
        let text = "production: flag.disabled flags/new-checkout by ada because: p99 &gt; 1 s";
        assert_eq!((slack.path.as_str(), body(&slack)), ("", json!({"text": text})));

        let text = "production: flag.disabled flags/new-checkout by ada because: p99 > 1 s";
        let grafana = sent("template: grafana", disabled());
        assert_eq!(grafana.path, "/api/annotations");
        assert_eq!(grafana.headers, [("authorization", "Bearer key".to_owned())]);
        let tags = ["daybreak", "production", "flag.disabled", "flags/new-checkout"];
        assert_eq!(body(&grafana), json!({"time": 1_795_600_798_500_i64, "tags": tags, "text": text}));
        let grafana = body(&sent("template: grafana", ended()));
        assert_eq!(
            (&grafana["time"], &grafana["timeEnd"]),
            (&json!(1_795_600_198_500_i64), &json!(1_795_600_798_500_i64))
        );

        let honeycomb = sent("template: honeycomb, dataset: shop", ended());
        assert_eq!(honeycomb.path, "/1/markers/shop");
        assert_eq!(honeycomb.headers, [("x-honeycomb-team", "key".to_owned())]);
        let message = "production: run.ended runs/1, completed";
        let expected =
            json!({"message": message, "type": "run.ended", "start_time": 1_795_600_198, "end_time": 1_795_600_798});
        assert_eq!(body(&honeycomb), expected);
    }

    #[test]
    fn json_is_signed() {
        let sent = sent("template: json", disabled());
        let names: Vec<_> = sent.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["webhook-id", "webhook-timestamp", "webhook-signature"]);
        assert_eq!((sent.headers[0].1.as_str(), sent.headers[1].1.as_str()), ("store-7", "1795600800"));
        let body: Value = serde_json::from_str(&sent.body).unwrap();
        assert_eq!((&body["type"], &body["data"]["subject"]), (&json!("flag.disabled"), &json!("flags/new-checkout")));
        assert_eq!(sent.headers[2].1, sign::signature("key", "store-7", 1_795_600_800, &sent.body));
    }
}
