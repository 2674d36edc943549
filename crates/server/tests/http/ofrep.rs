//! OFREP 0.3.0, as published clients need it; and the same answer everywhere.

use serde_json::{Value as Json, json};

use crate::harness::Server;

const ONE: &str = "/ofrep/v1/evaluate/flags";

#[actix_web::test]
async fn single() {
    let server = Server::start().await;
    let staff = json!({"context": {"targetingKey": "ada", "email": "ada@shop.example"}});
    let user = json!({"context": {"targetingKey": "ada"}});
    let cases = [
        ("new-checkout", &staff, 200, json!({"value": true, "variant": "on", "reason": "TARGETING_MATCH"})),
        ("new-checkout", &user, 200, json!({"value": false, "variant": "off", "reason": "DEFAULT"})),
        ("plain", &user, 200, json!({"value": true, "variant": "on", "reason": "STATIC"})),
        ("plain", &json!({"context": {}}), 200, json!({"value": true, "variant": "on", "reason": "STATIC"})),
        ("plain", &json!({}), 200, json!({"value": true, "variant": "on", "reason": "STATIC"})),
        ("retired", &user, 200, json!({"value": false, "variant": "off", "reason": "DISABLED"})),
        ("dependent", &user, 200, json!({"value": false, "variant": "off", "reason": "DISABLED"})),
        ("layout", &user, 200, json!({"reason": "SPLIT"})),
        ("layout", &json!({}), 400, json!({"errorCode": "TARGETING_KEY_MISSING"})),
        ("layout", &json!({"context": {"targetingKey": ""}}), 400, json!({"errorCode": "TARGETING_KEY_MISSING"})),
        ("nowhere", &user, 404, json!({"errorCode": "FLAG_NOT_FOUND"})),
        ("a/b", &user, 404, json!({"errorCode": "FLAG_NOT_FOUND"})),
        ("a%2Fb", &user, 404, json!({"errorCode": "FLAG_NOT_FOUND"})),
        ("plain", &json!({"context": []}), 400, json!({"errorCode": "INVALID_CONTEXT"})),
        ("plain", &json!({"context": {"targetingKey": {}}}), 400, json!({"errorCode": "INVALID_CONTEXT"})),
        ("plain", &json!({"context": {"$x": 1}}), 400, json!({"errorCode": "INVALID_CONTEXT"})),
        ("plain", &json!({"context": {"id": u64::MAX}}), 400, json!({"errorCode": "INVALID_CONTEXT"})),
        ("plain", &json!([]), 400, json!({"errorCode": "PARSE_ERROR"})),
    ];
    for (key, body, status, expected) in cases {
        let answer = server.post(&format!("{ONE}/{key}"), &body.to_string()).await.expect(status);
        assert_eq!(answer.header("content-type"), "application/json", "{key} {body}");
        let answer = answer.json();
        assert!(contains(&answer, &expected), "{key} {body}: {answer}");
        well_formed(&answer);
        assert_eq!(answer["key"], json!(key.replace("%2F", "/")), "{answer}");
    }
    let broken = server.post(&format!("{ONE}/plain"), "{\"context\": ").await.expect(400).json();
    assert!(contains(&broken, &json!({"key": "plain", "errorCode": "PARSE_ERROR"})), "{broken}");
    well_formed(&broken);
}

/// Clients tell integers and floats apart by the point.
#[actix_web::test]
async fn numbers_keep_their_kind() {
    let server = Server::start().await;
    for (key, written) in [("whole", "\"value\":3,"), ("broken-down", "\"value\":1.0,")] {
        let answer = server.post(&format!("{ONE}/{key}"), "{}").await.expect(200).text;
        assert!(answer.contains(written), "{answer}");
    }
}

#[actix_web::test]
async fn metadata_are_scalars() {
    let server = Server::start().await;
    let context = r#"{"context": {"email": "ada@shop.example"}}"#;
    let answer = server.post(&format!("{ONE}/new-checkout"), context).await.expect(200).json();
    assert!(contains(&answer["metadata"], &json!({"team": "payments", "rule": "staff"})), "{answer}");
    let revision = answer["metadata"]["revision"].as_u64().unwrap();
    let wanted = json!({"version": revision.to_string(), "flagSetId": "test"});
    assert!(contains(&answer["metadata"], &wanted), "{answer}");
    let answer = server.post(&format!("{ONE}/dependent"), "{}").await.expect(200).json();
    assert_eq!(answer["metadata"]["prerequisite"], json!("retired"), "{answer}");
}

#[actix_web::test]
async fn a_flag_of_its_own_takes_none_of_the_servers_names() {
    let server = Server::start().await;
    let names = ["revision", "version", "flagSetId", "rule", "prerequisite", "age_ms"];
    let metadata: Vec<_> = names.iter().map(|name| format!("{name}: mine")).collect();
    let document = format!("{{default: on, metadata: {{team: payments, {}}}}}", metadata.join(", "));
    server.send("PUT", "/api/v1/flags/greedy", &[], document).await.expect(201);
    let answer = server.post(&format!("{ONE}/greedy"), "{}").await.expect(200).json();
    let revision = server.shared.control().position().revision;
    let wanted =
        json!({"revision": revision, "version": revision.to_string(), "flagSetId": "test", "team": "payments"});
    assert_eq!(answer["metadata"], wanted);
}

