//! One flag: `POST /ofrep/v1/evaluate/flags/{key}`.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};

use crate::report::Report;
use crate::shape;
use crate::target::{FLAGS, Target};

const SUCCESS: &str = "openapi.yaml · evaluateFlag · 200";
const BAD: &str = "openapi.yaml · evaluateFlag · 400";
const ABSENT: &str = "openapi.yaml · evaluateFlag · 404";
const CONTEXT: &str = "openapi.yaml · schemas · context";
const TELEMETRY: &str = "OpenFeature · Appendix D · flag metadata";

pub(crate) async fn run(target: &Target, report: &mut Report) {
    let expected = [
        ("ofrep-boolean", json!(true)),
        ("ofrep-string", json!("hello")),
        ("ofrep-integer", json!(42)),
        ("ofrep-float", json!(1.0)),
        ("ofrep-object", json!({ "colour": "teal", "size": 3 })),
    ];
    for (key, value) in expected {
        report.must(SUCCESS, format!("`{key}` has its value"), answers(target, key, &value).await);
    }
    report.must(SUCCESS, "what is targeted is served, and a reason says so", targeted(target).await);
    report.must(SUCCESS, "the same context gets the same share", sticky(target).await);
    report.must(SUCCESS, "a flag that is disabled is no error: DISABLED", disabled(target).await);
    report.must(SUCCESS, "metadata come with the flag", has_metadata(target).await);
    report.should(SUCCESS, "a variant is always named: the Python client needs it", variants(target).await);
    report.should(SUCCESS, "a float has its point: typed clients tell it from an integer", point(target).await);
    report.must(ABSENT, "a flag that does not exist is FLAG_NOT_FOUND", absent(target, "ofrep-absent").await);
    report.should(ABSENT, "so is one whose key has a slash: clients do not escape it", absent(target, "no/such").await);
    report.must(BAD, "a body that is no JSON is refused by its code", refused(target, "{\"context\": ").await);
    report.must(BAD, "so is a context that is no object", refused(target, "{\"context\": [1]}").await);
    report.should(BAD, "a split without its key is TARGETING_KEY_MISSING", keyless_split(target).await);
    report.should(BAD, "an error says more in `errorDetails`: the Python client needs it", details(target).await);
    report.must(CONTEXT, "attributes may be of any type", any_attribute(target).await);
    report.should(
        CONTEXT,
        "no `targetingKey` is no error where none is needed: clients send none",
        keyless(target).await,
    );
    report.should(CONTEXT, "what is not known beside it is ignored", unknown_member(target).await);
    report.should(
        TELEMETRY,
        "the flag set and its version are named, as text: hooks hand them on to traces",
        names_version(target).await,
    );
}

/// The context of somebody.
pub(crate) fn of(user: &str) -> Json {
    json!({ "context": { "targetingKey": user } })
}

async fn evaluate(target: &Target, key: &str, body: &Json) -> Result<Json> {
    let item = target.single(key, body).await?.expect(200)?.json()?;
    shape::success(&item)?;
    ensure!(item["key"] == json!(key), "`key` is not the one asked for: {item}");
    Ok(item)
}

async fn answers(target: &Target, key: &str, value: &Json) -> Result<()> {
    let item = evaluate(target, key, &of("ada")).await?;
    let same = match (value.as_f64(), item["value"].as_f64()) {
        (Some(expected), Some(got)) => (expected - got).abs() < f64::EPSILON,
        _ => item["value"] == *value,
    };
    ensure!(same, "{value} was expected: {item}");
    Ok(())
}

async fn targeted(target: &Target) -> Result<()> {
    for (email, value) in [("ada@example.com", true), ("ada@example.org", false)] {
        let body = json!({ "context": { "targetingKey": "ada", "email": email } });
        let item = evaluate(target, "ofrep-targeted", &body).await?;
        ensure!(item["value"] == json!(value), "{value} was expected for {email}: {item}");
        let matched = item["reason"] == json!("TARGETING_MATCH");
        ensure!(matched == value, "the reason is not that of a match, for {email}: {item}");
    }
    Ok(())
}

