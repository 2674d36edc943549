//! Tokens, on the real binary: the first one shuts it, they outlive a crash, and none is ever told.

use std::process::Command;

use anyhow::{Context, Result};
use daybreak_tests::{Answer, Server, binary, curl};
use serde_json::json;

const DOCUMENT: &str = "flags: { feature: { default: on } }";

fn with(server: &Server, token: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
    let (url, bearer) = (server.url(path), format!("Authorization: Bearer {token}"));
    let mut arguments = vec!["--request", method, &url, "--header", &bearer];
    if !body.is_empty() {
        arguments.extend(["--data-binary", body]);
    }
    curl(&arguments)
}

fn make(server: &Server, admin: &str, name: &str, role: &str) -> Result<String> {
    let body = json!({ "name": name, "role": role }).to_string();
    let made = with(server, admin, "POST", "/api/v1/tokens", &body)?.expect_status(201)?.json()?;
    Ok(made["secret"].as_str().context("a token has a secret")?.to_owned())
}

#[test]
fn invariant_10_tokens_outlive_a_crash_and_are_never_told() -> Result<()> {
    let mut server = Server::with(DOCUMENT, &["--log", "debug"])?;
    let root = make(&server, "", "root", "admin")?;
    let (sdk, operator) = (make(&server, &root, "app", "sdk")?, make(&server, &root, "ops", "operator")?);
    server.get("/api/v1/flags")?.expect_status(401)?;
    with(&server, &operator, "POST", "/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    with(&server, &sdk, "POST", "/api/v1/flags/feature/enable", "")?.expect_status(403)?;
    // One in 62 tokens ends in an `x`.
    let other = if operator.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{other}", &operator[..operator.len() - 1]);
    with(&server, &mistyped, "GET", "/api/v1/flags", "")?.expect_status(401)?;

    let listed = Command::new(binary()?)
        .args(["token", "list", "--url", &server.url("")])
        .env("DAYBREAK_TOKEN", &root)
        .output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(["root", "app", "ops"].iter().all(|name| listed.contains(name)), "{listed}");
    let revoked = Command::new(binary()?)
        .args(["token", "revoke", "ops", "--url", &server.url("")])
        .env("DAYBREAK_TOKEN", &root)
        .status()?;
    assert!(revoked.success());
    let before = server.process().output();

    server.restart()?;
    with(&server, &operator, "GET", "/api/v1/flags", "")?.expect_status(401)?;
    with(&server, &sdk, "GET", "/api/v1/snapshot", "")?.expect_status(200)?;
    let events = with(&server, &root, "GET", "/api/v1/events?limit=1000", "")?.expect_status(200)?;
    assert!(events.body.contains("token.revoked") && events.body.contains("token.used"), "{}", events.body);
    let told = format!("{before}{}{}{listed}", server.process().output(), events.body);
    for token in [&root, &sdk, &operator] {
        let secret = token.rsplit('_').next().context("a token has parts")?;
        assert!(!told.contains(&secret[..20]), "a secret is told");
    }
    Ok(())
}

/// Elsewhere than on loopback it needs a token, and says how to make it.
#[test]
fn invariant_10_without_tokens_it_does_not_listen_elsewhere() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    std::fs::create_dir(folder.path().join("flags"))?;
    let refused = Command::new(binary()?).current_dir(&folder).args(["serve", "--listen", "0.0.0.0:0"]).output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("daybreak token create admin --role admin --data data"),
        "{said}"
    );
    Ok(())
}