/// What is answered names the environment, so that a store which is served under another name is no longer the same.
#[actix_web::test]
async fn another_environment_is_another_answer() {
    let (one, other) = (Server::start().await, Server::of("other").await);
    assert_eq!(one.shared.control().position(), other.shared.control().position(), "the same store");
    let tag = one.post(ONE, "{}").await.expect(200).header("etag").to_owned();
    let answer = other.send("POST", ONE, &[("if-none-match", &tag)], "{}").await.expect(200).json();
    let sets: Vec<_> = answer["flags"].as_array().unwrap().iter().map(|flag| &flag["metadata"]["flagSetId"]).collect();
    assert_eq!(sets, [&json!("other"); 7]);
}

#[actix_web::test]
async fn bulk_has_an_item_for_every_flag_and_an_etag() {
    let server = Server::start().await;
    let body = json!({"context": {"targetingKey": "ada"}}).to_string();
    let all = server.post(ONE, &body).await.expect(200);
    let tag = all.header("etag").to_owned();
    let flags = all.json()["flags"].as_array().cloned().unwrap();
    assert_eq!(flags.len(), 7);
    flags.iter().for_each(well_formed);

    let same = server.send("POST", ONE, &[("if-none-match", &tag)], body.clone()).await.expect(304);
    assert_eq!((same.header("etag"), same.text.as_str()), (tag.as_str(), ""));
    let weak = format!("W/{tag}");
    server.send("POST", ONE, &[("if-none-match", &weak)], body.clone()).await.expect(304);
    let other = json!({"context": {"targetingKey": "bob"}}).to_string();
    server.send("POST", ONE, &[("if-none-match", &tag)], other).await.expect(200);
    server.send("POST", ONE, &[("if-none-match", "nonsense\"")], body.clone()).await.expect(200);

    // Neither faults nor hours move it; flags and segments do.
    let hours = "{time_zone: UTC, weekdays: mon..sun, times: [\"00:00-24:00\"], description: x}";
    server.send("PUT", "/api/v1/hours/always", &[], hours).await.expect(200);
    server.send("POST", ONE, &[("if-none-match", &tag)], body.clone()).await.expect(304);
    server.send("PUT", "/api/v1/segments/vip", &[], "when: { plan: gold }").await.expect(200);
    server.send("POST", ONE, &[("if-none-match", &tag)], body.clone()).await.expect(200);

    // Without a targeting key the splits are in error, and the others answer all the same.
    let flags = server.post(ONE, "{}").await.expect(200).json()["flags"].as_array().cloned().unwrap();
    let errors: Vec<_> = flags.iter().filter(|flag| flag.get("errorCode").is_some()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(contains(errors[0], &json!({"key": "layout", "errorCode": "TARGETING_KEY_MISSING"})));
    flags.iter().for_each(well_formed);
    for (body, code) in [("{", "PARSE_ERROR"), (r#"{"context": 1}"#, "INVALID_CONTEXT")] {
        let answer = server.post(ONE, body).await.expect(400).json();
        assert!(contains(&answer, &json!({"errorCode": code})), "{answer}");
        assert!(answer["errorDetails"].is_string(), "{answer}");
    }
}

/// The API's evaluation, OFREP single and OFREP bulk give the same variant for the same flag and context.
#[actix_web::test]
async fn invariant_7_every_door_gives_the_same_answer() {
    let server = Server::start().await;
    for user in 0..200 {
        let context =
            json!({"targetingKey": format!("user-{user}"), "plan": if user % 2 == 0 { "pro" } else { "free" }});
        let body = json!({ "context": context }).to_string();
        let bulk = server.post(ONE, &body).await.expect(200).json();
        for item in bulk["flags"].as_array().unwrap() {
            let key = item["key"].as_str().unwrap();
            let single = server.post(&format!("{ONE}/{key}"), &body).await.json();
            assert_eq!(&single, item);
            let evaluated = server.post(&format!("/api/v1/flags/{key}/evaluate"), &body).await.expect(200).json();
            for field in ["value", "variant", "reason"] {
                assert_eq!(evaluated[field], item[field], "{key} {user}");
            }
            let state = server.shared.control().state();
            let context = daybreak_model::Context::from_json(&context).unwrap();
            let detail = state.snapshot().evaluate(key, &context);
            assert_eq!(json!(detail.variant()), item["variant"], "{key} {user}");
        }
    }
}

/// What every item has, so that no published client trips.
#[track_caller]
fn well_formed(item: &Json) {
    const REASONS: [&str; 9] =
        ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "CACHED", "DISABLED", "UNKNOWN", "STALE", "ERROR"];
    assert!(item["key"].is_string(), "{item}");
    if item.get("errorCode").is_some() {
        assert!(item["errorDetails"].as_str().is_some_and(|details| !details.is_empty()), "{item}");
        assert!(item.get("value").is_none() && item.get("reason").is_none(), "{item}");
    } else {
        assert!(item["variant"].is_string() && item.get("value").is_some(), "{item}");
        assert!(REASONS.contains(&item["reason"].as_str().unwrap()), "{item}");
        let metadata = item["metadata"].as_object().unwrap();
        assert!(metadata.values().all(|value| value.is_boolean() || value.is_string() || value.is_number()), "{item}");
    }
}

fn contains(answer: &Json, expected: &Json) -> bool {
    expected.as_object().unwrap().iter().all(|(name, value)| answer.get(name) == Some(value))
}
