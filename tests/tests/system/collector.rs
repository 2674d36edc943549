//! A collector of traces in the test's own process: it takes OTLP over HTTP, by the official types.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::eventually;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;

/// Attributes, written as people would.
pub(crate) type Attributes = BTreeMap<String, String>;

/// A span, and what came with it.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) headers: Attributes,
    pub(crate) resource: Attributes,
    pub(crate) span: Span,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links: Vec<_> = self.span.links.iter().map(|link| hexadecimal(&link.trace_id)).collect();
        let mut told = f.debug_struct(&self.span.name);
        told.field("trace", &self.trace()).field("parent", &hexadecimal(&self.span.parent_span_id));
        told.field("kind", &self.span.kind()).field("status", &self.status()).field("links", &links);
        told.field("attributes", &self.attributes()).finish()
    }
}

impl Told {
    pub(crate) fn attributes(&self) -> Attributes {
        attributes(&self.span.attributes)
    }

    pub(crate) fn attribute(&self, name: &str) -> String {
        self.attributes().remove(name).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.span.status.as_ref().map_or(StatusCode::Unset, Status::code)
    }

    pub(crate) fn trace(&self) -> String {
        hexadecimal(&self.span.trace_id)
    }
}

/// A collector.
pub(crate) struct Collector {
    url: String,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Collector {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // What breaks off is none.
                let Ok(spans) = receive(stream) else { continue };
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
            }
        });
        Ok(Self { url, told })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a span.
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Told) -> bool) -> Result<Told> {
        eventually(what, || {
            let spans = self.spans();
            spans.iter().find(|told| is_it(told)).cloned().ok_or_else(|| {
                let names: Vec<_> = spans.iter().map(|told| told.span.name.clone()).collect();
                anyhow!("only {names:?} came")
            })
        })
    }
}

fn receive(mut stream: TcpStream) -> Result<Vec<Told>> {
    let mut read = Vec::new();
    let (head, body) = loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "it broke off");
        read.extend_from_slice(piece.get(..length).context("a piece")?);
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(read.get(..end).context("a head")?).into_owned();
        let length =
            head.lines().filter_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()).next();
        let body = read.get(end + 4..).context("a body")?;
        if body.len() >= length.unwrap_or(0) {
            break (head, body.to_vec());
        }
    };
    ensure!(head.starts_with("POST /v1/traces "), "{head}");
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let headers: Attributes = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let request = ExportTraceServiceRequest::decode(body.as_slice())?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    let told = request.resource_spans.into_iter().flat_map(|of| {
        let resource = of.resource.map(|resource| attributes(&resource.attributes)).unwrap_or_default();
        let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let headers = headers.clone();
        spans.map(move |span| Told { headers: headers.clone(), resource: resource.clone(), span })
    });
    Ok(told.collect())
}

/// Attributes, written as people would.
pub(crate) fn attributes(attributes: &[KeyValue]) -> Attributes {
    attributes.iter().map(|one| (one.key.clone(), one.value.as_ref().map(text).unwrap_or_default())).collect()
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::ArrayValue(values)) => values.values.iter().map(text).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}

/// Bytes as traces are written.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