async fn sticky(target: &Target) -> Result<()> {
    let mut seen = BTreeSet::new();
    for user in 0..30 {
        let body = of(&format!("user-{user}"));
        let first = evaluate(target, "ofrep-split", &body).await?;
        let again = evaluate(target, "ofrep-split", &body).await?;
        ensure!(first["value"] == again["value"], "user-{user} gets {first}, and then {again}");
        seen.insert(first["value"].to_string());
    }
    ensure!(seen.len() == 2, "30 users all get {seen:?}, of two halves");
    Ok(())
}

async fn disabled(target: &Target) -> Result<()> {
    let item = evaluate(target, "ofrep-disabled", &of("ada")).await?;
    ensure!(item["reason"] == json!("DISABLED"), "{item}");
    Ok(())
}

async fn has_metadata(target: &Target) -> Result<()> {
    let item = evaluate(target, "ofrep-boolean", &of("ada")).await?;
    let expected = json!({ "team": "conformance", "priority": 1, "legacy": false });
    for (name, value) in expected.as_object().into_iter().flatten() {
        let got = &item["metadata"][name];
        let same = if value.is_number() { got.as_f64() == value.as_f64() } else { got == value };
        ensure!(same, "`{name}` is not {value}: {item}");
    }
    Ok(())
}

async fn names_version(target: &Target) -> Result<()> {
    let item = evaluate(target, "ofrep-boolean", &of("ada")).await?;
    for name in ["flagSetId", "version"] {
        let got = item["metadata"][name].as_str();
        ensure!(got.is_some_and(|text| !text.is_empty()), "`{name}` is no text: {item}");
    }
    Ok(())
}

async fn variants(target: &Target) -> Result<()> {
    for key in ["ofrep-boolean", "ofrep-targeted", "ofrep-split", "ofrep-disabled"] {
        let item = evaluate(target, key, &of("ada")).await?;
        ensure!(item["variant"].is_string(), "{item}");
    }
    Ok(())
}

async fn point(target: &Target) -> Result<()> {
    let text = target.single("ofrep-float", &of("ada")).await?.expect(200)?.text;
    let written = text.split("\"value\"").nth(1).unwrap_or_default().trim_start_matches([':', ' ']);
    ensure!(written.starts_with("1.0"), "1.0 is written otherwise: {text}");
    Ok(())
}

async fn absent(target: &Target, key: &str) -> Result<()> {
    let item = target.single(key, &of("ada")).await?.expect(404)?.json()?;
    shape::failure(&item, Some(key))?;
    ensure!(item["errorCode"] == json!("FLAG_NOT_FOUND"), "{item}");
    Ok(())
}

async fn refused(target: &Target, body: &str) -> Result<()> {
    let answer = target.post(&format!("{FLAGS}/ofrep-boolean"), body, &[]).await?.expect(400)?;
    shape::failure(&answer.json()?, Some("ofrep-boolean"))
}

async fn keyless_split(target: &Target) -> Result<()> {
    let item = target.single("ofrep-split", &json!({ "context": {} })).await?.expect(400)?.json()?;
    shape::failure(&item, Some("ofrep-split"))?;
    ensure!(item["errorCode"] == json!("TARGETING_KEY_MISSING"), "{item}");
    Ok(())
}

async fn details(target: &Target) -> Result<()> {
    let absent = target.single("ofrep-absent", &of("ada")).await?.json()?;
    let bad = target.post(&format!("{FLAGS}/ofrep-boolean"), "{", &[]).await?.json()?;
    for item in [absent, bad] {
        ensure!(item["errorDetails"].as_str().is_some_and(|details| !details.is_empty()), "{item}");
    }
    Ok(())
}

async fn any_attribute(target: &Target) -> Result<()> {
    let context = json!({
        "targetingKey": "ada", "text": "é\u{1f600}", "whole": 7, "part": 0.25, "negative": -1, "yes": true,
        "list": [1, "two", null], "nested": { "deep": { "deeper": [] } }, "nothing": null, "custom-plan": "premium",
    });
    evaluate(target, "ofrep-boolean", &json!({ "context": context })).await.map(drop)
}

async fn keyless(target: &Target) -> Result<()> {
    for body in [json!({ "context": {} }), json!({})] {
        evaluate(target, "ofrep-boolean", &body).await?;
    }
    Ok(())
}

async fn unknown_member(target: &Target) -> Result<()> {
    let body = json!({ "context": { "targetingKey": "ada" }, "ofrep-next": { "a": 1 } });
    evaluate(target, "ofrep-boolean", &body).await.map(drop)
}
