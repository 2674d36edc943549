//! `/metrics` of the real binary: as the page says, as Prometheus reads it, and as the dashboard and the alert rules ask it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Process, Server, curl, eventually, root};
use serde_json::Value;
use tempfile::TempDir;

use crate::application::{Application, start};
use crate::collector::Collector;
use crate::shop::Shop;

/// Everything of which there are numbers.
const DOCUMENT: &str = r#"
flags:
  feature: { default: on }
  burst: { enabled: false, default: on }
  new-checkout: { default: on }
  # The shop looks for columns here, and answers with its own default.
  layout: { default: on }
  search-banner: { variants: { none: '', sale: all }, off: none, default: none }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] }
slos:
  checkout: { objective: 95%, window: 28d, sli: { operation: "GET /", good: { status: "<500" } } }
on_call:
  payments: { pages_per_week: 2, off_hours_incidents_per_half_year: 1, hours: always }
faults:
  broken:
    point: payment.gateway
    percentage: 50%
    effect: { latency: 10ms }
    hours: always
    guard: { slo: checkout, min_budget: 0%, max_spend: 50% }
    max_duration: 10m
  search-down:
    point: catalogue.search
    percentage: 50%
    effect: { error: { status: 503 } }
    hours: always
    guard: none
    max_duration: 10m
"#;
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A server with an application and a shop, a run at each, a webhook that nobody answers, and refusals.
struct Busy {
    server: Server,
    shop: Shop,
    _application: Application,
    _folder: TempDir,
}

fn busy(options: &[&str], variables: &[(&str, &str)]) -> Result<Busy> {
    let folder = TempDir::new()?;
    let webhooks = folder.path().join("webhooks.yaml");
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    fs::write(&webhooks, format!("webhooks: {{ ops: {{ url: 'http://{nobody}/x', template: slack }} }}"))?;
    let webhooks = webhooks.display().to_string();
    let all = [&["--max-blast-radius", "100%", "--webhooks", &webhooks], options].concat();
    let server = Server::with_variables(DOCUMENT, &all, variables)?;
    let application = Application::start(&server.url(""))?;
    application.wait_for("the flags", |pass| pass.feature)?;
    // Once it has run its course, the one that strikes may start.
    start(&server, r#"{"shadow": true, "duration": "1s"}"#)?;
    start(&server, "")?;
    server.post("/api/v1/faults/broken/start", "")?.expect_status(409)?;
    let shop = Shop::open(&server.url(""))?;
    eventually("a start at the shop", || server.post("/api/v1/faults/search-down/start", "")?.expect_status(201))?;
    eventually("a strike at the shop", || match shop.search(10)? {
        0 => Err(anyhow!("none was struck")),
        _ => Ok(()),
    })?;
    curl(&[format!("{}/catalogue", shop.url())])?.expect_status(200)?;
    server.post("/api/v1/flags/search-banner/disable", "")?.expect_status(200)?;
    server.get("/api/v1/flags")?.expect_status(200)?;
    let busy = Busy { server, shop, _application: application, _folder: folder };
    eventually("what the client reports", || {
        let series = series(&busy.server)?;
        let value =
            |name: &str| series.iter().filter(|(of, _)| of.starts_with(name)).map(|(_, value)| *value).sum::<f64>();
        let reported =
            value("daybreak_injections_total{fault=\"broken\"}") > 0.0 && value("daybreak_evaluations_total") > 0.0;
        let known = value("daybreak_run_requests") > 0.0 && value("daybreak_runs_started_total") > 0.0;
        let others = value("daybreak_webhook_failures") > 0.0 && value("daybreak_budget_requests") > 0.0;
        if reported && known && others { Ok(()) } else { Err(anyhow!("{reported} {known} {others}")) }
    })?;
    Ok(busy)
}

fn metrics(server: &Server, accept: &str) -> Result<String> {
    let answer = curl(&["--header", &format!("accept: {accept}"), &server.url("/metrics")])?.expect_status(200)?;
    let expected = if accept.starts_with("application/openmetrics") { OPEN_METRICS } else { TEXT };
    ensure!(answer.header("content-type") == Some(expected), "{accept}: {:?}", answer.headers);
    ensure!(answer.header("vary") == Some("Accept"), "{:?}", answer.headers);
    Ok(answer.body)
}

/// Every series with its labels, and its value.
fn series(server: &Server) -> Result<BTreeMap<String, f64>> {
    let text = metrics(server, "*/*")?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
            Ok((series.to_owned(), value.parse().with_context(|| line.to_owned())?))
        })
        .collect()
}

/// The numbers of the shop's own client.
fn of_shop(shop: &Shop) -> Result<String> {
    let answer = curl(&[format!("{}/metrics", shop.url())])?.expect_status(200)?;
    ensure!(answer.header("content-type") == Some(OPEN_METRICS), "{:?}", answer.headers);
    ensure!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    Ok(answer.body)
}

