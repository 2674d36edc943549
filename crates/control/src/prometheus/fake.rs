//! A Prometheus that answers what it is told to, and what asks it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Poller, PrometheusUrl};
use crate::Control;

/// How long an answer may take that is meant to come: no test waits for that.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// And one that is meant not to.
pub(super) const IMPATIENCE: Duration = Duration::from_millis(300);

/// What the fake answers with, one after the other; `None` never.
pub(super) type Script = Arc<Mutex<VecDeque<Option<String>>>>;

/// A Prometheus that answers what it is told to, and where it listens.
pub(super) async fn fake() -> (PrometheusUrl, Script) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://ada:secret@{}/prefix/", listener.local_addr().unwrap()).parse().unwrap();
    let script = Script::default();
    let answers = Arc::clone(&script);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            assert!(head.starts_with("get /prefix/api/v1/query?query="), "{head}");
            assert!(head.contains("authorization: basic"), "{head}");
            let answer = answers.lock().pop_front().flatten();
            let Some(body) = answer else {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(600)).await;
                    drop(stream);
                });
                continue;
            };
            let status = if body.contains("\"error\"") { "422 No" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, script)
}

pub(super) fn vector(at: f64, values: &[&str]) -> Value {
    let element = |(number, value): (usize, &&str)| json!({ "metric": { "__name__": "requests_total", "instance": number.to_string() }, "value": [at, value] });
    let result: Vec<_> = values.iter().enumerate().map(element).collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } })
}

/// Where nobody listens.
pub(super) fn nobody() -> PrometheusUrl {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{free}").parse().unwrap()
}

/// What is answered to the three queries for one SLO.
pub(super) fn round(at: f64, total: &str, good: &str, scraped_at: f64) -> [Option<String>; 3] {
    let answer = |value: &str| Some(vector(at, &[value]).to_string());
    [answer(total), answer(good), answer(&scraped_at.to_string())]
}

/// How a Prometheus may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Down,
    Slow,
    NotANumber,
    Empty,
}

impl Failure {
    pub(crate) const ALL: [Self; 4] = [Self::Down, Self::Slow, Self::NotANumber, Self::Empty];
}

/// A Prometheus that a server with one SLO of its own asks.
pub(crate) struct Fake {
    control: Control,
    url: PrometheusUrl,
    script: Script,
    poller: Poller,
    /// Its clock, and what it has counted.
    at: f64,
    counted: u64,
}

impl Fake {
    pub(crate) async fn new(control: &Control) -> Self {
        let (url, script) = fake().await;
        let poller = Poller::new(control.clone(), url.clone(), PATIENCE).unwrap();
        Self { control: control.clone(), url, script, poller, at: 1_000.0, counted: 0 }
    }

    /// It is asked, and has counted so many more requests, all of them good.
    pub(crate) async fn tells(&mut self, more: u64) {
        (self.at, self.counted) = (self.at + 15.0, self.counted + more);
        let counted = self.counted.to_string();
        self.script.lock().extend(round(self.at, &counted, &counted, self.at - 1.0));
        self.asked(self.url.clone(), PATIENCE).await;
    }

    /// It is asked, and fails.
    pub(crate) async fn fails(&mut self, failure: Failure) {
        let answer = |values: &[&str]| Some(vector(self.at, values).to_string());
        let (answer, url, within) = match failure {
            Failure::Down => (None, nobody(), PATIENCE),
            Failure::Slow => (None, self.url.clone(), IMPATIENCE),
            Failure::NotANumber => (answer(&["NaN"]), self.url.clone(), PATIENCE),
            Failure::Empty => (answer(&[]), self.url.clone(), PATIENCE),
        };
        self.script.lock().push_back(answer);
        self.asked(url, within).await;
        self.script.lock().clear();
    }

    async fn asked(&mut self, url: PrometheusUrl, within: Duration) {
        self.poller.asker = Poller::new(self.control.clone(), url, within).unwrap().asker;
        self.poller.round().await;
    }
}
