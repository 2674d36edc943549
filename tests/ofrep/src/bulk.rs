//! All flags at once: `POST /ofrep/v1/evaluate/flags`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use crate::report::Report;
use crate::shape;
use crate::single::of;
use crate::target::{FLAGS, Target};

const SUCCESS: &str = "openapi.yaml · evaluateFlagsBulk · 200";
const NOT_MODIFIED: &str = "openapi.yaml · evaluateFlagsBulk · 304";
const BAD: &str = "openapi.yaml · evaluateFlagsBulk · 400";
const PARAMETERS: &str = "openapi.yaml · evaluateFlagsBulk · parameters";

/// The flags of the fixture.
const KEYS: [&str; 9] = [
    "ofrep-boolean",
    "ofrep-string",
    "ofrep-integer",
    "ofrep-float",
    "ofrep-object",
    "ofrep-targeted",
    "ofrep-split",
    "ofrep-disabled",
    "ofrep-switched",
];

pub(crate) async fn run(target: &Target, report: &mut Report) {
    report.must(SUCCESS, "there is an item for every flag, each once", every_flag(target).await);
    report.must(SUCCESS, "an item is what the flag alone is answered with", same_as_single(target).await);
    report.must(SUCCESS, "one flag in error is an item, and the others are answered", one_in_error(target).await);
    report.must(SUCCESS, "there is an ETag", tagged(target).await.map(drop));
    report.should(SUCCESS, "the ETag is quoted, as RFC 9110 has it", quoted(target).await);
    report.must(NOT_MODIFIED, "who has it is told so, without a body", not_modified(target, |tag| tag).await);
    report.should(
        NOT_MODIFIED,
        "tags are compared weakly, as proxies make them weak",
        not_modified(target, |tag| if tag.starts_with("W/") { tag } else { format!("W/{tag}") }).await,
    );
    report.should(
        NOT_MODIFIED,
        "one of a list of tags is enough",
        not_modified(target, |tag| format!("\"other\", {tag}")).await,
    );
    report.must(NOT_MODIFIED, "another context is another answer", other_context(target).await);
    report.must(NOT_MODIFIED, "a flag that was switched is another answer", switched(target).await);
    report.must(BAD, "a body that is no JSON is refused by its code", refused(target, "{\"context\": ").await);
    report.must(BAD, "so is a context that is no object", refused(target, "{\"context\": 7}").await);
    report.must(PARAMETERS, "`flagConfigEtag` and `flagConfigLastModified` may come with it", parameters(target).await);
}

async fn items(target: &Target, body: &Json) -> Result<BTreeMap<String, Json>> {
    let bulk = target.bulk(body, &[]).await?.expect(200)?.json()?;
    shape::metadata(&bulk)?;
    let flags = bulk["flags"].as_array().with_context(|| format!("`flags` is no array: {bulk}"))?;
    let mut items = BTreeMap::new();
    for item in flags {
        let key = item["key"].as_str().with_context(|| format!("`key` is missing: {item}"))?.to_owned();
        if item.get("errorCode").is_some() { shape::failure(item, Some(&key)) } else { shape::success(item) }?;
        ensure!(items.insert(key, item.clone()).is_none(), "there twice: {item}");
    }
    Ok(items)
}

async fn every_flag(target: &Target) -> Result<()> {
    let items = items(target, &of("ada")).await?;
    let missing: Vec<_> = KEYS.iter().filter(|key| !items.contains_key(**key)).collect();
    ensure!(missing.is_empty(), "{missing:?} are missing among {:?}", items.keys());
    Ok(())
}

async fn same_as_single(target: &Target) -> Result<()> {
    let items = items(target, &of("ada")).await?;
    for key in KEYS {
        let alone = target.single(key, &of("ada")).await?.expect(200)?.json()?;
        for field in ["value", "variant", "reason", "metadata"] {
            let together = items.get(key).and_then(|item| item.get(field));
            ensure!(together == alone.get(field), "`{field}` of `{key}` is {together:?}, and alone {alone}");
        }
    }
    Ok(())
}

async fn one_in_error(target: &Target) -> Result<()> {
    let items = items(target, &json!({ "context": {} })).await?;
    ensure!(items.get("ofrep-boolean").is_some_and(|item| item["value"] == json!(true)), "{items:?}");
    Ok(())
}

async fn tagged(target: &Target) -> Result<String> {
    let answer = target.bulk(&of("ada"), &[]).await?.expect(200)?;
    Ok(answer.header("etag").context("there is none")?.to_owned())
}

async fn quoted(target: &Target) -> Result<()> {
    let tag = tagged(target).await?;
    ensure!(shape::entity_tag(&tag), "`{tag}` is not");
    Ok(())
}

async fn not_modified(target: &Target, written: impl Fn(String) -> String) -> Result<()> {
    let tag = written(tagged(target).await?);
    let answer = target.bulk(&of("ada"), &[("if-none-match", &tag)]).await?.expect(304)?;
    ensure!(answer.text.is_empty(), "a body: {}", answer.text);
    target.bulk(&of("ada"), &[("if-none-match", "\"none-of-yours\"")]).await?.expect(200)?;
    Ok(())
}

async fn other_context(target: &Target) -> Result<()> {
    let tag = tagged(target).await?;
    let context = |email: &str| json!({ "context": { "targetingKey": "ada", "email": email } });
    for body in [of("bob"), context("ada@example.com")] {
        let answer = target.bulk(&body, &[("if-none-match", &tag)]).await?;
        answer.expect(200).with_context(|| format!("for {body}, with the tag of another context"))?;
    }
    Ok(())
}

async fn switched(target: &Target) -> Result<()> {
    target.settle(true).await?;
    let tag = tagged(target).await?;
    target.settle(false).await?;
    let done = target.bulk(&of("ada"), &[("if-none-match", &tag)]).await?.expect(200);
    target.settle(true).await?;
    let value = |item: &Json| item["key"] == json!("ofrep-switched") && item["value"] == json!(false);
    let bulk = done?.json()?;
    ensure!(bulk["flags"].as_array().is_some_and(|flags| flags.iter().any(value)), "it is not switched: {bulk}");
    Ok(())
}

async fn refused(target: &Target, body: &str) -> Result<()> {
    shape::failure(&target.post(FLAGS, body, &[]).await?.expect(400)?.json()?, None)
}

async fn parameters(target: &Target) -> Result<()> {
    let queries = [
        "flagConfigEtag=550e8400-e29b-41d4-a716-446655440000",
        "flagConfigEtag=%22quoted%22&flagConfigLastModified=1771622898",
        "flagConfigLastModified=2026-02-20T21%3A28%3A18Z",
    ];
    for query in queries {
        let answer = target.post(&format!("{FLAGS}?{query}"), &of("ada").to_string(), &[]).await?;
        answer.expect(200).with_context(|| query.to_owned())?;
    }
    Ok(())
}