/// Every metric with its type and the names of its labels, as it is served.
fn served(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut served: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    // OpenMetrics names a counter without its ending.
    let ending = if text.ends_with("# EOF\n") { "_total" } else { "" };
    let name_of = |name: &str, kind: &str| if kind == "counter" { format!("{name}{ending}") } else { name.to_owned() };
    served.extend(types.map(|(name, kind)| (name_of(name, kind), (kind.to_owned(), BTreeSet::new()))));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap_or((line, ""));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let key = if served.contains_key(name) { name } else { family };
        let labels = rest.rsplit_once('}').map_or("", |(labels, _)| labels);
        let names = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name.to_owned());
        if let Some((_, known)) = served.get_mut(key) {
            known.extend(names.filter(|name| name != "le"));
        }
    }
    served
}

/// The same, as the page says it: rows of its tables.
fn documented() -> Result<BTreeMap<String, (String, BTreeSet<String>)>> {
    let page = fs::read_to_string(root().join("docs/observability.md"))?;
    let mut documented = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells.as_slice() else { continue };
        if !["gauge", "counter", "histogram"].contains(kind) {
            continue;
        }
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        let before = documented.insert(name.trim_matches('`').to_owned(), ((*kind).to_owned(), labels));
        ensure!(before.is_none(), "{name} stands twice");
    }
    Ok(documented)
}

#[test]
fn the_page_lists_what_is_served_and_prometheus_reads_it() -> Result<()> {
    let collector = Collector::start()?;
    let told = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let busy = busy(&[], &told)?;
    let text = metrics(&busy.server, "*/*")?;
    let (mut served, documented, of_shop) = (served(&text), documented()?, served(&of_shop(&busy.shop)?));
    ensure!(of_shop.keys().all(|name| name.starts_with("daybreak_sdk_")), "{:?}", of_shop.keys());
    served.extend(of_shop);
    for name in served.keys().chain(documented.keys()) {
        let (served, documented) = (served.get(name), documented.get(name));
        ensure!(served == documented, "{name}: served {served:?}, documented {documented:?}");
    }
    promtool(&["check", "metrics"], &text)?;

    let open = metrics(&busy.server, "application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.2")?;
    ensure!(open.ends_with("# EOF\n"), "{open}");
    // What a request took leads to its trace.
    let request = r#"_bucket{le="#;
    let exemplar = open.lines().filter(|line| line.contains(request) && line.contains("/flags/{key}/disable"));
    let exemplar = exemplar.filter_map(|line| line.split_once("# {trace_id=\"")?.1.split('"').next()).next();
    let trace = exemplar.context("an exemplar")?;
    collector.wait_for("the trace of an exemplar", |told| told.trace() == trace)?;
    Ok(())
}

/// Who may read may have the numbers; who sends reports may not.
#[test]
fn invariant_10_metrics_are_for_those_who_may_read() -> Result<()> {
    let server = Server::start("flags: { feature: { default: on } }")?;
    server.get("/metrics")?.expect_status(200)?;
    let mut stream = TcpStream::connect(server.address())?;
    write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: {}\r\n\r\n", server.address())?;
    eventually("an open stream", || match series(&server)?["daybreak_streams"] {
        0.0 => Err(anyhow!("none is open")),
        _ => Ok(()),
    })?;
    let make = |body: &str, token: &str| -> Result<String> {
        let (url, shown) = (server.url("/api/v1/tokens"), format!("authorization: Bearer {token}"));
        let header: &[&str] = if token.is_empty() { &[] } else { &["--header", &shown] };
        let made = curl(&[header, &["--request", "POST", "--data-binary", body, &url]].concat())?.expect_status(201)?;
        Ok(made.json()?["secret"].as_str().context("a secret")?.to_owned())
    };
    let admin = make(r#"{"name": "root", "role": "admin"}"#, "")?;
    server.get("/metrics")?.expect_status(401)?;
    for (role, status) in [("viewer", 200), ("operator", 200), ("sdk", 403), ("evaluate", 403), ("pager", 403)] {
        let token = make(&format!(r#"{{"name": "{role}", "role": "{role}"}}"#), &admin)?;
        let header = format!("authorization: Bearer {token}");
        let answer = curl(&["--header", &header, &server.url("/metrics")])?;
        ensure!(answer.status == status, "{role}: {answer:?}");
    }
    // Whoever had a stream open without a token is shut out, and that is counted.
    let header = format!("authorization: Bearer {admin}");
    eventually("the end of a stream", || {
        let text = curl(&["--header", &header, &server.url("/metrics")])?.expect_status(200)?.body;
        let shut_out = "daybreak_streams_ended_total{reason=\"shut_out\"} 1";
        if text.contains(shut_out) && text.contains("daybreak_streams 0") { Ok(()) } else { Err(anyhow!(text)) }
    })
}

fn promtool(arguments: &[&str], input: &str) -> Result<()> {
    let folder = TempDir::new()?;
    fs::write(folder.path().join("input"), input)?;
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(fs::File::open(folder.path().join("input"))?);
    let output = command.current_dir(root().join("docs/observability")).output().context("promtool cannot be run")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && !said.contains("lint"), "promtool {arguments:?}: {said}");
    Ok(())
}

#[test]
fn the_alert_rules_do_what_their_tests_say() -> Result<()> {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"], "")?;
    promtool(&["test", "rules", "alerts_test.yaml"], "")?;
    let rules = fs::read_to_string(root().join("docs/observability/alerts.yaml"))?;
    let tests = fs::read_to_string(root().join("docs/observability/alerts_test.yaml"))?;
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        ensure!(tests.contains(&format!("alertname: {alert}\n        exp_alerts:\n")), "{alert} is never seen to fire");
    }
    Ok(())
}

/// A Prometheus that scrapes a server and a shop as the page says, with the alert rules; its URL.
fn prometheus(folder: &TempDir, server: &Server, shop: &Shop) -> Result<(Process, String)> {
    let (config, rules) = (folder.path().join("prometheus.yml"), root().join("docs/observability/alerts.yaml"));
    let text = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nscrape_configs:\n\
         - job_name: daybreak\n  static_configs: [{{ targets: ['{}'] }}]\n\
         - job_name: shop\n  static_configs: [{{ targets: ['{}'] }}]\n",
        rules.display(),
        server.address(),
        shop.url().trim_start_matches("http://")
    );
    fs::write(&config, text)?;
    // It does not tell which port it took, so it is told one that is free.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", config.display())).arg("--enable-feature=exemplar-storage");
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("prometheus").display()));
    command.arg(format!("--web.listen-address={address}"));
    let process = Process::start("prometheus", &mut command)?;
    let url = format!("http://{address}");
    let ready = format!("{url}/-/ready");
    eventually("Prometheus", || curl(&[&ready]).and_then(|answer| answer.expect_status(200)))?;
    Ok((process, url))
}

