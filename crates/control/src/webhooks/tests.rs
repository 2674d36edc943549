use std::sync::Arc;

use daybreak_model::Kind;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::testing::Bench;
use crate::{Precondition, WebhookStatus};

/// A receiver that answers with these statuses in turn, and then 200: what it was sent.
async fn receiver(statuses: &[u16]) -> (String, mpsc::UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = mpsc::unbounded_channel();
    let statuses = Arc::new(Mutex::new(statuses.to_vec()));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (sender, statuses) = (sender.clone(), Arc::clone(&statuses));
            tokio::spawn(async move {
                let mut read = Vec::new();
                loop {
                    let mut piece = [0; 4096];
                    let Ok(length @ 1..) = stream.read(&mut piece).await else { return };
                    read.extend_from_slice(&piece[..length]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if body.len() < length.parse().unwrap() {
                        continue;
                    }
                    let status = {
                        let mut statuses = statuses.lock();
                        if statuses.is_empty() { 200 } else { statuses.remove(0) }
                    };
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nretry-after: 0\r\nconnection: close\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if status == 200 {
                        let _ = sender.send(serde_json::from_str(body).unwrap());
                    }
                    return;
                }
            });
        }
    });
    (url, received)
}

async fn bench(hooks: &str) -> Bench {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bench = Bench::new().await;
    set(&bench, hooks).await;
    bench
}

