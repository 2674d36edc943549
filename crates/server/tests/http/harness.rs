//! A server in process, on a store in memory.

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service, try_call_service};
use daybreak_control::clock::ManualClock;
use daybreak_control::{Actor, ApplyOptions, Control, Options};
use daybreak_document::Source;
use daybreak_model::wire::StoreId;
use daybreak_server::{Offload, Shared, app};
use daybreak_store::{MemoryOptions, MemoryStore};
use serde_json::Value as Json;

use crate::truth;

/// What every test's server serves.
pub(crate) const DOCUMENT: &str = r#"
flags:
  new-checkout:
    default: off
    metadata: { team: payments }
    rules:
      - { name: staff, when: { email: { ends_with: "@shop.example" } }, serve: on }
      - { name: eu-pro, when: { plan: pro }, percentage: 25%, serve: on }
  layout:
    variants: { list: { columns: 1 }, grid: { columns: 3 } }
    off: list
    default: list
    rules: [ { name: everyone, rollout: { grid: 30%, list: 70% } } ]
  plain: { default: on }
  retired: { default: on, enabled: false }
  dependent: { default: on, prerequisites: { retired: on } }
  whole: { variants: { few: 3, many: 12 }, off: few, default: few }
  broken-down: { variants: { half: 0.5, one: 1 }, off: half, default: one }
segments:
  vip: { when: { plan: vip } }
protect: [vip]
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ["00:00-24:00"] }
  office: { time_zone: Europe/Berlin, weekdays: mon..fri, times: ["10:00-12:00"] }
faults:
  slow:
    point: payment.gateway
    percentage: 5%
    effect: { latency: { fixed: 500ms, max: 1s } }
    hours: always
    guard: none
    max_duration: 10m
"#;

/// What answers without end; HEAD asks for the rest of it.
pub(crate) const ENDLESS: [&str; 2] = ["/api/v1/stream", "/ofrep/v1/events"];

/// A server in process.
pub(crate) struct Server {
    pub(crate) shared: Shared,
    pub(crate) offload: Offload,
    pub(crate) clock: Arc<ManualClock>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Server {
    /// A server of [`DOCUMENT`], on a Monday morning in Berlin.
    pub(crate) async fn start() -> Self {
        Self::of("test").await
    }

    /// The same, in the environment of this name.
    pub(crate) async fn of(environment: &str) -> Self {
        let store = MemoryStore::open(MemoryOptions::new(StoreId::new(7))).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-23T09:30:00Z".parse().unwrap()));
        let (options, moves) = (Options::new(environment), Arc::<ManualClock>::clone(&clock));
        let control = Control::open(options, Arc::new(store), moves, [7; 32]).await.unwrap();
        let sources = vec![Source::new("fixture.yaml", DOCUMENT)];
        control.apply(sources, ApplyOptions::default(), Actor::named("fixture")).await.unwrap();
        let offload = Offload::new(tokio::runtime::Handle::current());
        Self { shared: Shared::new(control, offload.clone()), offload, clock }
    }

    /// Sends a request of curl's kind: with a loopback host, and the content type of a form. The answer is checked
    /// against the API's description.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let body = body.into();
        let (sent, method) = (body.clone(), Method::from_bytes(method.as_bytes()).unwrap());
        let mut request = TestRequest::with_uri(path)
            .method(method.clone())
            .insert_header(("host", "localhost:8080"))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(body);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request = request.insert_header((name, HeaderValue::from_str(value).unwrap()));
        }
        let service = init_service(app(&self.shared)).await;
        let response = try_call_service(&service, request.to_request()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let Ok(body) = to_bytes(response.into_body()).await else { panic!("the body of {path} breaks off") };
        let answer = Answer { status, headers, text: String::from_utf8_lossy(&body).into_owned() };
        truth::check(&method, path, &sent, &answer);
        answer
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// POST.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[], body).await
    }

    /// Everything that must not change where nothing may.
    pub(crate) async fn everything(&self) -> (String, String) {
        let export = self.get("/api/v1/export").await;
        (export.text, self.shared.control().position().to_string())
    }
}

impl Answer {
    /// The body.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Asserts a problem of this status and code, whose detail says this.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str, detail: &str) -> Self {
        let answer = self.expect(status);
        let problem = answer.json();
        assert_eq!(answer.header("content-type"), "application/problem+json", "{problem}");
        assert_eq!(
            (problem["code"].as_str(), problem["status"].as_u64()),
            (Some(code), Some(status.into())),
            "{problem}"
        );
        assert_eq!(problem["type"], format!("urn:daybreak:problem:{code}"), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "`{detail}` is not in {problem}");
        assert!(answer.text.ends_with("}\n"), "{problem}");
        answer
    }
}
