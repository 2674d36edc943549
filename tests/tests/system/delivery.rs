//! Proof of delivery: who has a change, how flags live, and what an application says that has lost its server.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use daybreak_sdk::{Client, ClientState, Context, Reason};
use daybreak_tests::{Fleet, Http, PATIENCE, Server, binary, eventually};
use serde_json::{Value, json};

const DOCUMENT: &str = "flags: { feature: { default: on }, other: { default: on } }";
const CLIENTS: usize = 1_000;

/// Runs a command against a server: what it printed, and its exit status.
fn daybreak(server: &Server, arguments: &[&str]) -> Result<(String, Option<i32>)> {
    let mut command = Command::new(binary()?);
    let output = command.env_remove("DAYBREAK_TOKEN").env("DAYBREAK_URL", server.url("")).args(arguments).output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((text, output.status.code()))
}

fn client(server: &Server, tolerance: Duration) -> Result<Client> {
    let client = Client::builder(&server.url("")).service("shop").stale_after(tolerance).build()?;
    eventually("flags", || match client.status().state {
        ClientState::Streaming => Ok(()),
        other => Err(other),
    })?;
    Ok(client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_says_how_many_of_a_thousand_clients_have_it() -> Result<()> {
    let server = Server::with(DOCUMENT, &["--log", "warn"])?;
    let http = Http::to(&server.url(""))?;
    let change = |path: &'static str| {
        let http = http.clone();
        async move { anyhow::Ok(http.send("POST", path, None, "").await?.ok()?.body["reached"].clone()) }
    };
    let nobody = change("/api/v1/flags/feature/disable?wait=30s").await?;
    assert_eq!(nobody["summary"], "no client is there to have it");

    let mut fleet = Fleet::join(&server, CLIENTS).await?;
    let all = fleet.during(change("/api/v1/flags/feature/enable?wait=30s")).await?;
    assert_eq!((&all["clients"], &all["having"], &all["missing"]), (&json!(1_000), &json!(1_000), &json!([])), "{all}");

    fleet.acknowledged(1_000).await?;

    // What changes nothing asks as well, where nobody was asked before.
    http.send("POST", "/api/v1/flags/other/disable", None, "").await?.ok()?;
    let again = fleet.during(change("/api/v1/flags/other/disable?wait=30s")).await?;
    assert_eq!((&again["having"], &again["missing"]), (&json!(1_000), &json!([])), "{again}");
    fleet.acknowledged(2_000).await?;

    // Some stand still, and some have left: while somebody waits for them, nobody else is held up.
    fleet.leave(0..2);
    fleet.stand_still(2..5);
    eventually("the goodbyes", || match standings(&server) {
        Ok(standings) if standings["gone"] == 2 => Ok(()),
        other => Err(other),
    })?;
    let waiting = tokio::spawn(change("/api/v1/flags/feature/disable?wait=30s"));
    fleet.acknowledged(2_995).await?;
    // It changes nothing any more, and tells how things stand.
    let lacking = change("/api/v1/flags/feature/disable?wait=1ms").await?;
    assert_eq!((&lacking["clients"], &lacking["having"]), (&json!(998), &json!(995)), "{lacking}");
    let summary = lacking["summary"].as_str().context("a sentence")?;
    ensure!(summary.starts_with("995 of 998 clients have it, slowest "), "{summary}");
    let named: Vec<_> = lacking["missing"].as_array().into_iter().flatten().map(|one| one["client"].clone()).collect();
    assert_eq!(named, [2, 3, 4].map(|number| json!(Fleet::id(number))));
    let others = http.send("POST", "/api/v1/flags/other/enable", None, "").await?.ok()?;
    assert_eq!(others.body["changed"], true);
    ensure!(!waiting.is_finished(), "three have not told");
    fleet.leave(2..5);
    let reached = waiting.await??;
    assert_eq!((&reached["clients"], &reached["having"], &reached["left"]), (&json!(995), &json!(995), &json!(3)));
    let delivery = http.get("/api/v1/delivery").await?.ok()?.body;
    ensure!(delivery["streaming"]["count"].as_u64() >= Some(2_995), "{delivery:#}");
    fleet.check()
}

fn standings(server: &Server) -> Result<Value> {
    Ok(server.get("/api/v1/delivery")?.expect_status(200)?.json()?["clients"].clone())
}

#[test]
fn the_sdk_acknowledges_and_tells_how_old_its_flags_are() -> Result<()> {
    let mut server = Server::with(DOCUMENT, &["--stale-after", "10s"])?;
    let client = client(&server, Duration::from_millis(1_500))?;
    eventually("the client is known", || match standings(&server) {
        Ok(standings) if standings == json!({"connected": 1}) => Ok(()),
        other => Err(other),
    })?;
    let answer = server.post("/api/v1/flags/feature/disable?wait=30s", "")?.expect_status(200)?.json()?;
    assert_eq!((&answer["reached"]["clients"], &answer["reached"]["having"]), (&json!(1), &json!(1)), "{answer:#}");
    let (text, status) = daybreak(&server, &["clients"])?;
    ensure!(status == Some(0) && text.contains("shop") && text.contains("1 client: 1 connected"), "{text}");
    let (text, _) = daybreak(&server, &["clients", "--json"])?;
    let shown: Value = serde_json::from_str(&text)?;
    assert_eq!((&shown["clients"][0]["standing"], &shown["clients"][0]["behind"]), (&json!("connected"), &json!(0)));

    server.process().kill()?;
    let stale = eventually("a stale answer", || {
        let detail = client.bool_detail("feature", &Context::default(), true);
        if detail.reason == Reason::Stale { Ok(detail) } else { Err(detail.reason) }
    })?;
    ensure!(!stale.value && stale.age > Some(Duration::from_millis(1_500)), "the last value stays: {stale:?}");
    server.start_again()?;
    eventually("a fresh answer", || match client.bool_detail("feature", &Context::default(), true) {
        detail if detail.reason == Reason::Disabled && detail.age.is_none() => Ok(()),
        detail => Err(detail.reason),
    })
}

#[test]
fn flags_have_a_life_and_what_is_not_there_is_listed() -> Result<()> {
    let mut server = Server::start(DOCUMENT)?;
    let (text, status) = daybreak(&server, &["stale", "--exit-code"])?;
    ensure!(status == Some(0) && text.contains("nothing can be removed"), "{text}");
    let client = client(&server, PATIENCE)?;
    for _ in 0..3 {
        assert!(client.bool("feature", &Context::default(), false));
        assert!(!client.bool("featrue", &Context::default(), false));
    }
    ensure!(client.close_blocking(PATIENCE), "the last report is taken in");
    for path in ["feature", "feature", "faeture\u{1b}"] {
        server.post(&format!("/ofrep/v1/evaluate/flags/{}", path.replace('\u{1b}', "%1B")), "{}")?;
    }
    let life = |server: &Server| server.get("/api/v1/flags/feature/life")?.expect_status(200)?.json();
    let before = life(&server)?;
    assert_eq!((&before["variants"]["on"]["count"], &before["variants"]["off"]["count"]), (&json!(5), &json!(0)));
    let (text, status) = daybreak(&server, &["stale", "--exit-code", "--after", "0s"])?;
    for line in [
        "feature: it was last evaluated on",
        "other: it was never evaluated since it was created on",
        "featrue is no flag, and shop asked for it 3 times; is `feature` meant?",
        "faeture\u{fffd} is no flag, and OFREP asked for it 1 time",
    ] {
        ensure!(text.contains(line), "{line} is not in {text}");
    }
    assert_eq!(status, Some(1));
    let (text, status) = daybreak(&server, &["flag", "feature"])?;
    ensure!(status == Some(0) && text.contains("served      on: 100.0% (5 times within 30 days)"), "{text}");

    // A clean end keeps it.
    server.process().terminate()?;
    server.process().wait()?;
    server.start_again()?;
    assert_eq!(life(&server)?["variants"], before["variants"]);
    Ok(())
}

/// Also a start, a stop and files tell how far they have come.
#[test]
fn runs_and_files_are_waited_for() -> Result<()> {
    let document = "
flags: { feature: { default: on } }
hours: { always: { time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] } }
faults:
  slow: { point: p, percentage: 1%, effect: { latency: 1ms }, hours: always, guard: none, max_duration: 10m }
";
    let server = Server::start(document)?;
    let client = client(&server, PATIENCE)?;
    let _point = client.point("p");
    eventually(
        "the point is known",
        || match server.get("/api/v1/fault-points")?.json()?["fault_points"]["p"]["clients"] {
            Value::Number(ref clients) if clients.as_u64() == Some(1) => Ok(()),
            ref other => Err(anyhow::anyhow!("{other}")),
        },
    )?;
    let reached = |answer: &Value| (answer["reached"]["clients"].clone(), answer["reached"]["having"].clone());
    let one = (json!(1), json!(1));
    let started = server.post("/api/v1/faults/slow/start?wait=30s", r#"{"override": "a test"}"#)?;
    assert_eq!(reached(&started.expect_status(201)?.json()?), one);
    let stopped = server.post("/api/v1/faults/slow/stop?wait=30s", "")?.expect_status(200)?.json()?;
    assert_eq!((reached(&stopped), &stopped["warnings"]), (one, &Value::Null), "{stopped:#}");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "flags: { feature: { default: off } }")?;
    let path = file.path().display().to_string();
    let (text, status) = daybreak(&server, &["apply", "--file", &path, "--wait", "30s"])?;
    ensure!(status == Some(0) && text.contains("the one client has it, after "), "{text}");

    // Also where nothing is left to do, and by every command that changes something.
    let lifted = server.send("DELETE", "/api/v1/halt?wait=30s", "")?.expect_status(200)?.json()?;
    assert_eq!(reached(&lifted), (json!(1), json!(1)), "{lifted:#}");
    let other = Server::start("flags: { promoted: { default: on } }")?;
    let promote = ["promote", "promoted", "--from", &other.url(""), "--to", &server.url(""), "--wait", "30s"];
    for arguments in [
        &["stop", "slow", "--wait", "30s"][..],
        &["halt", "--lift", "--wait", "30s"],
        &["apply", "--watched", "--wait", "30s"],
        &promote,
    ] {
        let (text, status) = daybreak(&server, arguments)?;
        ensure!(status == Some(0) && text.contains("the one client has it, after "), "{arguments:?}: {text}");
    }
    // Also where everything is halted already.
    for _ in 0..2 {
        let (text, status) = daybreak(&server, &["halt", "--wait", "30s"])?;
        ensure!(status == Some(0) && text.contains("\n1 of 1 client confirmed\n"), "{text}");
    }
    Ok(())
}