/// Sets webhooks, and waits until each has its place in the log.
async fn set(bench: &Bench, hooks: &str) {
    let hooks = config::read(hooks, &OfProcess).unwrap();
    let names: Vec<_> = hooks.iter().map(|hook| format!("webhooks/{}", hook.name)).collect();
    bench.control.set_webhooks(hooks).unwrap();
    for name in names {
        while bench.control.inner.store.notes(name.clone()).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

async fn toggle(bench: &Bench, on: bool) {
    let (control, actor) = (&bench.control, Actor::named("ada"));
    let toggled = match on {
        true => control.enable(Kind::Flag, "new-checkout", Precondition::None, actor).await,
        false => control.disable(Kind::Flag, "new-checkout", Precondition::None, actor).await,
    };
    assert!(toggled.unwrap().changed);
}

fn status(bench: &Bench) -> WebhookStatus {
    bench.control.webhooks()["ops"].clone()
}

#[tokio::test]
async fn every_event_arrives_in_order_also_after_failures() {
    let (url, mut received) = receiver(&[500, 429]).await;
    let hooks = format!("webhooks: {{ ops: {{ url: '{url}', template: slack, events: [flag] }} }}");
    let bench = bench(&hooks).await;
    toggle(&bench, false).await;
    bench.control.halt(Actor::named("ada")).await.unwrap();
    toggle(&bench, true).await;
    for expected in ["flag.disabled", "flag.enabled"] {
        let text = received.recv().await.unwrap()["text"].as_str().unwrap().to_owned();
        assert!(text.contains(expected) && text.contains("by ada"), "{text}");
    }
    let last = bench.control.last_event().await.unwrap();
    while bench.control.inner.store.notes("webhooks/ops".to_owned()).await.unwrap()["webhooks/ops"] != last {
        tokio::task::yield_now().await;
    }
    // What arrived is not sent again to the webhook of that name, whenever it comes back.
    set(&bench, "webhooks: {}").await;
    toggle(&bench, false).await;
    set(&bench, &hooks).await;
    let text = received.recv().await.unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("flag.disabled"), "{text}");
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_is_left_alone() {
    let (url, mut received) = receiver(&[410]).await;
    let bench = bench(&format!("webhooks: {{ ops: {{ url: '{url}', template: slack, events: [flag] }} }}")).await;
    let mut follower = bench
        .control
        .follow(daybreak_store::EventFilter { kind: Some("webhook".to_owned()), ..Default::default() })
        .await
        .unwrap();
    toggle(&bench, false).await;
    let given_up = follower.next().await.unwrap();
    assert_eq!(
        (given_up[0].event.kind.as_str(), given_up[0].event.data["why"].as_str()),
        ("webhook.paused", Some("it answered 410 Gone"))
    );
    let status = status(&bench);
    assert!(status.gone && status.given_up == 0 && status.delivered == 0, "{status:?}");
    assert!(bench.control.health().warnings[0].contains("`ops` is paused, as its receiver wants no more"));
    toggle(&bench, true).await;
    assert!(received.try_recv().is_err());
    // As another one, it is told of everything from there on.
    set(&bench, &format!("webhooks: {{ ops: {{ url: '{url}/new', template: slack, events: [flag] }} }}")).await;
    for expected in ["flag.disabled", "flag.enabled"] {
        let text = received.recv().await.unwrap()["text"].as_str().unwrap().to_owned();
        assert!(text.contains(expected), "{text}");
    }
}

/// Time passes at once for what waits; not for what is under way, which has come to an end before.
async fn pass(length: Duration) {
    tokio::time::pause();
    tokio::time::advance(length).await;
    tokio::time::resume();
}

#[tokio::test]
async fn what_the_receiver_refuses_is_given_up_and_the_next_is_sent() {
    let (url, mut received) = receiver(&[404, 503, 400, 401, 429, 403, 422]).await;
    let bench = bench(&format!("webhooks: {{ ops: {{ url: '{url}', template: slack, events: [flag] }} }}")).await;
    let given_up = daybreak_store::EventFilter { kind: Some("webhook".to_owned()), ..Default::default() };
    let mut follower = bench.control.follow(given_up).await.unwrap();
    toggle(&bench, false).await;
    for failures in 1..7 {
        while status(&bench).failures < failures {
            tokio::task::yield_now().await;
        }
        pass(Duration::from_secs(200)).await;
    }
    let event = follower.next().await.unwrap().remove(0).event;
    assert_eq!((event.kind.as_str(), event.subject.as_deref()), ("webhook.given_up", Some("webhooks/ops")));
    assert_eq!((&event.data["tries"], &event.data["kind"]), (&json!(7), &json!("flag.disabled")));
    let given_up = status(&bench).last_given_up.unwrap();
    assert_eq!((given_up.tries, given_up.why.as_str()), (7, "it answered 422 Unprocessable Entity"));
    assert!(bench.control.health().warnings[0].contains("`ops` does not get through: it answered 422"));
    toggle(&bench, true).await;
    let text = received.recv().await.unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("flag.enabled"), "{text}");
    while status(&bench).delivered == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((status(&bench).given_up, bench.control.health().warnings.len()), (1, 0));
}

#[tokio::test]
async fn what_the_log_no_longer_has_is_told() {
    let (url, mut received) = receiver(&[]).await;
    let hooks = |events: &str| format!("webhooks: {{ ops: {{ url: '{url}', template: slack, events: [{events}] }} }}");
    let bench = bench(&hooks("flag, webhook")).await;
    toggle(&bench, false).await;
    received.recv().await.unwrap();
    let last = bench.control.last_event().await.unwrap();
    while bench.control.inner.store.notes("webhooks/ops".to_owned()).await.unwrap()["webhooks/ops"] != last {
        tokio::task::yield_now().await;
    }
    set(&bench, "webhooks: {}").await;
    for on in [true, false, true] {
        toggle(&bench, on).await;
    }
    // Longer than the log keeps anything.
    bench.clock.advance(Duration::from_secs(401 * 86_400));
    for on in [false, true] {
        toggle(&bench, on).await;
    }
    set(&bench, &hooks("flag, webhook")).await;
    let mut texts = Vec::new();
    for _ in 0..3 {
        texts.push(received.recv().await.unwrap()["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts[0], "test: webhook.missed webhooks/ops, up to 3 events: the log no longer has them");
    assert!(texts[1..].iter().all(|text| text.contains("flag.")), "{texts:?}");
    assert_eq!((status(&bench).missed, status(&bench).given_up), (3, 0));
    // It is in the log, for all others; and told only once.
    let missed = daybreak_store::EventFilter { kind: Some("webhook.missed".to_owned()), ..Default::default() };
    assert_eq!(bench.control.events(missed, 10).await.unwrap().events.len(), 1);
    toggle(&bench, false).await;
    let text = received.recv().await.unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.contains("flag."), "{text}");
}

#[tokio::test]
async fn only_what_changed_begins_anew() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bench = Bench::new().await;
    let folder = tempfile::TempDir::new().unwrap();
    let (file, secret) = (folder.path().join("webhooks.yaml"), folder.path().join("secret"));
    let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    let text = |last: &str| {
        let secret = secret.display();
        format!(
            "webhooks:\n  a: {{ url: 'http://127.0.0.1:1', template: slack }}\n  b: {{ url: 'http://127.0.0.1:1', secret_file: '{secret}' }}\n{last}"
        )
    };
    write(&secret, "one");
    write(&file, &text(""));
    bench.control.take_webhooks(&file).await.unwrap();
    let told = || {
        let webhooks = bench.control.inner.webhooks.lock();
        webhooks.told.iter().map(|(name, told)| (name.clone(), Arc::as_ptr(&told.hook) as usize)).collect::<Vec<_>>()
    };
    let before = told();
    bench.control.take_webhooks(&file).await.unwrap();
    assert_eq!(told(), before, "nothing changed");
    write(&secret, "two");
    bench.control.take_webhooks(&file).await.unwrap();
    assert!(told()[0] == before[0] && told()[1] != before[1], "the secret changed");
    let before = told();
    write(&file, &text("  c: { url: 'http://127.0.0.1:1', template: slack }\n"));
    bench.control.take_webhooks(&file).await.unwrap();
    assert_eq!((told()[..2].to_vec(), told().len()), (before.clone(), 3), "one more");
    write(&secret, "");
    assert!(bench.control.take_webhooks(&file).await.unwrap_err().to_string().contains("is empty"));
    assert_eq!(told().len(), 3, "what is broken changes nothing");
    write(&file, "webhooks: {}");
    bench.control.take_webhooks(&file).await.unwrap();
    assert!(told().is_empty());
}

#[tokio::test]
async fn what_fails_is_told_without_the_url() {
    let bench = bench("webhooks: { ops: { url: 'http://127.0.0.1:1/a-secret-path', template: slack } }").await;
    let test = bench.control.test_webhook("ops", Actor::named("ada")).await.unwrap();
    let shown = format!("{test:?} {:?}", status(&bench));
    assert!(!test.delivered && !shown.contains("a-secret-path"), "{shown}");
    assert!(shown.contains("127.0.0.1"), "{shown}");
    assert!(bench.control.test_webhook("other", Actor::default()).await.is_err());
}
