//! The transport against servers that answer as no server should. Each test asks for what the host sees: the
//! client's state, and its flags.

mod ends;
mod fake;
mod packed;
mod polls;
mod reports;
mod streams;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::{Context, InstanceId};

use super::pace::Pace;
use super::start_at;
use crate::Client;
use crate::core::{Core, Settings};
use crate::faults::{self, Faults};
use crate::listeners::Listeners;
use fake::{Connection, Fake, Request};

const STREAM: &str = "/api/v1/stream";
const SNAPSHOT: &str = "/api/v1/snapshot";
const REPORTS: &str = "/api/v1/reports";
const LONG: Duration = Duration::from_secs(3_600);

/// Everything at once, and nothing given up.
fn quick() -> Pace {
    Pace {
        silent_after: LONG,
        poll_after: Duration::from_millis(20),
        poll_after_speech: LONG,
        poll_after_loss: Duration::from_millis(5),
        poll_every: Duration::from_millis(20),
        poll_timeout: LONG,
        longest_pause: Duration::from_millis(50),
        report_timeout: LONG,
        report_after_loss: Duration::from_millis(20),
        report_at_least_every: Duration::from_millis(50),
        expire_every: Duration::from_millis(20),
        after_panic: Duration::from_millis(10),
        snapshot_bytes: 64 * 1024,
    }
}

pub(super) fn core(url: &str, environment: Option<&str>) -> Arc<Core> {
    let settings = Settings {
        url: url.to_owned(),
        environment: environment.map(str::to_owned),
        service: "shop".to_owned(),
        client_certificate: None,
        token: None,
        instance: InstanceId::new(7),
        stale_after: None,
        on_evaluation: None,
        telemetry: None,
    };
    Arc::new(Core::new(settings, Faults::new(faults::Settings::default()), Listeners::default()))
}

/// A client that begins without flags.
fn client(fake: &Fake, pace: Pace) -> Client {
    begin(fake, pace, None, None)
}

/// A client that begins with the flag `f` on.
fn client_with_flags(fake: &Fake, pace: Pace) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("bootstrap.json");
    std::fs::write(&bootstrap, snapshot(1, "test", "on")).unwrap();
    begin(fake, pace, Some(&bootstrap), None)
}

fn begin(fake: &Fake, pace: Pace, bootstrap: Option<&Path>, cache: Option<&Path>) -> Client {
    let core = core(&fake.url(), None);
    let life = start_at(pace, &core, bootstrap, cache).unwrap();
    Client::new(core, life)
}

/// A snapshot with the flag `f`, in the form of JSON. It has fields that nobody knows.
fn snapshot(revision: u64, environment: &str, f: &str) -> String {
    let flag = format!(r#"{{"variants":{{"off":false,"on":true}},"default":"{f}","later":[1]}}"#);
    format!(
        r#"{{"position":"{}","environment":"{environment}","later":{{}},
            "flags":{{"f":{{"level":1,"revision":{revision},"resource":{flag},"later":0}}}}}}"#,
        position(revision)
    )
    .replace('\n', "")
}

fn change(revision: u64, f: &str) -> String {
    let flag = format!(r#"{{"variants":{{"off":false,"on":true}},"default":"{f}"}}"#);
    let at = position(revision);
    let change =
        format!(r#"{{"position":"{at}","flags":{{"f":{{"level":1,"revision":{revision},"resource":{flag}}}}}}}"#);
    event("change", &change)
}

fn position(revision: u64) -> String {
    format!("00000000000000aa:{revision}")
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// The flag `f`: the default is of neither value.
fn f(client: &Client) -> Option<bool> {
    let (one, other) = (client.bool("f", &Context::default(), true), client.bool("f", &Context::default(), false));
    (one == other).then_some(one)
}

/// Answers what a test does not care for: reports, with no run; and no polling.
fn otherwise(request: &Request, connection: &mut Connection) {
    match request.path.as_str() {
        REPORTS => connection.answer("200 OK", "", &reply("test")),
        _ => connection.answer("404 Not Found", "", ""),
    }
}

fn reply(environment: &str) -> String {
    let at = position(1);
    format!(
        r#"{{"environment":"{environment}","position":"{at}","now":"2026-01-01T00:00:00Z","lease":10000,"interval":100}}"#
    )
}
