//! Traces by OTLP, from the real binary to a collector of the test's own: attribute by attribute; and the log's trace ids.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Server, binary, curl, eventually, within};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value, json};

use crate::application::{Application, BROKEN, start};
use crate::collector::{Attributes, Collector, Told, hexadecimal};

const FLAGS: &str = "flags: { feature: { default: on } }";
/// The trace that a caller is part of, and its span, as W3C writes them.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
/// A fault that breaks what its SLO promises.
const GUARDED: &str = r#"
flags:
  feature: { default: on }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] }
slos:
  front: { objective: 95%, window: 28d, sli: { operation: "GET /", good: { status: "<500" } } }
faults:
  broken:
    point: payment.gateway
    percentage: 50%
    effect: { latency: 1ms, error: { status: 503 } }
    hours: always
    guard: { slo: front, min_budget: 0%, max_spend: 50%, harm: 5% }
    max_duration: 10m
"#;
/// Longer than the 30 s in which a run's last requests are counted.
const CONCLUDED_WITHIN: Duration = Duration::from_secs(120);

/// A server that tells this collector soon, and logs JSON.
fn server(document: &str, collector: &str, options: &[&str], variables: &[(&str, &str)]) -> Result<Server> {
    let options = [&["--log-format", "json"], options].concat();
    let told = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    Server::with_variables(document, &options, &[&told, variables].concat())
}

fn traceparent() -> String {
    format!("traceparent: 00-{TRACE}-{PARENT}-01")
}

/// Lines of the log, those with this message.
fn lines(server: &mut Server, message: &str) -> Vec<Value> {
    let output = server.process().output();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["fields"]["message"] == message).collect()
}

/// The line of the log with this message.
fn line(server: &mut Server, message: &str) -> Result<Value> {
    eventually(message, || {
        let output = lines(server, message);
        output.into_iter().next_back().ok_or_else(|| anyhow!("no such line"))
    })
}

