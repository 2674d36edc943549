//! Webhooks over the real binary: each event arrives, also across `kill -9`, and is signed as the page says.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Server, eventually, root};
use serde_json::Value;

use crate::documents::blocks;

const FLAGS: &str = "flags: { feature: { default: on } }";
/// Toggles before, between and after two kills.
const TOGGLES: usize = 6;

/// A request as it came.
#[derive(Clone, Debug)]
struct Received {
    headers: BTreeMap<String, String>,
    body: String,
}

/// A receiver that refuses a request now and then.
struct Receiver {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                // What a killed server left half said is none.
                let Ok(request) = answer(stream, if is_refused(number) { 503 } else { 204 }) else { continue };
                if !is_refused(number) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                }
            }
        });
        Ok(Self { url, received })
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Each refusal is a second to wait.
fn is_refused(number: usize) -> bool {
    number % 16 == 2
}

fn answer(mut stream: TcpStream, status: u16) -> Result<Received> {
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "it broke off");
        read.extend_from_slice(piece.get(..length).context("a piece")?);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let headers = head.lines().filter_map(|line| line.split_once(": "));
        let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        if body.len() >= headers.get("content-length").context("a length")?.parse::<usize>()? {
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nretry-after: 0\r\nconnection: close\r\n\r\n")?;
            return Ok(Received { headers, body: body.to_owned() });
        }
    }
}

fn toggle(server: &Server, times: usize) -> Result<()> {
    for _ in 0..times {
        for state in ["disable", "enable"] {
            server.post(&format!("/api/v1/flags/feature/{state}"), "")?.expect_status(200)?;
        }
    }
    Ok(())
}

/// The page's own check, in Python.
fn is_genuine(secret: &str, received: &Received) -> Result<bool> {
    let page = std::fs::read_to_string(root().join("docs/webhooks.md"))?;
    let check = blocks(&page, "python").concat();
    let script = format!(
        "{check}\nimport sys, json\ngiven = json.load(sys.stdin)\n\
         print(is_genuine(given['secret'].encode(), given['headers'], given['body'].encode()))\n"
    );
    let given = serde_json::json!({"secret": secret, "headers": received.headers, "body": received.body});
    let mut python = Command::new("python3");
    let python = python.args(["-c", &script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut python = python.spawn().context("python3 cannot be run")?;
    python.stdin.take().context("a pipe")?.write_all(given.to_string().as_bytes())?;
    let output = python.wait_with_output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8_lossy(&output.stdout).trim() == "True")
}

#[test]
fn every_event_arrives_across_kills_and_is_signed() -> Result<()> {
    let receiver = Receiver::start()?;
    let folder = tempfile::TempDir::new()?;
    let (file, secret) = (folder.path().join("webhooks.yaml"), folder.path().join("secret"));
    std::fs::write(&secret, "s3cret\n")?;
    let text = format!("webhooks: {{ audit: {{ url: '{}/x', secret_file: '{}' }} }}", receiver.url, secret.display());
    std::fs::write(&file, text)?;
    let mut server = Server::with(FLAGS, &["--webhooks", &file.display().to_string()])?;
    // From its place on nothing is missed; it has one as soon as something has arrived.
    eventually("the first event", || {
        toggle(&server, 1)?;
        if receiver.received().is_empty() { Err(anyhow!("nothing yet")) } else { Ok(()) }
    })?;
    for _ in 0..2 {
        toggle(&server, TOGGLES)?;
        server.restart()?;
    }
    toggle(&server, TOGGLES)?;
    let logged = server.get("/api/v1/events?kind=flag&limit=1000")?.json()?;
    let logged: Vec<u64> =
        logged["events"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_u64()).collect();
    let last = *logged.first().context("there are events")?;
    let id = |received: &Received| -> Option<u64> {
        serde_json::from_str::<Value>(&received.body).ok()?["data"]["id"].as_u64()
    };
    eventually("the last event", || {
        let got = receiver.received().iter().any(|received| id(received) == Some(last));
        if got { Ok(()) } else { Err(anyhow!("{:?}", server.get("/api/v1/webhooks"))) }
    })?;
    let received = receiver.received();
    let ids: Vec<u64> = received.iter().filter_map(id).collect();
    let first = *ids.first().context("there is one")?;
    let missing: Vec<_> = logged.iter().filter(|event| **event >= first && !ids.contains(event)).collect();
    ensure!(missing.is_empty(), "{missing:?} never came");
    ensure!(ids.is_sorted(), "out of order: {ids:?}");
    let one = received.last().context("there is one")?;
    ensure!(is_genuine("s3cret", one)?, "{one:?}");
    ensure!(!is_genuine("s3cret", &Received { body: one.body.replace("flag", "flog"), ..one.clone() })?, "forged");
    ensure!(!is_genuine("secret", one)?, "of another secret");
    Ok(())
}

#[test]
fn a_broken_file_is_no_start_and_a_broken_edit_changes_nothing() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("webhooks.yaml");
    let option = file.display().to_string();
    std::fs::write(&file, "webhooks: { ops: { url: 'https://hooks.example', template: slak } }")?;
    let error = Server::with(FLAGS, &["--webhooks", &option]).err().context("it started")?;
    ensure!(format!("{error:#}").contains("unknown variant `slak`"), "{error:#}");
    std::fs::write(&file, "webhooks: { ops: { url: 'https://hooks.example/KEY', template: slack, events: [token] } }")?;
    let server = Server::with(FLAGS, &["--webhooks", &option])?;
    std::fs::write(&file, "webhooks: { ops: {} }")?;
    eventually("the refusal", || {
        let ready = server.get("/readyz")?;
        if ready.body.contains("the webhooks' last edit was refused") { Ok(()) } else { Err(anyhow!(ready.body)) }
    })?;
    let listed = server.get("/api/v1/webhooks")?.expect_status(200)?.body;
    ensure!(listed.contains("hooks.example") && !listed.contains("KEY"), "{listed}");
    Ok(())
}
