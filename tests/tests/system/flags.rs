//! An operator's day with flags: toggle, target, roll out.

use anyhow::Result;
use daybreak_tests::Server;
use serde_json::{Value, json};

use crate::application::Application;

const DOCUMENT: &str = r#"
flags:
  feature:
    default: off
    rules:
      - { name: staff, when: { email: { ends_with: "@shop.example" } }, serve: on }
      - { name: pro, when: { plan: pro }, percentage: 0%, serve: on }
  burst: { enabled: false, default: on }
"#;

/// What the server answers to this context.
fn evaluate(server: &Server, context: &Value) -> Result<(Value, Value, Value)> {
    let body = json!({ "context": context }).to_string();
    let answer = server.post("/api/v1/flags/feature/evaluate", &body)?.expect_status(200)?.json()?;
    Ok((answer["variant"].clone(), answer["reason"].clone(), answer["rule"].clone()))
}

fn check(server: &Server, context: &Value, variant: &str, reason: &str, rule: Option<&str>) -> Result<()> {
    assert_eq!(evaluate(server, context)?, (json!(variant), json!(reason), json!(rule)), "{context}");
    Ok(())
}

#[test]
fn toggle_target_and_roll_out() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    let staff = json!({ "email": "ada@shop.example" });
    let pro = json!({ "targetingKey": "bob", "plan": "pro" });
    check(&server, &staff, "on", "TARGETING_MATCH", Some("staff"))?;
    check(&server, &pro, "off", "DEFAULT", None)?;

    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    check(&server, &staff, "off", "DISABLED", None)?;
    server.post("/api/v1/flags/feature/enable", r#"{"reason": "the dust has settled"}"#)?.expect_status(200)?;
    check(&server, &staff, "on", "TARGETING_MATCH", Some("staff"))?;

    server
        .send("PATCH", "/api/v1/flags/feature", r#"{"rules": {"acme": {"when": {"company": "acme"}, "serve": "on"}}}"#)?
        .expect_status(200)?;
    check(&server, &json!({ "company": "acme" }), "on", "TARGETING_MATCH", Some("acme"))?;

    server.send("PATCH", "/api/v1/flags/feature", "rules: {pro: {percentage: 100%}}")?.expect_status(200)?;
    check(&server, &pro, "on", "SPLIT", Some("pro"))
}

#[test]
fn what_changes_nothing_makes_no_revision() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    let before = server.state()?;
    server.post("/api/v1/flags/feature/enable", "")?.expect_status(200)?;
    server.post("/api/v1/flags/burst/disable", "")?.expect_status(200)?;
    assert_eq!(server.state()?, before);
    Ok(())
}

#[test]
fn a_toggle_reaches_the_application() -> Result<()> {
    let server = Server::start("flags: {feature: {default: on}, burst: {enabled: false, default: on}}")?;
    let application = Application::start(&server.url(""))?;
    application.wait_for("the flag", |pass| pass.feature)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    application.wait_for("the toggle", |pass| !pass.feature)?;
    Ok(())
}

#[test]
fn invariant_7_the_same_answer_everywhere() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    server
        .send("PATCH", "/api/v1/flags/feature", r#"{"rules": {"pro": {"percentage": "30%"}}}"#)?
        .expect_status(200)?;
    let file = tempfile::TempDir::new()?;
    std::fs::write(file.path().join("flags.json"), server.get("/api/v1/export?format=json")?.expect_status(200)?.body)?;
    for user in 0..20 {
        let context = json!({ "targetingKey": format!("user-{user}"), "plan": "pro" });
        let (variant, reason, _) = evaluate(&server, &context)?;
        let body = json!({ "context": context }).to_string();
        let ofrep = server.post("/ofrep/v1/evaluate/flags/feature", &body)?.expect_status(200)?.json()?;
        assert_eq!((&ofrep["variant"], &ofrep["reason"]), (&variant, &reason), "{context}");

        let mut eval = std::process::Command::new(daybreak_tests::binary()?);
        let output =
            eval.args(["eval", "feature", "--context", &context.to_string(), "--flags"]).arg(file.path()).output()?;
        let printed = String::from_utf8(output.stdout)?;
        let local: Value = serde_json::from_str(&printed).unwrap_or_else(|_| json!({ "printed": printed }));
        assert_eq!((&local["variant"], &local["reason"]), (&variant, &reason), "{context}");
    }
    Ok(())
}