/// How many series an expression has now.
fn ask(prometheus: &str, expression: &str) -> Result<usize> {
    let query = format!("query={expression}");
    let answer = curl(&["--get", "--data-urlencode", &query, &format!("{prometheus}/api/v1/query")])?.json()?;
    ensure!(answer["status"] == "success", "{expression}: {answer:#}");
    Ok(answer["data"]["result"].as_array().context("a result")?.len())
}

/// Every expression of the dashboard, as Grafana would send it.
fn expressions() -> Result<Vec<String>> {
    let dashboard = fs::read_to_string(root().join("docs/observability/dashboard.json"))?;
    let dashboard: Value = serde_json::from_str(&dashboard)?;
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    let sent = |text: String| {
        let text = text.replace("$job", "daybreak").replace("$instance", ".*").replace("$__rate_interval", "10s");
        ensure!(!text.contains('$'), "{text} has a variable that is not known");
        Ok(text)
    };
    found.into_iter().map(sent).collect()
}

fn collect(json: &Value, into: &mut Vec<String>) {
    match json {
        Value::Object(members) => {
            into.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

/// The metrics that a text names.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| ["daybreak_", "http_server_", "process_"].iter().any(|begin| word.starts_with(begin));
    words.filter(ours).map(str::to_owned).collect()
}

#[test]
fn a_real_prometheus_has_data_for_every_expression() -> Result<()> {
    let busy = busy(&[], &[])?;
    let folder = TempDir::new()?;
    let (_process, url) = prometheus(&folder, &busy.server, &busy.shop)?;
    let expressions = expressions()?;
    ensure!(expressions.len() > 30, "only {} expressions were found", expressions.len());
    let has_data = |expression: &String| {
        eventually(expression, || match ask(&url, expression)? {
            0 => Err(anyhow!("no data")),
            series => Ok(series),
        })
    };
    // The end of a run comes last: what active ones show is gone then.
    let (ends, others): (Vec<_>, Vec<_>) = expressions.iter().partition(|text| text.contains("changes("));
    others.into_iter().try_for_each(|expression| has_data(expression).map(drop))?;
    // Alerts that do not fire have no data; what they look at has.
    let rules = curl(&[format!("{url}/api/v1/rules")])?.json()?;
    let rules = rules["data"]["groups"][0]["rules"].as_array().context("rules")?;
    ensure!(rules.len() > 10, "{rules:#?}");
    for rule in rules {
        let (name, query) = (&rule["name"], rule["query"].as_str().context("a query")?);
        eventually("an evaluation", || {
            let rules = curl(&[format!("{url}/api/v1/rules")])?.json()?;
            let known = rules["data"]["groups"][0]["rules"].as_array().context("rules")?;
            let rule = known.iter().find(|rule| rule["name"] == *name).context("the rule")?;
            if rule["health"] == "ok" { Ok(()) } else { Err(anyhow!("{rule:#}")) }
        })?;
        for metric in names(query) {
            ensure!(ask(&url, &metric)? > 0, "{name} looks at {metric}, of which there is nothing");
        }
    }
    busy.server.post("/api/v1/faults/broken/stop", "")?.expect_status(200)?;
    ends.into_iter().try_for_each(|expression| has_data(expression).map(drop))
}
