//! Bad input changes nothing, and is answered with what helps.

use anyhow::{Result, ensure};
use daybreak_tests::Server;

/// Method, path, body, the status, and a part of the answer.
const CASES: &[(&str, &str, &str, u16, &str)] = &[
    // What is no document at all.
    ("PUT", "/api/v1/flags/new", "{", 422, "line"),
    ("PUT", "/api/v1/flags/new", "", 422, "empty"),
    ("PUT", "/api/v1/flags/new", "[]", 422, "diagnostics"),
    ("PUT", "/api/v1/flags/new", "12", 422, "diagnostics"),
    ("PUT", "/api/v1/flags/new", "{default: on, defualt: off}", 422, "`default`"),
    ("PUT", "/api/v1/flags/new", "{default: on, default: off}", 422, "default"),
    ("PUT", "/api/v1/flags/new", "{default: perhaps}", 422, "perhaps"),
    ("PUT", "/api/v1/flags/new", "{default: true}", 422, "on"),
    ("PUT", "/api/v1/flags/-new", "{default: on}", 400, "key"),
    // Percentages that cannot be read are never 100 %.
    (
        "PATCH",
        "/api/v1/flags/layout",
        r#"{"rules": {"everyone": {"rollout": {"grid": "120%", "list": "0%"}}}}"#,
        422,
        "120",
    ),
    (
        "PATCH",
        "/api/v1/flags/layout",
        r#"{"rules": {"everyone": {"rollout": {"grid": "1", "list": "99%"}}}}"#,
        422,
        "1%",
    ),
    (
        "PATCH",
        "/api/v1/flags/layout",
        r#"{"rules": {"everyone": {"rollout": {"grid": "40%", "list": "70%"}}}}"#,
        422,
        "100",
    ),
    ("PATCH", "/api/v1/faults/gateway-slow-demo", r#"{"percentage": null}"#, 422, "percentage"),
    ("PATCH", "/api/v1/faults/gateway-slow-demo", r#"{"percentage": "101%"}"#, 422, "101"),
    ("PATCH", "/api/v1/faults/gateway-slow-demo", r#"{"max_duration": null}"#, 422, "max_duration"),
    ("PATCH", "/api/v1/faults/gateway-slow-demo", r#"{"guard": null}"#, 422, "guard"),
    ("PATCH", "/api/v1/faults/gateway-slow-demo", r#"{"hours": "nights"}"#, 422, "nights"),
    ("PATCH", "/api/v1/faults/gateway-slow-demo", r#"{"effect": {"latency": {"normal": {"mean": 500}}}}"#, 422, "500"),
    ("PATCH", "/api/v1/flags/none", r#"{"default": "on"}"#, 404, "none"),
    // Commands.
    ("POST", "/api/v1/flags/none/enable", "", 404, "none"),
    ("POST", "/api/v1/flags/layout/enable", r#"{"reson": "x"}"#, 400, "reason"),
    ("POST", "/api/v1/faults/none/start", "", 404, "none"),
    ("POST", "/api/v1/faults/gateway-slow-demo/start", r#"{"duration": "10"}"#, 400, "10"),
    ("POST", "/api/v1/faults/gateway-slow-demo/start", r#"{"percentage": "6"}"#, 400, "%"),
    ("POST", "/api/v1/faults/gateway-slow-demo/start", "", 409, "no_clients"),
    ("POST", "/api/v1/faults/gateway-slow/start", "", 409, "insufficient_data"),
    ("POST", "/api/v1/reports", "{}", 400, "client"),
    ("POST", "/api/v1/reports", "flags", 400, "report"),
    // What others refer to stays.
    ("DELETE", "/api/v1/hours/office", "", 409, "gateway-down"),
    ("DELETE", "/api/v1/segments/vip-customers", "", 409, "protect"),
    ("DELETE", "/api/v1/flags/none", "", 404, "none"),
    // Bulk is all or nothing.
    ("POST", "/api/v1/apply", "flags: {good: {default: on}, bad: {default: perhaps}}", 422, "perhaps"),
    ("POST", "/api/v1/apply", "flag: {good: {default: on}}", 422, "flags"),
    // Contexts.
    ("POST", "/api/v1/flags/layout/evaluate", r#"{"context": []}"#, 400, "context"),
    ("POST", "/ofrep/v1/evaluate/flags/layout", r#"{"context": 3}"#, 400, "INVALID_CONTEXT"),
    ("POST", "/ofrep/v1/evaluate/flags/none", r#"{"context": {}}"#, 404, "FLAG_NOT_FOUND"),
    // The framework's own.
    ("GET", "/api/v1/flgs", "", 404, "/api/v1/flags"),
    ("BREW", "/api/v1/flags", "", 405, "GET"),
    ("POST", "/api/v1/halt", "", 405, "PUT"),
    ("GET", "/wp-login.php", "", 404, "/docs/"),
    ("GET", "/api/v1/runs/no-run", "", 404, "no-run"),
];

#[test]
fn invariant_9_bad_requests_change_nothing() -> Result<()> {
    let server = Server::on_copy_of("flags", &[])?;
    let before = server.state()?;
    let mut wrong = Vec::new();
    for (method, path, body, status, part) in CASES {
        let answer = server.send(method, path, body)?;
        let is_problem = answer.header("content-type").is_some_and(|media_type| media_type.contains("json"));
        if answer.status != *status || !answer.body.contains(part) || !is_problem {
            wrong.push(format!("{method} {path} {body}\n  {status} with `{part}` was expected: {answer:#?}"));
        }
        if server.state()? != before {
            wrong.push(format!("{method} {path} {body}\n  it changed something"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn invariant_9_huge_and_deep_bodies_change_nothing() -> Result<()> {
    let server = Server::on_copy_of("flags", &[])?;
    let before = server.state()?;
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("body");
    let cases = [
        ("too long", "x".repeat((64 << 20) + 1), 413),
        ("a huge text", format!("{{default: on, description: {}}}", "x".repeat(5 << 20)), 422),
        ("deep", format!("{{default: on, metadata: {}}}", "[".repeat(100_000)), 422),
        ("a bomb of aliases", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n".into(), 422),
    ];
    for (name, body, status) in cases {
        std::fs::write(&file, body)?;
        let answer = server.send("PUT", "/api/v1/flags/new", &format!("@{}", file.display()))?;
        ensure!(answer.status == status, "{name}: {status} was expected: {answer:#?}");
        ensure!(answer.json()?["status"] == status, "{name}: {answer:#?}");
        ensure!(server.state()? == before, "{name} changed something");
    }
    // What is long tells how long it is: there is room for few of those.
    std::fs::write(&file, format!("{{when: {{a: {{in: [{}]}}}}}}", "x, ".repeat(2 << 20)))?;
    let (url, data) = (server.url("/api/v1/segments/new"), format!("@{}", file.display()));
    let chunked = ["-X", "PUT", "-H", "Transfer-Encoding: chunked", "--data-binary", &data, &url];
    let answer = daybreak_tests::curl(&chunked)?;
    ensure!(answer.status == 413 && answer.body.contains("Content-Length"), "{answer:#?}");
    ensure!(server.state()? == before, "it changed something");
    Ok(())
}

#[test]
fn invariant_10_a_web_page_is_refused() -> Result<()> {
    let server = Server::on_copy_of("flags", &[])?;
    let before = server.state()?;
    let url = server.url("/api/v1/flags/layout/disable");
    for header in ["Host: evil.example", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site"] {
        let answer = daybreak_tests::curl(&["-X", "POST", "-H", header, &url])?;
        ensure!(answer.status == 403, "{header}: {answer:#?}");
        ensure!(server.state()? == before, "{header} changed something");
    }
    Ok(())
}