fn expected(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A port differs each time; that it is one is all that can be said of it.
fn without_ports(mut attributes: Attributes) -> Result<Attributes> {
    for name in ["server.port", "network.peer.port"] {
        let port: u16 = attributes.remove(name).context(name)?.parse()?;
        ensure!(port > 0, "{name}");
    }
    Ok(attributes)
}

fn named(name: &'static str) -> impl Fn(&Told) -> bool {
    move |told| told.span.name == name
}

#[test]
fn a_change_is_a_span_in_the_callers_trace_and_a_line_of_the_log() -> Result<()> {
    let collector = Collector::start()?;
    let variables = [
        ("OTEL_SERVICE_NAME", "flags-eu"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=core,service.version=7"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret"),
    ];
    let mut server = server(FLAGS, collector.url(), &["--environment", "staging"], &variables)?;
    let made = server.post("/api/v1/tokens", r#"{"name": "ada", "role": "admin"}"#)?.expect_status(201)?.json()?;
    let bearer = format!("Authorization: Bearer {}", made["secret"].as_str().context("a secret")?);
    let url = server.url("/api/v1/flags/feature?reason=too+slow");
    let head = ["--header", &bearer, "--header", &traceparent(), "--user-agent", "hand/1"];
    let change = [&head[..], &["--request", "PATCH", "--data-binary", r#"{"default": "off"}"#, &url]].concat();
    let answer = curl(&change)?.expect_status(200)?.json()?;
    let position = answer["position"].as_str().context("a position")?;

    let told = collector.wait_for("the request", named("PATCH /api/v1/flags/{key}"))?;
    let span = &told.span;
    ensure!(told.trace() == TRACE && hexadecimal(&span.parent_span_id) == PARENT, "{told:#?}");
    ensure!(span.kind() == SpanKind::Server && told.status() == StatusCode::Unset, "{told:#?}");
    ensure!(span.start_time_unix_nano < span.end_time_unix_nano, "{told:#?}");
    let attributes = without_ports(told.attributes())?;
    let wanted = expected(&[
        ("http.request.method", "PATCH"),
        ("http.route", "/api/v1/flags/{key}"),
        ("http.response.status_code", "200"),
        ("url.path", "/api/v1/flags/feature"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("network.peer.address", "127.0.0.1"),
        ("client.address", "127.0.0.1"),
        ("server.address", "127.0.0.1"),
        ("user_agent.original", "hand/1"),
        ("daybreak.token.name", "ada"),
        ("daybreak.token.role", "admin"),
        ("daybreak.reason", "too slow"),
        ("daybreak.subjects", "flags/feature"),
        ("daybreak.position", position),
        ("daybreak.changed", "true"),
        ("feature_flag.key", "feature"),
    ]);
    ensure!(attributes == wanted, "{attributes:#?}\nis not\n{wanted:#?}");
    let resource = expected(&[
        ("service.name", "flags-eu"),
        ("service.version", "7"),
        ("deployment.environment.name", "staging"),
        ("team", "core"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", "opentelemetry"),
    ]);
    let mut of = told.resource.clone();
    of.remove("telemetry.sdk.version").context("the version of the SDK")?;
    ensure!(of == resource, "{of:#?}");
    ensure!(told.headers.get("x-key").is_some_and(|key| key == "s3cret"), "{:?}", told.headers);

    // The change itself, from its turn to the disk, is inside.
    let inside = |told: &Told| told.span.name == "change" && told.trace() == TRACE;
    let change = collector.wait_for("the change", inside)?;
    ensure!(change.span.parent_span_id == span.span_id && change.span.kind() == SpanKind::Internal, "{change:#?}");

    let wide = line(&mut server, "asked for a change")?;
    let fields = &wide["fields"];
    ensure!(wide["target"] == "daybreak::change" && fields["trace_id"] == TRACE, "{wide:#}");
    ensure!(fields["duration_ms"].as_f64() > Some(0.0), "{wide:#}");
    let wanted = [
        ("outcome", "done"),
        ("method", "PATCH"),
        ("route", "/api/v1/flags/{key}"),
        ("path", "/api/v1/flags/feature"),
        ("subjects", "flags/feature"),
        ("actor", "ada"),
        ("role", "admin"),
        ("token", made["id"].as_str().context("an id")?),
        ("reason", "too slow"),
        ("position", position),
        ("address", "127.0.0.1"),
    ];
    wanted.iter().try_for_each(|(name, value)| {
        ensure!(fields[name] == *value, "{name} is not {value}: {wide:#}");
        Ok(())
    })?;
    // So are lines that were written on the way, in another thread.
    let inner = lines(&mut server, "changed").into_iter().find(|line| line["trace_id"] == TRACE);
    let inner = inner.context("a line of the change itself")?;
    ensure!(inner["span_id"] == hexadecimal(&change.span.span_id) && inner["trace_flags"] == "01", "{inner:#}");
    Ok(())
}

#[test]
fn what_is_refused_and_why_is_told() -> Result<()> {
    let collector = Collector::start()?;
    let mut server = server(BROKEN, collector.url(), &[], &[])?;
    server.send("PUT", "/api/v1/halt", r#"{"reason": "drill"}"#)?.expect_status(200)?;
    let answer = server.post("/api/v1/faults/broken/start", r#"{"reason": "try"}"#)?.expect_status(409)?.json()?;
    let told = collector.wait_for("the request", named("POST /api/v1/faults/{key}/start"))?;
    ensure!(answer["trace_id"] == told.trace(), "a problem tells its trace: {answer:#}");
    // It is the caller's, so it is no error of the server's.
    ensure!(told.status() == StatusCode::Unset && told.attribute("error.type").is_empty(), "{told:#?}");
    ensure!(told.span.parent_span_id.is_empty(), "{told:#?}");
    let wanted = [
        ("http.response.status_code", "409"),
        ("daybreak.problem", "not_admitted"),
        ("daybreak.fault.key", "broken"),
        ("daybreak.reason", "try"),
    ];
    for (name, value) in wanted {
        ensure!(told.attribute(name) == value, "{name} is not {value}: {:#?}", told.attributes());
    }
    ensure!(told.attribute("daybreak.refusals").split(' ').any(|code| code == "halted"), "{told:#?}");
    let wide = line(&mut server, "asked for a change")?;
    ensure!(wide["fields"]["outcome"] == "refused" && wide["fields"]["problem"] == "not_admitted", "{wide:#}");

    let decided = collector.wait_for("the guard's decision", named("start.refused"))?;
    ensure!(decided.span.kind() == SpanKind::Internal, "{decided:#?}");
    ensure!(decided.span.start_time_unix_nano == decided.span.end_time_unix_nano, "{decided:#?}");
    ensure!(decided.attribute("daybreak.event.kind") == "start.refused", "{decided:#?}");
    ensure!(decided.attribute("daybreak.fault.key") == "broken", "{decided:#?}");
    ensure!(decided.attribute("daybreak.refusals").split(' ').any(|code| code == "halted"), "{decided:#?}");
    let halted = collector.wait_for("the halt", named("halt.set"))?;
    ensure!(halted.attribute("daybreak.reason") == "drill", "{halted:#?}");

    // What has no route has a name all the same, and not the path's: that would be names without end.
    server.send("BREW", "/coffee", "")?.expect_status(404)?;
    let told = collector.wait_for("what has no route", named("_OTHER"))?;
    ensure!(told.attribute("http.request.method") == "_OTHER", "{told:#?}");
    ensure!(told.attribute("http.request.method_original") == "BREW", "{told:#?}");
    ensure!(!told.attributes().contains_key("http.route"), "{told:#?}");
    Ok(())
}

/// A failure of the server's own is an error of its span.
#[test]
fn a_failure_is_an_error_of_its_span() -> Result<()> {
    let collector = Collector::start()?;
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), "Jefe\n")?;
    let path = secret.path().display().to_string();
    let server = server(FLAGS, collector.url(), &["--pagerduty-secret-file", &path], &[])?;
    secret.close()?;
    server.post("/api/v1/pages/pagerduty", "{}")?.expect_status(503)?;
    let told = collector.wait_for("the request", named("POST /api/v1/pages/pagerduty"))?;
    ensure!(told.status() == StatusCode::Error, "{told:#?}");
    ensure!(told.attribute("error.type") == "503", "{told:#?}");
    ensure!(told.attribute("daybreak.problem") == "secret_unreadable", "{told:#?}");
    Ok(())
}

/// Anybody may ask a public route, at any rate: what is refused there fills no log.
#[test]
fn strangers_write_no_lines() -> Result<()> {
    let mut server = Server::with(FLAGS, &["--log-format", "json"])?;
    let token = json!({ "name": "root", "role": "admin", "expires": "1h", "reason": "first" }).to_string();
    let token = server.post("/api/v1/tokens", &token)?.expect_status(201)?.json()?;
    for path in ["/api/v1/pages/pagerduty", "/api/v1/pages/pagerduty?what"] {
        let answer = server.post(path, "{}")?;
        ensure!(
            (400..500).contains(&answer.status),
            "no error of the server's, which would raise an alert: {answer:?}"
        );
    }
    let bearer = format!("authorization: Bearer {}", token["secret"].as_str().context("a secret")?);
    curl(&["--request", "POST", "--header", &bearer, &server.url("/api/v1/flags/feature/disable")])?
        .expect_status(200)?;
    let paths = |server: &mut Server| -> Vec<_> {
        lines(server, "asked for a change").iter().map(|line| line["fields"]["path"].clone()).collect()
    };
    let paths = eventually("the last line", || match paths(&mut server) {
        paths if paths.contains(&json!("/api/v1/flags/feature/disable")) => Ok(paths),
        paths => Err(anyhow!("{paths:?}")),
    })?;
    ensure!(paths == [json!("/api/v1/tokens"), json!("/api/v1/flags/feature/disable")], "{paths:?}");
    Ok(())
}

/// A stream is a span until its head, and no longer: it comes while the stream is open. What only asks whether the server
/// lives is none.
#[test]
fn a_stream_is_a_short_span_and_a_probe_is_none() -> Result<()> {
    let collector = Collector::start()?;
    let server = server(FLAGS, collector.url(), &[], &[])?;
    for probe in ["/healthz", "/readyz", "/metrics"] {
        server.get(probe)?.expect_status(200)?;
    }
    let mut stream = TcpStream::connect(server.address())?;
    write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: {}\r\n\r\n", server.address())?;
    let told = collector.wait_for("the stream", named("GET /api/v1/stream"))?;
    ensure!(told.attribute("http.response.status_code") == "200", "{told:#?}");
    let open = server.get("/readyz")?.json()?;
    ensure!(open["streams"] == 1, "it is still open: {open:#}");
    let probes = |told: &&Told| ["/healthz", "/readyz", "/metrics"].contains(&told.attribute("url.path").as_str());
    ensure!(collector.spans().iter().find(probes).is_none(), "a probe was told");
    drop(stream);
    Ok(())
}

#[test]
fn a_collector_that_is_dead_or_hangs_holds_nothing_up() -> Result<()> {
    let dead = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    // Its connections are taken, and nothing is ever answered.
    let hanging = TcpListener::bind("127.0.0.1:0")?;
    for collector in [dead, hanging.local_addr()?] {
        let mut server = server(FLAGS, &format!("http://{collector}"), &[], &[("OTEL_BSP_MAX_QUEUE_SIZE", "4")])?;
        for state in ["disable", "enable"].repeat(20) {
            server.post(&format!("/api/v1/flags/feature/{state}"), "")?.expect_status(200)?;
        }
        server.process().terminate()?;
        ensure!(server.process().wait()?.success(), "{}", server.process().output());
    }
    Ok(())
}

#[test]
fn a_clean_end_sends_what_is_left_and_a_sampler_is_heeded() -> Result<()> {
    let collector = Collector::start()?;
    let later = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let off = ("OTEL_TRACES_SAMPLER", "always_off");
    let disabled = ("OTEL_SDK_DISABLED", "true");
    let cases = [(vec![later, off], 0), (vec![later, disabled], 0), (vec![later], 1)];
    for (variables, expected) in cases {
        let mut server = server(FLAGS, collector.url(), &[], &variables)?;
        server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
        server.process().terminate()?;
        ensure!(server.process().wait()?.success());
        // The end waited for the collector's answer, and that for the spans.
        let told = collector.spans().iter().filter(|told| told.attribute("feature_flag.key") == "feature").count();
        ensure!(told == expected, "{told} spans with {variables:?}");
    }
    Ok(())
}

/// Without a collector there are no spans, and a caller's trace is told all the same.
#[test]
fn without_a_collector_the_log_has_the_callers_trace() -> Result<()> {
    let mut server = Server::with(FLAGS, &["--log-format", "json"])?;
    let url = server.url("/api/v1/flags/other/disable");
    let answer = curl(&["--request", "POST", "--header", &traceparent(), &url])?.expect_status(404)?.json()?;
    ensure!(answer.get("trace_id").is_none(), "nobody keeps it: {answer:#}");
    let wide = line(&mut server, "asked for a change")?;
    ensure!(wide["fields"]["trace_id"] == TRACE && wide.get("trace_id").is_none(), "{wide:#}");
    Ok(())
}

#[test]
fn variables_that_cannot_be_used_are_refused_with_what_to_write() -> Result<()> {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let cases = [
        (vec![endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "write `http/protobuf`"),
        (vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")], "write `http://localhost:4318`"),
        (vec![("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector")], "is no URL of a collector"),
    ];
    for (variables, expected) in cases {
        let folder = tempfile::TempDir::new()?;
        std::fs::create_dir(folder.path().join("flags"))?;
        let mut serve = Command::new(binary()?);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path()).envs(variables.iter().copied());
        let output = serve.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && said.contains(expected), "{variables:?}: {said}");
        ensure!(!folder.path().join("data").exists(), "nothing is written where it does not start");
    }
    Ok(())
}

#[test]
fn a_run_is_told_of_once_it_is_concluded() -> Result<()> {
    let collector = Collector::start()?;
    let mut server = server(BROKEN, collector.url(), &["--max-blast-radius", "100%"], &[])?;
    let application = Application::start(&server.url(""))?;
    application.wait_for("the flags", |pass| pass.feature)?;
    start(&server, r#"{"hypothesis": "it falls back"}"#)?;
    application.wait_for("a strike", |pass| pass.struck)?;
    server.post("/api/v1/faults/broken/stop", r#"{"reason": "seen enough"}"#)?.expect_status(200)?;
    // One that came before the client's report was refused.
    let start = named("POST /api/v1/faults/{key}/start");
    let begun = collector.wait_for("the start", |told| start(told) && !told.attribute("daybreak.run.id").is_empty())?;
    let id = begun.attribute("daybreak.run.id");
    ensure!(id.len() == 16, "{begun:#?}");
    let stop = collector.wait_for("the stop", named("POST /api/v1/faults/{key}/stop"))?;
    ensure!(
        stop.attribute("daybreak.runs.ended") == id && stop.attribute("daybreak.reason") == "seen enough",
        "{stop:#?}"
    );
    let ended = collector.wait_for("the end", named("run.ended"))?;
    ensure!(
        ended.attribute("daybreak.run.id") == id && ended.attribute("daybreak.run.ended") == "stopped",
        "{ended:#?}"
    );
    ensure!(ended.span.links.iter().any(|link| link.trace_id == begun.span.trace_id), "{ended:#?}");

    within(CONCLUDED_WITHIN, "the whole run", || {
        collector.spans().iter().find(|told| told.span.name == "run").map(drop).ok_or("it is not over")
    })?;
    let told = collector.wait_for("the whole run", named("run"))?;
    let link = told.span.links.first().context("it leads to its start")?;
    ensure!(link.trace_id == begun.span.trace_id && link.span_id == begun.span.span_id, "{told:#?}");
    let run = server.get(&format!("/api/v1/runs/{id}"))?.json()?;
    let counts = |name: &str| run["counts"][name].to_string();
    let attributes = told.attributes();
    let wanted: BTreeMap<&str, String> = BTreeMap::from([
        ("daybreak.run.id", id.clone()),
        ("daybreak.fault.key", "broken".to_owned()),
        ("daybreak.fault.point", "payment.gateway".to_owned()),
        ("daybreak.fault.effect", "error".to_owned()),
        ("daybreak.run.hypothesis", "it falls back".to_owned()),
        ("daybreak.run.percentage", "100%".to_owned()),
        ("daybreak.run.shadow", "false".to_owned()),
        ("daybreak.run.ended", "stopped".to_owned()),
        ("daybreak.run.reason", "seen enough".to_owned()),
        ("daybreak.run.verdict", run["verdict"].as_str().context("a verdict")?.to_owned()),
        ("daybreak.run.treated", counts("treated")),
        ("daybreak.run.control", counts("control")),
        ("daybreak.run.struck", counts("struck")),
        ("daybreak.run.strikes", counts("strikes")),
    ]);
    for (name, value) in &wanted {
        ensure!(attributes.get(*name) == Some(value), "{name} is not {value}: {attributes:#?}");
    }
    ensure!(attributes.contains_key("daybreak.run.harm_ln_e"), "{attributes:#?}");
    let wide = line(&mut server, "a run is over")?;
    let fields = &wide["fields"];
    ensure!(wide["target"] == "daybreak::run" && fields["run"] == id && fields["fault"] == "broken", "{wide:#}");
    ensure!(fields["ended"] == "stopped" && fields["struck"] == run["counts"]["struck"], "{wide:#}");
    ensure!(fields["duration_s"].as_f64() > Some(0.0) && fields["harm_ln_e"].is_number(), "{wide:#}");
    Ok(())
}

/// What a guard adds: what the run may spend, what it spent, and why it was aborted.
#[test]
fn a_guarded_run_tells_what_it_spent_and_why_it_was_aborted() -> Result<()> {
    let collector = Collector::start()?;
    let mut server = server(GUARDED, collector.url(), &["--max-blast-radius", "100%"], &[])?;
    let application = Application::start(&server.url(""))?;
    application.wait_for("the flags", |pass| pass.feature)?;
    // Once it has run its course, the one that strikes may start.
    start(&server, r#"{"shadow": true, "duration": "1s"}"#)?;
    start(&server, "")?;
    let told = within(CONCLUDED_WITHIN, "the run that struck", || {
        let struck = |told: &Told| told.span.name == "run" && told.attribute("daybreak.run.shadow") == "false";
        collector.spans().into_iter().find(struck).ok_or("it is not over")
    })?;
    let run = server.get(&format!("/api/v1/runs/{}", told.attribute("daybreak.run.id")))?.json()?;
    let cause = told.attribute("daybreak.run.cause");
    ensure!(!cause.is_empty() && run["ended"] == format!("aborted: {cause}"), "{told:#?} of {run:#}");
    let (spent, because) = (&run["evidence"]["spent"], &run["evidence"]["because"]["code"]);
    ensure!(told.attribute("daybreak.fault.effect") == "latency+error", "{told:#?}");
    ensure!(told.attribute("daybreak.slo.key") == "front", "{told:#?}");
    ensure!(*because == told.attribute("daybreak.run.because"), "{told:#?} of {run:#}");
    ensure!(spent["bad"].as_u64() > Some(0), "{run:#}");
    ensure!(spent["bad"].as_u64() == told.attribute("daybreak.run.spent.bad").parse().ok(), "{told:#?} of {run:#}");
    ensure!(spent["max"].as_f64() == told.attribute("daybreak.run.spent.max").parse().ok(), "{told:#?} of {run:#}");
    let wide = eventually("its line", || {
        let of_run = |line: &Value| line["fields"]["run"] == run["id"];
        lines(&mut server, "a run is over").into_iter().find(of_run).ok_or("no such line")
    })?;
    let fields = &wide["fields"];
    ensure!(fields["cause"] == *cause && fields["because"] == *because && fields["slo"] == "front", "{wide:#}");
    ensure!(fields["spent_bad"] == spent["bad"] && fields["spent_max"] == spent["max"], "{wide:#} of {run:#}");
    Ok(())
}
